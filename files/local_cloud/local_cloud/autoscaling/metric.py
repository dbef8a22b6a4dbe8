# SPDX-License-Identifier: GPL-3.0-or-later
"""The CloudWatch metric that a target tracking policy tracks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .resources import INSTANCE_COUNT, PROVISIONED_CONCURRENCY, scalable_of


@dataclass(frozen=True)
class Metric:
    """What to ask CloudWatch for. statistic: "Sum", "Average", "p90" ..."""

    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...] = ()
    unit: str | None = None


@dataclass(frozen=True)
class PredefinedMetric:
    """One of Application Auto Scaling's metrics of a variant. period: seconds between its data."""

    dimension: str
    name: str
    statistic: str
    period: int = 60


# Sources: "Define a scaling policy" and "SageMaker metrics in CloudWatch" of SageMaker's guide; the statistic of
# InvocationsPerInstance, whose every request counts 1/instances, is on ScalingPolicyMetric's reference page.
PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": PredefinedMetric(INSTANCE_COUNT, "InvocationsPerInstance", "Sum"),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": PredefinedMetric(
        INSTANCE_COUNT, "ConcurrentRequestsPerModel", "Average", period=10
    ),
    "SageMakerVariantProvisionedConcurrencyUtilization": PredefinedMetric(
        PROVISIONED_CONCURRENCY, "ServerlessProvisionedConcurrencyUtilization", "Average"
    ),
}


def metric_of(policy: dict[str, Any]) -> Metric:
    """The metric of a target tracking policy. Two policies that track the same have equal ones."""
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    if predefined := predefined_of(policy):
        scalable = scalable_of(policy)
        return Metric(
            "AWS/SageMaker",
            predefined.name,
            predefined.statistic,
            (("EndpointName", scalable.endpoint_name), ("VariantName", scalable.variant_name)),
        )
    customized = configuration["CustomizedMetricSpecification"]
    statistic, unit = customized.get("Statistic"), customized.get("Unit")
    if queries := customized.get("Metrics"):
        (query,) = queries
        statistic, unit = query["MetricStat"]["Stat"], query["MetricStat"].get("Unit")
        customized = query["MetricStat"]["Metric"]
    dimensions = sorted((item["Name"], item["Value"]) for item in customized.get("Dimensions") or [])
    return Metric(customized["Namespace"], customized["MetricName"], statistic, tuple(dimensions), unit)


def predefined_of(policy: dict[str, Any]) -> PredefinedMetric | None:
    """The predefined metric of a target tracking policy, or None where it has one of its own."""
    specification = policy["TargetTrackingScalingPolicyConfiguration"].get("PredefinedMetricSpecification")
    return PREDEFINED[specification["PredefinedMetricType"]] if specification else None
