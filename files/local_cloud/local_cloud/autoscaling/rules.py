# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling's rules for SageMaker's variants. Pure: each check raises ValidationException or returns."""

from __future__ import annotations

import re
from typing import Any

from ..aws.errors import validation
from ..sagemaker.deployment import Variant

INSTANCE_COUNT = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED_CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"

_RESOURCE_ID = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_POLICY_CONFIGURATION = {
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "StepScaling": "StepScalingPolicyConfiguration",
    "PredictiveScaling": "PredictiveScalingPolicyConfiguration",
}


def target_key(parameters: dict[str, Any]) -> str:
    """How a scalable target is stored."""
    return f"{parameters['ResourceId']}|{parameters['ScalableDimension']}"


def parse_resource_id(resource_id: str) -> tuple[str, str]:
    """The endpoint's and the variant's name in `endpoint/<endpoint>/variant/<variant>`."""
    match = _RESOURCE_ID.fullmatch(resource_id)
    if match is None:
        raise validation(
            f"Unsupported resource type: {resource_id}. A SageMaker variant is endpoint/<endpoint>/variant/<variant>."
        )
    return match[1], match[2]


def check_target(parameters: dict[str, Any]) -> None:
    """The resource and the dimension belong together."""
    parse_resource_id(parameters["ResourceId"])
    dimension = parameters["ScalableDimension"]
    if dimension not in (INSTANCE_COUNT, PROVISIONED_CONCURRENCY):
        raise validation(f"The scalable dimension {dimension} is not one of a variant ({INSTANCE_COUNT}).")


def check_capacities(parameters: dict[str, Any], before: dict[str, Any] | None, variant: Variant) -> None:
    """Both capacities are known, in order, and of a dimension that the variant has.

    before: the target that is already registered, or None.
    """
    for member, noun in (("MinCapacity", "minimum"), ("MaxCapacity", "maximum")):
        if member not in parameters and member not in (before or {}):
            raise validation(f"A scalable target needs a minimum and a maximum capacity; the {noun} is missing.")
    merged = {**(before or {}), **parameters}
    if merged["MinCapacity"] < 0 or merged["MaxCapacity"] < merged["MinCapacity"]:
        raise validation("Maximum capacity cannot be less than minimum capacity.")
    serverless = variant.serverless
    if (parameters["ScalableDimension"] == PROVISIONED_CONCURRENCY) != bool(serverless):
        wanted = PROVISIONED_CONCURRENCY if serverless else INSTANCE_COUNT
        raise validation(f"The variant {variant.name} scales by {wanted}, not by {parameters['ScalableDimension']}.")
    if serverless and merged["MaxCapacity"] > serverless["MaxConcurrency"]:
        raise validation("Maximum capacity cannot be greater than the variant's MaxConcurrency.")
    if not serverless and merged["MinCapacity"] < 1:
        raise validation("The minimum capacity of a variant without inference components is 1 or more.")


def check_policy(policy: dict[str, Any], before: dict[str, Any] | None) -> None:
    """A policy has the configuration of its type and no other, and its type never changes."""
    if before is not None and before["PolicyType"] != policy["PolicyType"]:
        raise validation(f"The policy {policy['PolicyName']} is a {before['PolicyType']} policy and stays one.")
    for policy_type, member in _POLICY_CONFIGURATION.items():
        if (policy_type == policy["PolicyType"]) != bool(policy.get(member)):
            wanted = _POLICY_CONFIGURATION[policy["PolicyType"]]
            raise validation(f"A {policy['PolicyType']} policy has a {wanted} and no other configuration.")
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration") or {}
    predefined = tracking.get("PredefinedMetricSpecification")
    if tracking and bool(predefined) == bool(tracking.get("CustomizedMetricSpecification")):
        raise validation(
            "Target tracking needs either a PredefinedMetricSpecification or a CustomizedMetricSpecification."
        )
    if predefined and not predefined["PredefinedMetricType"].startswith("SageMaker"):
        raise validation(f"{predefined['PredefinedMetricType']} is not a metric of SageMaker's.")
