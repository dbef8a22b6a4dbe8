# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scaling policy may be. Pure: each check raises ValidationException or returns.

Sources: the reference pages of PutScalingPolicy, StepScalingPolicyConfiguration, StepAdjustment and
TargetTrackingScalingPolicyConfiguration.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from ..aws.errors import AwsError, validation
from .metric import PREDEFINED, metric_of

TRACKING, STEP = "TargetTrackingScaling", "StepScaling"
TRACKING_CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"
STEP_CONFIGURATION = "StepScalingPolicyConfiguration"
_CONFIGURATION_OF = {
    TRACKING: TRACKING_CONFIGURATION,
    STEP: STEP_CONFIGURATION,
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}
MAX_STEPS = 20


def merged_policy(parameters: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """The policy after the call: a parameter that is not given stays as it is, and StepScaling is the default type.

    A configuration replaces the one before as a whole, but for the metric, the adjustment type and the steps, which
    an update may leave out.
    """
    merged = {**(before or {}), **parameters}
    merged.setdefault("PolicyType", STEP)
    for member, kept in (
        (TRACKING_CONFIGURATION, ("PredefinedMetricSpecification", "CustomizedMetricSpecification")),
        (STEP_CONFIGURATION, ("AdjustmentType", "StepAdjustments")),
    ):
        known = (before or {}).get(member)
        given = parameters.get(member)
        if not known or given is None:
            continue
        left_out = [name for name in kept if given.get(name) is None]
        if member == TRACKING_CONFIGURATION and len(left_out) < len(kept):
            continue  # one kind of metric takes the other's place
        merged[member] = {**{name: known[name] for name in left_out if name in known}, **given}
    return merged


def check_policy(policy: dict[str, Any], before: dict[str, Any] | None) -> None:
    """A policy has the configuration of its type and no other, and its type never changes."""
    if before is not None and before["PolicyType"] != policy["PolicyType"]:
        raise validation(f"The policy {policy['PolicyName']} is a {before['PolicyType']} policy and stays one.")
    for policy_type, member in _CONFIGURATION_OF.items():
        if (policy_type == policy["PolicyType"]) != (policy.get(member) is not None):
            wanted = _CONFIGURATION_OF[policy["PolicyType"]]
            raise validation(f"A {policy['PolicyType']} policy has a {wanted} and no other configuration.")
    if policy["PolicyType"] == TRACKING:
        _check_tracking(policy[TRACKING_CONFIGURATION], policy["ScalableDimension"])
    elif policy["PolicyType"] == STEP:
        _check_steps(policy[STEP_CONFIGURATION])
    else:
        raise validation("Predictive scaling is not supported for the service namespace sagemaker.")


def check_only_one(policy: dict[str, Any], others: list[dict[str, Any]]) -> None:
    """Two policies of a target never track the same metric. others: all the target's other policies."""
    if policy["PolicyType"] != TRACKING:
        return
    metric = metric_of(policy)
    if any(other["PolicyType"] == TRACKING and metric_of(other) == metric for other in others):
        # hashicorp/terraform-provider-aws #41179 is about it.
        raise validation("Only one TargetTrackingScaling policy for a given metric specification is allowed.")


def _check_tracking(configuration: dict[str, Any], dimension: str) -> None:
    target = configuration.get("TargetValue")
    if target is None or not math.isfinite(target) or not 0 < target <= 2.0**360:
        raise validation("TargetValue must be a number above 0 and at most 2^360.")
    for member in ("ScaleOutCooldown", "ScaleInCooldown"):
        _check_cooldown(configuration.get(member), member)
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise validation(
            "Target tracking needs either a PredefinedMetricSpecification or a CustomizedMetricSpecification."
        )
    if predefined is not None:
        _check_predefined(predefined, dimension)
    else:
        _check_customized(customized or {})


def _check_predefined(predefined: dict[str, Any], dimension: str) -> None:
    name = predefined["PredefinedMetricType"]
    if name not in PREDEFINED or PREDEFINED[name].dimension != dimension:
        fitting = sorted(known for known, metric in PREDEFINED.items() if metric.dimension == dimension)
        raise validation(
            f"The predefined metric {name} is not supported for the scalable dimension {dimension}; "
            f"it has {' and '.join(fitting)}."
        )
    if predefined.get("ResourceLabel"):
        raise validation("A ResourceLabel is only for the predefined metric type ALBRequestCountPerTarget.")


def _check_customized(customized: dict[str, Any]) -> None:
    queries = customized.get("Metrics")
    if queries is None:
        missing = [name for name in ("MetricName", "Namespace", "Statistic") if not customized.get(name)]
        if missing:
            raise validation(f"A customized metric needs {', '.join(missing)}.")
        return
    alone = ("MetricName", "Namespace", "Statistic", "Unit", "Dimensions")
    if any(customized.get(name) for name in alone):
        raise validation("A customized metric has either Metrics or a single metric, not both.")
    returned = [query for query in queries if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise validation("Exactly one element of the metrics list should return data.")
    if len(queries) > 1 or queries[0].get("Expression") or not queries[0].get("MetricStat"):
        raise validation(
            "The CloudWatch of the local cloud has no metric math: Metrics can be one element with a MetricStat."
        )
    metric = queries[0]["MetricStat"]["Metric"]
    if not metric.get("MetricName") or not metric.get("Namespace"):
        raise validation("The MetricStat needs a Metric with a Namespace and a MetricName.")


def _check_steps(configuration: dict[str, Any]) -> None:
    adjustment_type = configuration.get("AdjustmentType")
    if adjustment_type is None:
        raise validation("AdjustmentType must be specified")
    _check_cooldown(configuration.get("Cooldown"), "Cooldown")
    magnitude = configuration.get("MinAdjustmentMagnitude")
    if magnitude is not None and (adjustment_type != "PercentChangeInCapacity" or magnitude <= 0):
        raise validation("MinAdjustmentMagnitude is a number above 0, for PercentChangeInCapacity alone.")
    steps = configuration.get("StepAdjustments") or []
    if not steps:
        raise validation("At least one step adjustment must be specified")
    if len(steps) > MAX_STEPS:
        raise AwsError("LimitExceededException", f"A step scaling policy has at most {MAX_STEPS} step adjustments.")
    for step in steps:
        bounds = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
        if bounds == (None, None) and len(steps) > 1:
            raise validation("The upper and lower bound can't be null in the same step adjustment.")
        if any(bound is not None and not math.isfinite(bound) for bound in bounds):
            raise validation("The bounds of a step adjustment are finite numbers.")
        if adjustment_type == "ExactCapacity" and step["ScalingAdjustment"] < 0:
            raise validation("For exact capacity, you must specify a non-negative value.")
    _check_intervals(sorted(map(step_interval, steps)))


def _check_intervals(intervals: list[tuple[float, float]]) -> None:
    """The rules of StepAdjustment's reference page: no gap, no overlap, and open ends where a sign calls for one."""
    for low, high in intervals:
        if low >= high:
            raise validation("The upper bound must be greater than the lower bound.")
    for (_, high), (low, _) in pairwise(intervals):
        if high != low:
            raise validation("The ranges of your step adjustments can't overlap or have a gap.")
    if -math.inf < intervals[0][0] < 0:
        raise validation(
            "If one step adjustment has a negative lower bound, then there must be a step adjustment with a null "
            "lower bound."
        )
    if 0 < intervals[-1][1] < math.inf:
        raise validation(
            "If one step adjustment has a positive upper bound, then there must be a step adjustment with a null "
            "upper bound."
        )


def step_interval(step: dict[str, Any]) -> tuple[float, float]:
    """A step's lower and upper bound, relative to the alarm's threshold."""
    low, high = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
    return (-math.inf if low is None else float(low), math.inf if high is None else float(high))


def _check_cooldown(seconds: int | None, member: str) -> None:
    if seconds is not None and seconds < 0:
        raise validation(f"{member} cannot be negative.")
