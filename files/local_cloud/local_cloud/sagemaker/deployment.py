# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint runs: a snapshot of an endpoint configuration and its Models, as they were when it was deployed.

The snapshot is the endpoint's own: deleting the configuration or a Model does not stop what is running. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .rules import is_serverless

SERVERLESS_STARTUP_SECONDS = 180.0
INSTANCE_STARTUP_SECONDS = 480.0


@dataclass(frozen=True)
class Variant:
    """A production variant as deployed.

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
    def process_count(self) -> int:
        """How many containers serve it: one an instance, and one for a serverless variant."""
        return 1 if self.serverless else self.instance_count

    @property
    def startup_seconds(self) -> float:
        """How long a container may take to its first good /ping."""
        if self.serverless:
            return SERVERLESS_STARTUP_SECONDS
        return float(self.config.get("ContainerStartupHealthCheckTimeoutInSeconds", INSTANCE_STARTUP_SECONDS))


@dataclass(frozen=True)
class Deployment:
    """An endpoint configuration and the variants it describes."""

    config_name: str
    config: dict[str, Any]
    variants: tuple[Variant, ...]

    def with_capacities(self, counts: Mapping[str, int], weights: Mapping[str, float]) -> Deployment:
        """This deployment with other instance counts and weights, by variant name."""
        variants = (
            replace(
                variant,
                instance_count=counts.get(variant.name, variant.instance_count),
                weight=weights.get(variant.name, variant.weight),
            )
            for variant in self.variants
        )
        return replace(self, variants=tuple(variants))

    def to_document(self) -> dict[str, Any]:
        """A JSON document of this deployment."""
        return {
            "config_name": self.config_name,
            "config": self.config,
            "variants": [vars(variant) for variant in self.variants],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Deployment:
        """The deployment that `to_document` wrote."""
        variants = tuple(Variant(**variant) for variant in document["variants"])
        return cls(document["config_name"], document["config"], variants)


def plan_deployment(config: dict[str, Any], models: dict[str, dict[str, Any]]) -> Deployment:
    """The deployment that a configuration asks for. models: what CreateModel was given, by the variant's ModelName."""
    return Deployment(
        config["EndpointConfigName"],
        config,
        tuple(
            Variant(
                config=variant,
                model=models[variant["ModelName"]],
                instance_count=0 if is_serverless(variant) else variant["InitialInstanceCount"],
                weight=float(variant.get("InitialVariantWeight", 1.0)),
            )
            for variant in config["ProductionVariants"]
        ),
    )


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
    if "DataCaptureConfig" not in excluded and live.config.get("DataCaptureConfig"):
        config = {**config, "DataCaptureConfig": live.config["DataCaptureConfig"]}
    return Deployment(wanted.config_name, config, tuple(variants))


def variant_summaries(
    deployment: Deployment, running: dict[str, int], status: str | None = None, since: float | None = None
) -> list[dict[str, Any]]:
    """DescribeEndpoint's ProductionVariants.

    running: healthy containers by variant. status: a VariantStatus to report with `since` (seconds since 1970).
    """
    summaries = []
    for variant in deployment.variants:
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
        if status:
            summary["VariantStatus"] = [{"Status": status, "StartTime": since}]
        summaries.append(summary)
    return summaries
