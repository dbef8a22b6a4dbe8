# SPDX-License-Identifier: GPL-3.0-or-later
"""The CloudWatch alarms that a target tracking policy makes. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from .metric import metric_of, predefined_of
from .policy_rules import TRACKING_CONFIGURATION

# How far below the target a metric has to stay before capacity is removed: 70 invocations make an alarm at 63.
LOW_THRESHOLD = 0.9
_HIGH_PERIODS = 3
# Capacity is removed after a quarter of an hour, whatever the metric's resolution ("Define a scaling policy").
_LOW_SECONDS = 900


def tracking_alarms(policy: dict[str, Any], action: str) -> list[dict[str, Any]]:
    """PutMetricAlarm's parameters, one dict an alarm: AlarmHigh, and AlarmLow where the policy scales in.

    action: the ARN that the alarms invoke. Names, texts and numbers as on AWS.
    """
    configuration = policy[TRACKING_CONFIGURATION]
    metric, predefined = metric_of(policy), predefined_of(policy)
    period = predefined.period if predefined else 60
    common: dict[str, Any] = {
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
        "ActionsEnabled": True,
        "AlarmActions": [action],
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        ("ExtendedStatistic" if metric.statistic[:1] == "p" else "Statistic"): metric.statistic,
        "Period": period,
        **({"Unit": metric.unit} if metric.unit else {}),
    }

    def named(kind: str, periods: int, operator: str, threshold: float) -> dict[str, Any]:
        return {
            "AlarmName": f"TargetTracking-{policy['ResourceId']}-{kind}-{uuid.uuid4()}",
            **common,
            "EvaluationPeriods": periods,
            "ComparisonOperator": operator,
            "Threshold": threshold,
        }

    target = float(configuration["TargetValue"])
    alarms = [named("AlarmHigh", _HIGH_PERIODS, "GreaterThanThreshold", target)]
    if not configuration.get("DisableScaleIn"):
        low = float(f"{target * LOW_THRESHOLD:.12g}")
        alarms.append(named("AlarmLow", _LOW_SECONDS // period, "LessThanThreshold", low))
    return alarms


@dataclass(frozen=True)
class PolicyAlarm:
    """A metric alarm as DescribeAlarms tells of it, with what is needed to evaluate it.

    zero_since: where data that are missing count as zero, from when on (seconds since 1970): "if a variant's traffic
    becomes zero, SageMaker emits metrics with a value of zero" (Auto scaling policy overview).
    """

    described: dict[str, Any]
    zero_since: float | None = None

    @property
    def name(self) -> str:
        name: str = self.described["AlarmName"]
        return name

    @property
    def state(self) -> str:
        state: str = self.described["StateValue"]
        return state

    def actions(self, state: str) -> list[str]:
        """The ARNs that the alarm invokes when it is in `state`."""
        member = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(state, "InsufficientDataActions")
        return self.described.get(member) or [] if self.described.get("ActionsEnabled", True) else []


def is_action_of(action: str, policy_arn: str) -> bool:
    """Whether an alarm's action invokes the policy. AWS adds who made the action to its own alarms' actions."""
    return action == policy_arn or action.startswith(f"{policy_arn}:createdBy/")
