# SPDX-License-Identifier: GPL-3.0-or-later
"""Scalable targets: RegisterScalableTarget, its Describe and Deregister, and their tags."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..sagemaker.arns import not_found
from ..store import Document
from .records import Records, matching, page
from .resources import Scalable, check_filters, scalable_of
from .service_linked_role import ServiceLinkedRole
from .target_rules import MAX_TARGETS, check_bounds, check_request, check_tags, check_variant
from .variants import Variants

_SUSPENSIONS = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


class ScalableTargets:
    """The operations on targets.

    enforce: called when a target's bounds may have moved away from its capacity. forget: awaited to delete what
    belongs to a target that is gone.
    """

    def __init__(
        self,
        records: Records,
        variants: Variants,
        role: ServiceLinkedRole,
        enforce: Callable[[Caller, Scalable], None],
        forget: Callable[[Caller, Scalable], Awaitable[None]],
    ) -> None:
        self._records = records
        self._variants = variants
        self._role = role
        self._enforce = enforce
        self._forget = forget

    async def register(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        scalable = scalable_of(parameters)
        before = self._records.target(caller, scalable)
        check_request(parameters, registered=before is not None)
        low, high = ({**(before or {}), **parameters}[member] for member in ("MinCapacity", "MaxCapacity"))
        check_bounds(low, high)
        self._check_variant(caller, scalable, low, high)
        if before is None and len(self._records.targets(caller)) >= MAX_TARGETS:
            raise AwsError("LimitExceededException", f"An account has at most {MAX_TARGETS} scalable targets.")
        target = before or await self._new(caller, scalable, parameters)
        suspended = {**target["SuspendedState"], **(parameters.get("SuspendedState") or {})}
        target |= {"MinCapacity": low, "MaxCapacity": high, "SuspendedState": suspended}
        self._records.put_target(caller, target)
        self._enforce(caller, scalable)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        resource_ids = parameters.get("ResourceIds") or []
        check_filters(parameters, resource_ids)
        if parameters.get("ScalableDimension") and not resource_ids:
            raise AwsError("ValidationException", "ResourceIds must be specified when ScalableDimension is specified")
        found = matching(self._records.targets(caller), parameters, "ResourceId", resource_ids)
        shown, token = page(found, parameters)
        return {"ScalableTargets": shown, "NextToken": token}

    async def deregister(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        scalable = scalable_of(parameters)
        self._records.existing_target(caller, scalable, "No scalable target found")
        await self.remove(caller, scalable)
        return {}

    async def remove(self, caller: Caller, scalable: Scalable) -> None:
        """Delete a target, its policies and its scheduled actions."""
        self._records.delete_target(caller, scalable)
        await self._forget(caller, scalable)

    async def tag(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        target = self._records.target_by_arn(caller, parameters["ResourceARN"])
        tags = {**target["_tags"], **parameters["Tags"]}
        check_tags(tags)
        self._records.put_target(caller, {**target, "_tags": tags})
        return {}

    async def untag(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        target = self._records.target_by_arn(caller, parameters["ResourceARN"])
        tags = {key: value for key, value in target["_tags"].items() if key not in parameters["TagKeys"]}
        self._records.put_target(caller, {**target, "_tags": tags})
        return {}

    async def list_tags(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self._records.target_by_arn(caller, parameters["ResourceARN"])["_tags"]}

    def registered_variants(self, caller: Caller, endpoint_name: str) -> set[str]:
        """The names of the endpoint's variants that are scalable targets."""
        scalables = map(scalable_of, self._records.targets(caller))
        return {each.variant_name for each in scalables if each.endpoint_name.lower() == endpoint_name.lower()}

    def of_endpoint(self, caller: Caller, endpoint_name: str) -> list[Scalable]:
        """The endpoint's scalable targets."""
        scalables = map(scalable_of, self._records.targets(caller))
        return [each for each in scalables if each.endpoint_name.lower() == endpoint_name.lower()]

    async def _new(self, caller: Caller, scalable: Scalable, parameters: dict[str, Any]) -> Document:
        return {
            **scalable.members,
            "CreationTime": round(time.time(), 3),
            "RoleARN": await self._role.ensure(caller),
            "ScalableTargetARN": caller.arn("application-autoscaling", f"scalable-target/056m{uuid.uuid4().hex}"),
            "SuspendedState": dict.fromkeys(_SUSPENSIONS, False),
            "_tags": parameters.get("Tags") or {},
        }

    def _check_variant(self, caller: Caller, scalable: Scalable, low: int, high: int) -> None:
        if self._variants.endpoint(caller, scalable.endpoint_name) is None:
            raise not_found("endpoint", caller, scalable.endpoint_name)
        variant = self._variants.find(caller, scalable)
        if variant is None:
            raise AwsError(
                "ValidationException",
                f"The endpoint {scalable.endpoint_name} has no variant {scalable.variant_name} that is deployed.",
            )
        asynchronous = self._variants.is_asynchronous(caller, scalable)
        check_variant(scalable.dimension, low, high, variant, asynchronous)
