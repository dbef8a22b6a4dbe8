# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Application Auto Scaling, as far as SageMaker's variants go. The only place that calls it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from .errors import NotFound, translated
from .scaling import (
    INSTANCES,
    NAMESPACE,
    POLICY_NAME,
    PROVISIONED,
    Autoscaling,
    ScalableTarget,
    dimension,
    resource_id,
    variant_of,
)

# Without botocore AnsibleAWSModule fails with a sentence before anything here is used.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

#: DescribeScalableTargets takes 50 ResourceIds; an endpoint has at most 20 variants with its shadows.
_DIMENSIONS = (INSTANCES, PROVISIONED)


class Scaling:
    """The registrations of one endpoint's variants. C(boto) is a boto3 client that retries what is throttled."""

    def __init__(self, boto: Any, endpoint_name: str) -> None:
        self._boto = boto
        self._endpoint_name = endpoint_name

    def targets(self, variant_names: Sequence[str]) -> tuple[ScalableTarget, ...]:
        """Return what is registered of these variants: one call, and one more for each that is."""
        if not variant_names:
            return ()
        answer = self._call(
            "describe_scalable_targets",
            f"look for scalable targets of Endpoint {self._endpoint_name}",
            ResourceIds=[self._resource(name) for name in variant_names],
        )
        found = (entry for entry in answer.get("ScalableTargets", []) if entry["ScalableDimension"] in _DIMENSIONS)
        return tuple(self._target(entry) for entry in found)

    def register(self, variant_name: str, serverless: bool, wanted: Autoscaling) -> None:
        """Register a variant, or give it other bounds."""
        self._call(
            "register_scalable_target",
            f"register variant {variant_name} of Endpoint {self._endpoint_name} with Application Auto Scaling",
            ResourceId=self._resource(variant_name),
            ScalableDimension=dimension(serverless),
            MinCapacity=wanted.min_capacity,
            MaxCapacity=wanted.max_capacity,
        )

    def put_policy(self, variant_name: str, serverless: bool, wanted: Autoscaling) -> None:
        self._call(
            "put_scaling_policy",
            f"give variant {variant_name} of Endpoint {self._endpoint_name} its scaling policy",
            PolicyName=POLICY_NAME,
            PolicyType="TargetTrackingScaling",
            ResourceId=self._resource(variant_name),
            ScalableDimension=dimension(serverless),
            TargetTrackingScalingPolicyConfiguration=wanted.policy(serverless),
        )

    def deregister(self, variant_name: str, scalable_dimension: str) -> None:
        """Deregister a variant, and with it its policies; fine where it is not registered."""
        with suppress(NotFound):
            self._call(
                "deregister_scalable_target",
                f"deregister variant {variant_name} of Endpoint {self._endpoint_name} from Application Auto Scaling",
                ResourceId=self._resource(variant_name),
                ScalableDimension=scalable_dimension,
            )

    def _target(self, entry: dict[str, Any]) -> ScalableTarget:
        policies = self._call(
            "describe_scaling_policies",
            f"look at the scaling policies of {entry['ResourceId']}",
            ResourceId=entry["ResourceId"],
            ScalableDimension=entry["ScalableDimension"],
        ).get("ScalingPolicies", [])
        ours = [policy for policy in policies if policy["PolicyName"] == POLICY_NAME]
        return ScalableTarget(
            variant_name=variant_of(entry["ResourceId"]),
            dimension=entry["ScalableDimension"],
            min_capacity=entry["MinCapacity"],
            max_capacity=entry["MaxCapacity"],
            policy=ours[0].get("TargetTrackingScalingPolicyConfiguration", {}) if ours else None,
        )

    def _resource(self, variant_name: str) -> str:
        return resource_id(self._endpoint_name, variant_name)

    def _call(self, operation: str, doing: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._boto, operation)(ServiceNamespace=NAMESPACE, **parameters)
            return answer
        except (ClientError, BotoCoreError) as error:
            raise translated(error, doing) from error
