# SPDX-License-Identifier: GPL-3.0-or-later
"""What SageMaker's operations have to be allowed. Pure.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon SageMaker".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from ..aws.caller import Caller
from ..sagemaker.arns import arn_of
from .permissions import ANY_RESOURCE, Permission, pass_role, request_tags, tag_list

SERVICE_PRINCIPAL = "sagemaker.amazonaws.com"

Parameters = Mapping[str, Any]
TagsOf = Callable[[str], Mapping[str, str]]

# Operation -> its resources: (the kind, the parameter with the name). Each of them has to be allowed.
RESOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "CreateModel": (("model", "ModelName"),),
    "DescribeModel": (("model", "ModelName"),),
    "DeleteModel": (("model", "ModelName"),),
    "CreateEndpointConfig": (("endpoint-config", "EndpointConfigName"),),
    "DescribeEndpointConfig": (("endpoint-config", "EndpointConfigName"),),
    "DeleteEndpointConfig": (("endpoint-config", "EndpointConfigName"),),
    "CreateEndpoint": (("endpoint", "EndpointName"), ("endpoint-config", "EndpointConfigName")),
    "UpdateEndpoint": (("endpoint", "EndpointName"), ("endpoint-config", "EndpointConfigName")),
    "UpdateEndpointWeightsAndCapacities": (("endpoint", "EndpointName"),),
    "DescribeEndpoint": (("endpoint", "EndpointName"),),
    "DeleteEndpoint": (("endpoint", "EndpointName"),),
}
TAG_OPERATIONS = frozenset({"AddTags", "ListTags", "DeleteTags"})
# The reference gives these no resource type.
WITHOUT_RESOURCE = frozenset({"ListModels", "ListEndpointConfigs", "ListEndpoints"})

_INVOCATION = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)/?")
_INVOKE_ACTIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}


def required(caller: Caller, operation: str, parameters: Parameters, tags_of: TagsOf) -> list[Permission]:
    """What an operation of the control plane has to be allowed.

    tags_of: the tags of what an ARN names, for a policy's ResourceTag conditions.
    An operation without a row is allowed only by a policy for every resource, as on AWS one without resource types is.
    """
    action = f"sagemaker:{operation}"
    if operation in TAG_OPERATIONS:
        return [_on_tags(action, parameters, tags_of)]
    arns = [arn_of(kind, caller, str(parameters.get(name) or "")) for kind, name in RESOURCES.get(operation, ())]
    if not arns:
        return [Permission(action)]
    tags = tag_list(parameters.get("Tags"))
    asked = {**request_tags(tags), **_conditions(caller, operation, parameters)}
    wanted = [Permission(action, arn, {**asked, **_resource_tags(tags_of(arn))}) for arn in arns]
    if operation in ("CreateModel", "CreateEndpointConfig"):
        wanted += pass_role(parameters.get("ExecutionRoleArn"), SERVICE_PRINCIPAL, arns[0])
    if tags:
        # sagemaker:AddTags is a dependent action of every Create call that carries tags.
        tagging = {**request_tags(tags), "sagemaker:TaggingAction": operation}
        wanted.append(Permission("sagemaker:AddTags", arns[0], tagging))
    return wanted


def required_to_invoke(caller: Caller, path: str, headers: Mapping[str, str], tags_of: TagsOf) -> list[Permission]:
    """What a call of the runtime has to be allowed. path: undecoded. headers: names in lower case."""
    match = _INVOCATION.fullmatch(path)
    if match is None:
        return [Permission("sagemaker:InvokeEndpoint", arn_of("endpoint", caller, ""))]
    arn = arn_of("endpoint", caller, unquote(match[1]))
    conditions = dict(_resource_tags(tags_of(arn)))
    if target := headers.get("x-amzn-sagemaker-target-model"):
        conditions["sagemaker:TargetModel"] = target
    return [Permission(f"sagemaker:{_INVOKE_ACTIONS[match[2]]}", arn, conditions)]


def _on_tags(action: str, parameters: Parameters, tags_of: TagsOf) -> Permission:
    arn = parameters.get("ResourceArn")
    if not isinstance(arn, str):
        return Permission(action)
    # SageMaker compares and prints ARNs in lower case, whatever case a name was given in.
    arn = arn.lower()
    conditions = {**request_tags(tag_list(parameters.get("Tags"))), **_resource_tags(tags_of(arn))}
    keys = parameters.get("TagKeys")
    if isinstance(keys, list):
        conditions["aws:TagKeys"] = [str(key) for key in keys]
    return Permission(action, arn or ANY_RESOURCE, conditions)


def _resource_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}:ResourceTag/{key}": value for prefix in ("aws", "sagemaker") for key, value in tags.items()}


def _conditions(caller: Caller, operation: str, parameters: Parameters) -> dict[str, Any]:
    if operation == "CreateModel":
        network = parameters.get("VpcConfig") or {}
        found = {
            "sagemaker:NetworkIsolation": str(bool(parameters.get("EnableNetworkIsolation"))).lower(),
            "sagemaker:VpcSubnets": network.get("Subnets") if isinstance(network, dict) else None,
            "sagemaker:VpcSecurityGroupIds": network.get("SecurityGroupIds") if isinstance(network, dict) else None,
        }
    elif operation == "CreateEndpointConfig":
        variants = list(_dictionaries(parameters.get("ProductionVariants")))
        sizes = [variant.get("ServerlessConfig") for variant in variants]
        serverless = list(_dictionaries(sizes))
        found = {
            "sagemaker:InstanceTypes": _values(variants, "InstanceType"),
            "sagemaker:AcceleratorTypes": _values(variants, "AcceleratorType"),
            "sagemaker:ModelArn": _single([arn_of("model", caller, each) for each in _values(variants, "ModelName")]),
            "sagemaker:ServerlessMemorySize": _single(_values(serverless, "MemorySizeInMB")),
            "sagemaker:ServerlessMaxConcurrency": _single(_values(serverless, "MaxConcurrency")),
            "sagemaker:VolumeKmsKey": parameters.get("KmsKeyId"),
        }
    else:
        return {}
    return {key: value for key, value in found.items() if value}


def _dictionaries(items: object) -> Iterator[dict[str, Any]]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield item


def _values(items: Iterable[dict[str, Any]], name: str) -> list[str]:
    return [str(item[name]) for item in items if item.get(name) is not None]


def _single(values: list[str]) -> str | list[str]:
    """A key that has one value as long as there is one variant, as policies write it; arrays need ForAnyValue."""
    return values[0] if len(values) == 1 else values
