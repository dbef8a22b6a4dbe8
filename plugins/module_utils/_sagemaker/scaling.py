# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Application Auto Scaling of a variant: what is wanted, what is registered, and what has to be done.

Once a variant is registered, the autoscaler owns its instance count or its provisioned concurrency. What it has set
must survive a rotation, and it must be registered while, and only while, the variant is there. Scaling changes no
EndpointConfig, so it is no part of any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMESPACE = "sagemaker"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "sagemaker:variant:DesiredProvisionedConcurrency"

#: What a policy of ours is called. A target without it was registered by somebody else, and stays theirs.
POLICY_NAME = "modelhost-target-tracking"

#: Predefined metrics by what the variant runs on (PredefinedMetricSpecification's reference); the first is the default.
INSTANCE_METRICS = (
    "SageMakerVariantInvocationsPerInstance",
    "SageMakerVariantConcurrentRequestsPerModelHighResolution",
)
SERVERLESS_METRICS = ("SageMakerVariantProvisionedConcurrencyUtilization",)


@dataclass(frozen=True)
class Autoscaling:
    """How a variant scales; cool-downs in seconds. The metric's default depends on what the variant runs on."""

    min_capacity: int
    max_capacity: int
    target_value: float
    metric: str = ""
    scale_in_cooldown: int | None = None
    scale_out_cooldown: int | None = None

    def policy(self, serverless: bool) -> dict[str, Any]:
        """PutScalingPolicy's TargetTrackingScalingPolicyConfiguration."""
        metric = self.metric or (SERVERLESS_METRICS if serverless else INSTANCE_METRICS)[0]
        policy: dict[str, Any] = {
            "TargetValue": self.target_value,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
        }
        if self.scale_in_cooldown is not None:
            policy["ScaleInCooldown"] = self.scale_in_cooldown
        if self.scale_out_cooldown is not None:
            policy["ScaleOutCooldown"] = self.scale_out_cooldown
        return policy


@dataclass(frozen=True)
class ScalableTarget:
    """A variant that is registered. C(policy) is our policy's configuration, None where it has none of ours."""

    variant_name: str
    dimension: str
    min_capacity: int
    max_capacity: int
    policy: Mapping[str, Any] | None = None

    @property
    def foreign(self) -> bool:
        """Whether somebody else registered it, as far as one can tell: it has no policy of ours."""
        return self.policy is None

    def fits(self, wanted: Autoscaling, serverless: bool) -> bool:
        """Whether its bounds are as wanted."""
        bounds = (self.min_capacity, self.max_capacity) == (wanted.min_capacity, wanted.max_capacity)
        return bounds and self.dimension == dimension(serverless)

    def tracks(self, wanted: Autoscaling, serverless: bool) -> bool:
        """Whether its policy is as wanted."""
        return self.policy is not None and _relevant(self.policy) == _relevant(wanted.policy(serverless))


def autoscaling_from_options(options: Mapping[str, Any] | None) -> Autoscaling | None:
    """Return a variant's (validated) option C(autoscaling) as a value."""
    if not options:
        return None
    return Autoscaling(**{key: value for key, value in options.items() if value is not None})


def scaling_by_variant(variants: Sequence[Mapping[str, Any]]) -> dict[str, Autoscaling]:
    """Return how variants are to scale, by their names; a variant of a fixed size is left out."""
    found = {each["variant_name"]: autoscaling_from_options(each.get("autoscaling")) for each in variants}
    return {name: autoscaling for name, autoscaling in found.items() if autoscaling}


def dimension(serverless: bool) -> str:
    return PROVISIONED if serverless else INSTANCES


def resource_id(endpoint_name: str, variant_name: str) -> str:
    """How Application Auto Scaling names a variant."""
    return f"endpoint/{endpoint_name}/variant/{variant_name}"


def variant_of(resource: str) -> str:
    return resource.rpartition("/variant/")[2]


def _relevant(policy: Mapping[str, Any]) -> dict[str, Any]:
    metric = policy.get("PredefinedMetricSpecification") or {}
    return {
        "target": float(policy.get("TargetValue", 0)),
        "metric": metric.get("PredefinedMetricType"),
        "in": policy.get("ScaleInCooldown"),
        "out": policy.get("ScaleOutCooldown"),
    }
