# SPDX-License-Identifier: GPL-3.0-or-later
"""What is different for an alarm that invokes a scaling policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_POLICY = ":scalingPolicy:"
# What SageMaker writes zeros of while a variant has no traffic.
_WITH_ZEROS = frozenset(
    {"InvocationsPerInstance", "ConcurrentRequestsPerModel", "ServerlessProvisionedConcurrencyUtilization"}
)


def scales(alarm: Mapping[str, Any]) -> bool:
    """Whether any of the alarm's actions is a scaling policy."""
    return any(_POLICY in action for member in _ACTIONS for action in alarm.get(member) or [])


def counts_a_rate(alarm: Mapping[str, Any]) -> bool:
    """Whether what is counted in a shortened period is brought up to the alarm's own.

    A policy's target, such as 70 requests a minute for an instance, is about what an instance can do. Instances are as
    fast here as anywhere, so two requests in one second count as 120 a minute.
    """
    return scales(alarm) and alarm.get("Statistic") in ("Sum", "SampleCount") and not alarm.get("ExtendedStatistic")


def zero_since(alarm: Mapping[str, Any]) -> float | None:
    """From when on a period without data counts as zero (seconds since 1970); None where it is missing.

    "If a variant's traffic becomes zero, SageMaker emits metrics with a value of zero" (SageMaker's guide, Auto scaling
    prerequisites). Nobody needs to write them here.
    """
    if scales(alarm) and alarm.get("Namespace") == "AWS/SageMaker" and alarm.get("MetricName") in _WITH_ZEROS:
        return float(alarm["AlarmConfigurationUpdatedTimestamp"])
    return None
