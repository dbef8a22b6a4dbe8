# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that reads alarms from CloudWatch."""

from __future__ import annotations

from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._endpoint_alarms.alarms import Alarm, alarm_from_boto


def alarms(client: Any, endpoint_name: str) -> list[Alarm]:
    """The metric alarms whose names begin with the endpoint's, with their tags: one call, and one for each."""
    pages = client.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{endpoint_name}-", AlarmTypes=["MetricAlarm"]
    )
    return [
        alarm_from_boto(found, _tags(client, found["AlarmArn"])) for page in pages for found in page["MetricAlarms"]
    ]


def _tags(client: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client.list_tags_for_resource(ResourceARN=arn)["Tags"]}
