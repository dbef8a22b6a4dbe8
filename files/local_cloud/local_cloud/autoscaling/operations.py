# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling's control plane for SageMaker's variants: targets and policies are kept and given back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..aws.json_protocol import Response, failure, parse_body, success
from ..aws.service_model import load_api
from ..aws.validation import validate
from ..sagemaker.arns import key_of
from ..sagemaker.deployment import Deployment, Variant
from ..sagemaker.endpoint_manager import DEPLOYED
from ..sagemaker.operations import unknown_operation
from ..store import Document, Store
from .rules import check_capacities, check_policy, check_target, parse_resource_id, target_key

TARGETS, POLICIES = "scalable-target", "scaling-policy"
_DEFAULT_PAGE = 50
_SERVICE_LINKED_ROLE = (
    "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)

Operation = Callable[[Caller, dict[str, Any]], Awaitable[dict[str, Any]]]


class ApplicationAutoScaling:
    """RegisterScalableTarget, PutScalingPolicy and their Describe, Deregister and Delete."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._operations: dict[str, Operation] = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._describe_targets,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
        }
        self._api = load_api("application-autoscaling", frozenset(self._operations))

    async def handle(self, caller: Caller, operation: str, body: bytes) -> Response:
        """Answer a call of the JSON protocol."""
        try:
            run = self._operations.get(operation)
            if run is None:
                raise unknown_operation("Application Auto Scaling", operation, operation in self._api.all_operations)
            model = self._api.operation(operation)
            parameters = parse_body(body)
            validate(model.input_shape, parameters)
            if parameters["ServiceNamespace"] != "sagemaker":
                raise AwsError("ValidationException", "The local cloud scales the service namespace sagemaker only.")
            return success(model.output_shape, await run(caller, parameters))
        except AwsError as error:
            return failure(error)

    async def _register(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        check_target(parameters)
        key = target_key(parameters)
        before = self._store.get(TARGETS, caller, key)
        variant = self._variant(caller, parameters)
        check_capacities(parameters, before, variant)
        document: Document = before or {
            "ServiceNamespace": "sagemaker",
            "ResourceId": parameters["ResourceId"],
            "ScalableDimension": parameters["ScalableDimension"],
            "CreationTime": time.time(),
            "RoleARN": f"arn:aws:iam::{caller.account}:role/{_SERVICE_LINKED_ROLE}",
            "ScalableTargetARN": caller.arn("application-autoscaling", f"scalable-target/{uuid.uuid4().hex[:24]}"),
            "SuspendedState": {
                "DynamicScalingInSuspended": False,
                "DynamicScalingOutSuspended": False,
                "ScheduledScalingSuspended": False,
            },
        }
        document |= {name: parameters[name] for name in ("MinCapacity", "MaxCapacity") if name in parameters}
        document["SuspendedState"] = {**document["SuspendedState"], **parameters.get("SuspendedState", {})}
        self._store.put(TARGETS, caller, key, document)
        return {"ScalableTargetARN": document["ScalableTargetARN"]}

    async def _describe_targets(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        wanted = parameters.get("ResourceIds")
        found = [
            document
            for document in self._store.list(TARGETS, caller)
            if (not wanted or document["ResourceId"] in wanted)
            and parameters.get("ScalableDimension") in (None, document["ScalableDimension"])
        ]
        page, token = _page(found, parameters)
        return {"ScalableTargets": page, "NextToken": token}

    async def _deregister(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        self._target(caller, parameters)
        # Deregistering deletes the target's policies.
        for policy in self._policies_of(caller, parameters):
            self._store.delete(POLICIES, caller, _policy_key(policy))
        self._store.delete(TARGETS, caller, target_key(parameters))
        return {}

    async def _put_policy(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        self._target(caller, parameters)
        key = _policy_key(parameters)
        before = self._store.get(POLICIES, caller, key)
        document = {**(before or {}), **parameters}
        document.setdefault("PolicyType", "StepScaling")
        check_policy(document, before)
        if before is None:
            document["CreationTime"] = time.time()
            document["PolicyARN"] = caller.arn(
                "autoscaling",
                f"scalingPolicy:{uuid.uuid4()}:resource/sagemaker/{parameters['ResourceId']}:"
                f"policyName/{parameters['PolicyName']}",
            )
            document["Alarms"] = []
        self._store.put(POLICIES, caller, key, document)
        return {"PolicyARN": document["PolicyARN"], "Alarms": document["Alarms"]}

    async def _describe_policies(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        names = parameters.get("PolicyNames")
        found = [
            document
            for document in self._store.list(POLICIES, caller)
            if (not names or document["PolicyName"] in names)
            and parameters.get("ResourceId") in (None, document["ResourceId"])
            and parameters.get("ScalableDimension") in (None, document["ScalableDimension"])
        ]
        page, token = _page(found, parameters)
        return {"ScalingPolicies": page, "NextToken": token}

    async def _delete_policy(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        key = _policy_key(parameters)
        if self._store.get(POLICIES, caller, key) is None:
            raise AwsError(
                "ObjectNotFoundException",
                f"No scaling policy found for service namespace: sagemaker, resource ID: {parameters['ResourceId']}, "
                f"scalable dimension: {parameters['ScalableDimension']}: {parameters['PolicyName']}",
            )
        self._store.delete(POLICIES, caller, key)
        return {}

    def _target(self, caller: Caller, parameters: dict[str, Any]) -> Document:
        target = self._store.get(TARGETS, caller, target_key(parameters))
        if target is None:
            raise AwsError(
                "ObjectNotFoundException",
                f"No scalable target found for service namespace: sagemaker, resource ID: {parameters['ResourceId']}, "
                f"scalable dimension: {parameters['ScalableDimension']}",
            )
        return target

    def _variant(self, caller: Caller, parameters: dict[str, Any]) -> Variant:
        endpoint_name, variant_name = parse_resource_id(parameters["ResourceId"])
        document = self._store.get("endpoint", caller, key_of(endpoint_name))
        if document is not None and document.get(DEPLOYED):
            for variant in Deployment.from_document(document[DEPLOYED]).variants:
                if variant.name == variant_name:
                    return variant
        raise AwsError("ValidationException", f"There is no variant {parameters['ResourceId']} that is in service.")

    def _policies_of(self, caller: Caller, parameters: dict[str, Any]) -> list[Document]:
        return [policy for policy in self._store.list(POLICIES, caller) if target_key(policy) == target_key(parameters)]


def _policy_key(parameters: dict[str, Any]) -> str:
    return f"{target_key(parameters)}|{parameters['PolicyName']}"


def _page(found: list[Document], parameters: dict[str, Any]) -> tuple[list[Document], str | None]:
    token = parameters.get("NextToken", "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The next token supplied was invalid.")
    end = int(token) + parameters.get("MaxResults", _DEFAULT_PAGE)
    return found[int(token) : end], str(end) if end < len(found) else None
