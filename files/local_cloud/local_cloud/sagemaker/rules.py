# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's rules that its service model does not hold. Pure: each check raises ValidationException or returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..aws.errors import validation

MAX_ENVIRONMENT_BYTES = 32 * 1024
SERVERLESS_MEMORY_STEP_MB = 1024
MAX_TAGS = 50


def containers_of(model: dict[str, Any]) -> list[dict[str, Any]]:
    """A Model's containers, the primary one or the pipeline's."""
    primary = model.get("PrimaryContainer")
    return [primary] if primary is not None else list(model.get("Containers") or ())


def check_model(parameters: dict[str, Any]) -> None:
    """CreateModel's own rules: one way to name containers, an image in each, and an environment of 32 KB at most."""
    primary, containers = parameters.get("PrimaryContainer"), parameters.get("Containers")
    if (primary is not None) == bool(containers):
        raise validation("You must provide either PrimaryContainer or Containers, and not both.")
    if len(containers or ()) > 1:
        raise validation("The local cloud serves Models of one container; inference pipelines are not built.")
    for container in containers_of(parameters):
        if not container.get("Image"):
            raise validation("The container definition must have an Image.")
        environment = container.get("Environment") or {}
        size = sum(len(key.encode()) + len(value.encode()) for key, value in environment.items())
        if size > MAX_ENVIRONMENT_BYTES:
            raise validation(
                f"A container's environment is limited to {MAX_ENVIRONMENT_BYTES} bytes in all; this one has {size}."
            )
    if not parameters.get("ExecutionRoleArn"):
        raise validation("ExecutionRoleArn is required for a Model that is not made of inference components.")


def check_endpoint_config(parameters: dict[str, Any]) -> None:
    """CreateEndpointConfig's own rules about variants."""
    variants = parameters["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise validation("The names of the production variants must be unique within an endpoint configuration.")
    for variant in variants:
        check_variant(variant)
    if any(is_serverless(variant) for variant in variants):
        if len(variants) > 1:
            raise validation("A serverless endpoint configuration must have exactly one production variant.")
        for member in ("DataCaptureConfig", "AsyncInferenceConfig", "VpcConfig"):
            if parameters.get(member):
                raise validation(f"{member} is not supported for serverless endpoints.")


def check_variant(variant: dict[str, Any]) -> None:
    """One production variant: serverless or instances, complete, and within serverless's limits."""
    name = variant["VariantName"]
    if not variant.get("ModelName"):
        raise validation(f"The production variant {name} must have a ModelName.")
    if not is_serverless(variant):
        for member in ("InstanceType", "InitialInstanceCount"):
            if not variant.get(member):
                raise validation(f"The production variant {name} must have either ServerlessConfig or {member}.")
        return
    for member in ("InstanceType", "InitialInstanceCount", "AcceleratorType", "VolumeSizeInGB"):
        if variant.get(member):
            raise validation(f"The production variant {name} must not have both ServerlessConfig and {member}.")
    serverless = variant["ServerlessConfig"]
    if serverless["MemorySizeInMB"] % SERVERLESS_MEMORY_STEP_MB:
        raise validation(
            f"The MemorySizeInMB of the production variant {name} must be one of 1024, 2048, 3072, 4096, 5120, 6144; "
            f"it is {serverless['MemorySizeInMB']}."
        )
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise validation(
            f"The ProvisionedConcurrency of the production variant {name} must not be greater than its MaxConcurrency."
        )


def check_serverless_model(variant: dict[str, Any], model: dict[str, Any]) -> None:
    """What a Model must not have to be served without instances."""
    if not is_serverless(variant):
        return
    if model.get("VpcConfig"):
        raise validation("VpcConfig is not supported for serverless endpoints.")
    if model.get("EnableNetworkIsolation"):
        raise validation("Network isolation is not supported for serverless endpoints.")


def check_same_kind(live: Iterable[dict[str, Any]], wanted: Iterable[dict[str, Any]]) -> None:
    """UpdateEndpoint cannot turn an instance based endpoint into a serverless one, nor back."""
    if {is_serverless(variant) for variant in live} != {is_serverless(variant) for variant in wanted}:
        raise validation(
            "Updating an endpoint from instance based to serverless, or from serverless to instance based, is not "
            "supported. Delete the endpoint and create it again."
        )


def check_tags(tags: dict[str, str]) -> None:
    """At most 50 tags, and none in AWS's own namespace."""
    if len(tags) > MAX_TAGS:
        raise validation(f"A resource can have at most {MAX_TAGS} tags.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise validation(f"The tag key {key} is invalid: keys that start with aws: are reserved.")


def is_serverless(variant: dict[str, Any]) -> bool:
    return bool(variant.get("ServerlessConfig"))


def check_trust(policy: dict[str, Any] | None, role_arn: str) -> None:
    """The execution role exists and lets SageMaker assume it. policy: the role's trust policy, None for no role."""
    for statement in _as_list((policy or {}).get("Statement")):
        principal = statement.get("Principal")
        services = _as_list(principal.get("Service")) if isinstance(principal, dict) else [principal]
        actions = _as_list(statement.get("Action"))
        if (
            statement.get("Effect") == "Allow"
            and {"sts:AssumeRole", "sts:*", "*"}.intersection(actions)
            and {"sagemaker.amazonaws.com", "*"}.intersection(services)
        ):
            return
    raise validation(
        f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
        "'sagemaker.amazonaws.com' to assume the role."
    )


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
