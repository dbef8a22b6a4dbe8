# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint runs: a snapshot of an endpoint configuration and its Models, as they were when it was deployed.

The snapshot is the endpoint's own: deleting the configuration or a Model does not stop what is running. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .rules import is_serverless

SERVERLESS_STARTUP_SECONDS = 180.0
INSTANCE_STARTUP_SECONDS = 480.0


@dataclass(frozen=True)
class Stage:
    """Where a variant is in a deployment: DescribeEndpoint's ProductionVariantStatus.

    since: seconds since 1970. messages: by variant name; `message` is for those that have none of their own.
    """

    status: str
    since: float
    message: str | None = None
    messages: Mapping[str, str] = field(default_factory=dict)

    def to_status(self, variant: str) -> dict[str, Any]:
        """The status of one variant."""
        return {
            "Status": self.status,
            "StatusMessage": self.messages.get(variant, self.message),
            "StartTime": self.since,
        }


@dataclass(frozen=True)
class Variant:
    """A production or shadow variant as deployed.

    config: the ProductionVariant of the endpoint configuration. model: what CreateModel was given.
    resolved_image: the image by digest, once it has been looked up.
    """

    config: dict[str, Any]
    model: dict[str, Any]
    instance_count: int
    weight: float
    resolved_image: str | None = None
    resolution_time: float | None = None

    @property
    def name(self) -> str:
        name: str = self.config["VariantName"]
        return name

    @property
    def serverless(self) -> dict[str, Any] | None:
        return self.config.get("ServerlessConfig") or None

    @property
    def provisioned_concurrency(self) -> int:
        """How many of a serverless variant's containers stay warm."""
        return int((self.serverless or {}).get("ProvisionedConcurrency") or 0)

    @property
    def process_count(self) -> int:
        """How many containers are always there: one for an instance, the provisioned ones of a serverless variant."""
        return self.provisioned_concurrency if self.serverless else self.instance_count

    @property
    def startup_seconds(self) -> float:
        """How long a container may take to its first good /ping."""
        if self.serverless:
            return SERVERLESS_STARTUP_SECONDS
        return float(self.config.get("ContainerStartupHealthCheckTimeoutInSeconds", INSTANCE_STARTUP_SECONDS))


@dataclass(frozen=True)
class Deployment:
    """An endpoint configuration and the variants it describes; shadows get copies of requests."""

    config_name: str
    config: dict[str, Any]
    variants: tuple[Variant, ...]
    shadows: tuple[Variant, ...] = ()

    def with_capacities(
        self,
        counts: Mapping[str, int],
        weights: Mapping[str, float],
        serverless: Mapping[str, dict[str, Any]] | None = None,
    ) -> Deployment:
        """This deployment with other instance counts, weights and whole ServerlessConfigs, by variant name."""

        def changed(variant: Variant) -> Variant:
            config = variant.config
            if serverless and variant.name in serverless:
                config = {**config, "ServerlessConfig": serverless[variant.name]}
            return replace(
                variant,
                config=config,
                instance_count=counts.get(variant.name, variant.instance_count),
                weight=weights.get(variant.name, variant.weight),
            )

        return replace(self, variants=tuple(changed(variant) for variant in self.variants))

    def to_document(self) -> dict[str, Any]:
        """A JSON document of this deployment."""
        return {
            "config_name": self.config_name,
            "config": self.config,
            "variants": [vars(variant) for variant in self.variants],
            "shadows": [vars(variant) for variant in self.shadows],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Deployment:
        """The deployment that `to_document` wrote."""
        variants, shadows = (
            tuple(Variant(**variant) for variant in document.get(member) or ()) for member in ("variants", "shadows")
        )
        return cls(document["config_name"], document["config"], variants, shadows)


def plan_deployment(config: dict[str, Any], models: dict[str, dict[str, Any]]) -> Deployment:
    """The deployment that a configuration asks for. models: what CreateModel was given, by the variant's ModelName."""
    production, shadow = (
        tuple(
            Variant(
                config=variant,
                model=models[variant["ModelName"]],
                instance_count=0 if is_serverless(variant) else variant["InitialInstanceCount"],
                weight=float(variant.get("InitialVariantWeight", 1.0)),
            )
            for variant in config.get(member) or ()
        )
        for member in ("ProductionVariants", "ShadowProductionVariants")
    )
    return Deployment(config["EndpointConfigName"], config, production, shadow)


def retain_variant_properties(wanted: Deployment, live: Deployment, excluded: frozenset[str]) -> Deployment:
    """UpdateEndpoint's RetainAllVariantProperties: what scaling and weighting set at run time stays.

    excluded: ExcludeRetainedVariantProperties' types. Variants are matched by name; new ones keep what they ask for.
    """
    by_name = {variant.name: variant for variant in live.variants}
    variants = []
    for variant in wanted.variants:
        if before := by_name.get(variant.name):
            if "DesiredInstanceCount" not in excluded and not variant.serverless and not before.serverless:
                variant = replace(variant, instance_count=before.instance_count)
            if "DesiredWeight" not in excluded:
                variant = replace(variant, weight=before.weight)
        variants.append(variant)
    config = wanted.config
    if "DataCaptureConfig" not in excluded:
        # As it is on the endpoint: where there is none, the new configuration's does not come in either.
        config = {name: value for name, value in config.items() if name != "DataCaptureConfig"}
        if live.config.get("DataCaptureConfig"):
            config["DataCaptureConfig"] = live.config["DataCaptureConfig"]
    return replace(wanted, config=config, variants=tuple(variants))


def config_members(deployment: Deployment) -> dict[str, Any]:
    """What DescribeEndpoint repeats of the endpoint configuration."""
    config = deployment.config
    capture = config.get("DataCaptureConfig")
    return {
        "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
        "ExplainerConfig": config.get("ExplainerConfig"),
        "DataCaptureConfig": capture
        and {
            "EnableCapture": capture.get("EnableCapture", False),
            "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        },
    }


def variant_summaries(
    variants: Sequence[Variant], running: Mapping[str, int], stage: Stage | None = None
) -> list[dict[str, Any]]:
    """DescribeEndpoint's ProductionVariants, its ShadowProductionVariants, or those of its pending deployment.

    running: containers that serve, by variant. stage: reported as VariantStatus.
    """
    summaries = []
    for variant in variants:
        summary: dict[str, Any] = {
            "VariantName": variant.name,
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
            "RoutingConfig": variant.config.get("RoutingConfig"),
            "ManagedInstanceScaling": variant.config.get("ManagedInstanceScaling"),
        }
        if variant.resolved_image:
            image = (variant.model.get("PrimaryContainer") or variant.model["Containers"][0])["Image"]
            summary["DeployedImages"] = [
                {
                    "SpecifiedImage": image,
                    "ResolvedImage": variant.resolved_image,
                    "ResolutionTime": variant.resolution_time,
                }
            ]
        if variant.serverless:
            summary["CurrentServerlessConfig"] = summary["DesiredServerlessConfig"] = variant.serverless
            summary["CurrentInstanceCount"] = summary["DesiredInstanceCount"] = 0
        else:
            summary["CurrentInstanceCount"] = min(running.get(variant.name, 0), variant.instance_count)
            summary["DesiredInstanceCount"] = variant.instance_count
        if stage:
            summary["VariantStatus"] = [stage.to_status(variant.name)]
        summaries.append(summary)
    return summaries
