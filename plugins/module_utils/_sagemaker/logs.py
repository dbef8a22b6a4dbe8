# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last lines a model container wrote, from CloudWatch Logs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

# Without botocore AnsibleAWSModule fails with a sentence before anything here is used.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError


def log_group(endpoint_name: str) -> str:
    """Return the log group SageMaker writes an endpoint's containers to."""
    return f"/aws/sagemaker/Endpoints/{endpoint_name}"


def log_tail(boto_logs: Any, endpoint_name: str, lines: int = 30) -> list[str]:
    """Return the last lines of the container that wrote last.

    They only help to explain a failure that is reported anyway, so where they cannot be read, the one line returned
    says why.
    """
    group = log_group(endpoint_name)
    try:
        streams = boto_logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)[
            "logStreams"
        ]
        if not streams:
            return [f"({group} holds no log stream.)"]
        events = boto_logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], limit=lines)[
            "events"
        ]
    except (ClientError, BotoCoreError) as error:
        return [f"(The container's log in {group} could not be read: {error})"]
    return [event["message"].rstrip() for event in events][-lines:] or [f"({group} holds no line.)"]
