# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateEndpointConfig's rules that SageMaker's service model does not hold.

Pure: each check raises ValidationException or returns. Sources: the reference pages of CreateEndpointConfig,
ProductionVariant and ProductionVariantServerlessConfig, and the developer guide's lists of what serverless inference
and shadow tests exclude. Where a public source has AWS's words they are used and named.
"""

from __future__ import annotations

from typing import Any

from ..aws.errors import AwsError, validation
from .rules import containers_of, is_multi_model, is_serverless

SERVERLESS_MEMORY_STEP_MB = 1024

_NOT_WITH_SERVERLESS_CONFIG = (
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "VpcConfig",
)
_NOT_IN_SERVERLESS_VARIANT = (
    "InstanceType",
    "InitialInstanceCount",
    "InstancePools",
    "AcceleratorType",
    "VolumeSizeInGB",
    "CoreDumpConfig",
    "EnableSSMAccess",
    "RoutingConfig",
    "InferenceAmiVersion",
    "CapacityReservationConfig",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "VariantInstanceProvisionTimeoutInSeconds",
)


def all_variants(config: dict[str, Any]) -> list[dict[str, Any]]:
    """A configuration's production and shadow variants."""
    return [*config["ProductionVariants"], *(config.get("ShadowProductionVariants") or ())]


def check_endpoint_config(parameters: dict[str, Any]) -> None:
    """The rules about a configuration as a whole, and about each of its variants."""
    production, variants = parameters["ProductionVariants"], all_variants(parameters)
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) < len(names):
        raise validation("The names of the production variants must be unique within an endpoint configuration.")
    for variant in variants:
        check_variant(variant)
    if parameters.get("EnableNetworkIsolation"):
        # hashicorp/terraform-provider-aws #48738
        raise validation("EnableNetworkIsolation is only supported for inference component endpoints.")
    if any(is_serverless(variant) for variant in variants):
        if len(production) > 1:
            raise validation("A serverless endpoint configuration must have exactly one production variant.")
        for member in _NOT_WITH_SERVERLESS_CONFIG:
            if parameters.get(member):
                raise _not_serverless(member)
    if parameters.get("ShadowProductionVariants"):
        _check_shadow(parameters)
    if parameters.get("AsyncInferenceConfig"):
        _check_async(parameters)


def _check_shadow(parameters: dict[str, Any]) -> None:
    if len(parameters["ProductionVariants"]) != 1 or len(parameters["ShadowProductionVariants"]) != 1:
        raise validation(
            "With ShadowProductionVariants, an endpoint configuration must have one production variant and one shadow "
            "variant."
        )
    if parameters.get("AsyncInferenceConfig"):
        raise validation("ShadowProductionVariants are not supported for asynchronous inference.")


def _check_async(parameters: dict[str, Any]) -> None:
    if len(parameters["ProductionVariants"]) > 1:
        raise validation("An endpoint configuration for asynchronous inference must have one production variant.")


def check_variant(variant: dict[str, Any]) -> None:
    """One variant: serverless or instances, complete, and within what its kind can have."""
    name = variant["VariantName"]
    if variant.get("ManagedInstanceScaling"):
        # hashicorp/terraform-provider-aws #45926
        raise validation("ManagedInstanceScaling is only supported for inference component endpoints.")
    if not variant.get("ModelName"):
        raise validation(
            f"The production variant {name} must have a ModelName: the local cloud has no inference components."
        )
    if is_serverless(variant):
        _check_serverless_variant(variant)
    else:
        _check_instance_variant(variant)


def _check_instance_variant(variant: dict[str, Any]) -> None:
    name, pools = variant["VariantName"], variant.get("InstancePools")
    if not pools and not variant.get("InstanceType"):
        raise validation(f"The production variant {name} must have either ServerlessConfig or InstanceType.")
    if not variant.get("InitialInstanceCount"):
        raise validation(f"The production variant {name} must have either ServerlessConfig or InitialInstanceCount.")
    if variant.get("AcceleratorType"):
        raise validation(f"The AcceleratorType of the production variant {name} is no longer supported.")
    if pools:
        if variant.get("InstanceType"):
            raise validation(f"The production variant {name} must not have both InstanceType and InstancePools.")
        priorities = [pool["Priority"] for pool in pools]
        if len(set(priorities)) < len(priorities):
            raise validation(f"The priorities of the InstancePools of the production variant {name} must be unique.")
    routing = variant.get("RoutingConfig") or {}
    if routing.get("PrefixAwareRoutingConfig") and routing["RoutingStrategy"] != "PREFIX_AWARE":
        raise validation("PrefixAwareRoutingConfig is only for the RoutingStrategy PREFIX_AWARE.")


def _check_serverless_variant(variant: dict[str, Any]) -> None:
    name, serverless = variant["VariantName"], variant["ServerlessConfig"]
    for member in _NOT_IN_SERVERLESS_VARIANT:
        if variant.get(member):
            raise validation(f"The production variant {name} must not have both ServerlessConfig and {member}.")
    if serverless["MemorySizeInMB"] % SERVERLESS_MEMORY_STEP_MB:
        raise validation(
            f"The MemorySizeInMB of the production variant {name} must be one of 1024, 2048, 3072, 4096, 5120, 6144; "
            f"it is {serverless['MemorySizeInMB']}."
        )
    check_concurrency(name, serverless)


def check_concurrency(variant_name: str, serverless: dict[str, Any]) -> None:
    """ProvisionedConcurrency is at most MaxConcurrency. serverless: a ServerlessConfig."""
    if (serverless.get("ProvisionedConcurrency") or 0) > serverless["MaxConcurrency"]:
        raise validation(
            f"The ProvisionedConcurrency of the production variant {variant_name} must not be greater than its "
            "MaxConcurrency."
        )


def check_variant_model(variant: dict[str, Any], model: dict[str, Any]) -> None:
    """What a Model must not have to be served as this variant says."""
    if not is_serverless(variant):
        return
    containers = containers_of(model)
    if model.get("EnableNetworkIsolation"):
        # Quoted by users of the console: "Network isolation is not supported for Serverless Inference".
        raise validation("Network isolation is not supported for Serverless Inference.")
    for excluded, noun in (
        (bool(model.get("VpcConfig")), "VpcConfig"),
        (len(containers) > 1, "An inference pipeline"),
        (any(is_multi_model(container) for container in containers), "A multi-model container"),
        (any(container.get("ModelDataSource") for container in containers), "ModelDataSource"),
        (any(_from_private_registry(container) for container in containers), "A private Docker registry"),
    ):
        if excluded:
            raise _not_serverless(noun)


def _from_private_registry(container: dict[str, Any]) -> bool:
    return bool((container.get("ImageConfig") or {}).get("RepositoryAccessMode") == "Vpc")


def _not_serverless(what: str) -> AwsError:
    return validation(f"{what} is not supported for Serverless Inference.")
