# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there: SageMaker's answers as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .aws_names import from_aws
from .outcome import OWNER_TAG, RETENTION_TAG, ROLLED_BACK_TAG, Outcome, outcome_from_tags, timestamp
from .scaling import ScalableTarget
from .spec import AsyncInference, ConfigSpec, DataCapture, ModelSpec, Variant, VpcConfig, pairs

T = TypeVar("T")

#: States that SageMaker leaves by itself; in all others nothing moves until somebody asks.
TRANSITIONAL = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


#: Update and rollback failed: the old and the new generation serve side by side. It takes an update all the same, which
#: brings it in order (developer guide, rolling deployments).
MIXED = "UpdateRollbackFailed"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint; C(pending_config_name) is set while SageMaker moves it to another EndpointConfig.

    C(desired_counts): instances by variant, as they are asked for now. C(resolved_images): what is really deployed.
    """

    name: str
    arn: str
    status: str
    config_name: str = ""
    pending_config_name: str = ""
    failure_reason: str = ""
    created: str = ""
    modified: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    desired_counts: Mapping[str, int] = field(default_factory=dict)
    resolved_images: frozenset[str] = frozenset()

    @property
    def foreign(self) -> bool:
        """Whether somebody else made it. One on its way out may have lost its tags, and nobody can touch it anyway."""
        return self.status != "Deleting" and self.tags.get(OWNER_TAG) != self.name

    @property
    def moving(self) -> bool:
        return self.status in TRANSITIONAL

    @property
    def retention(self) -> str:
        return self.tags.get(RETENTION_TAG, "")


@dataclass(frozen=True)
class EndpointConfig:
    """An EndpointConfig: one generation of an endpoint. C(tags) is None where nobody needed to read them."""

    name: str
    arn: str
    spec: ConfigSpec = ConfigSpec(())
    created: str = ""
    tags: Mapping[str, str] | None = None

    @property
    def outcome(self) -> Outcome:
        return outcome_from_tags(self.tags or {})

    @property
    def rolled_back(self) -> str:
        """When a rollback left it; empty where none did since it was last proven."""
        left = (self.tags or {}).get(ROLLED_BACK_TAG, "")
        return left if left > self.outcome.at else ""

    @property
    def model_names(self) -> frozenset[str]:
        return self.spec.model_names

    def made_for(self, endpoint_name: str) -> bool:
        return (self.tags or {}).get(OWNER_TAG) == endpoint_name


@dataclass(frozen=True)
class Model:
    """A SageMaker Model."""

    name: str
    arn: str
    spec: ModelSpec | None = None
    created: str = ""


@dataclass(frozen=True)
class Inventory:
    """Everything that is tagged as made for this endpoint, and which of it other endpoints serve.

    C(used_configs) and C(used_models) map a name to the other endpoint that refers to it.
    """

    configs: tuple[EndpointConfig, ...] = ()
    models: tuple[Model, ...] = ()
    used_configs: Mapping[str, str] = field(default_factory=dict)
    used_models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class There:
    """One look at AWS. C(inventory) is None where nothing is to rotate or collect, so that a no-op stays cheap.

    C(scaling): the variants that are registered with Application Auto Scaling.
    """

    endpoint: Endpoint | None = None
    live_config: EndpointConfig | None = None
    live_models: tuple[Model, ...] = ()
    wanted_config: EndpointConfig | None = None
    wanted_models: tuple[Model, ...] = ()
    inventory: Inventory | None = None
    scaling: tuple[ScalableTarget, ...] = ()

    @property
    def live_variants(self) -> dict[str, Variant]:
        """The production variants that are live, by their names; none where the EndpointConfig is gone."""
        variants = self.live_config.spec.variants if self.live_config else ()
        return {variant.variant_name: variant for variant in variants}

    def live_model(self, variant_name: str) -> Model | None:
        """What the live variant of that name serves."""
        variants = self.live_config.spec.all_variants if self.live_config else ()
        name = next((variant.model_name for variant in variants if variant.variant_name == variant_name), None)
        return next((model for model in self.live_models if model.name == name), None)


def endpoint_from_boto(answer: Mapping[str, Any], tags: Mapping[str, str]) -> Endpoint:
    variants = answer.get("ProductionVariants", [])
    return Endpoint(
        name=answer["EndpointName"],
        arn=answer["EndpointArn"],
        status=answer["EndpointStatus"],
        config_name=answer.get("EndpointConfigName", ""),
        pending_config_name=answer.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        failure_reason=answer.get("FailureReason", "").strip(),
        created=timestamp(answer.get("CreationTime")),
        modified=timestamp(answer.get("LastModifiedTime")),
        tags=dict(tags),
        desired_counts={
            each["VariantName"]: each["DesiredInstanceCount"] for each in variants if "DesiredInstanceCount" in each
        },
        resolved_images=frozenset(
            image["ResolvedImage"]
            for each in variants
            for image in each.get("DeployedImages", ())
            if "ResolvedImage" in image
        ),
    )


def config_from_boto(answer: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> EndpointConfig:
    return EndpointConfig(
        name=answer["EndpointConfigName"],
        arn=answer["EndpointConfigArn"],
        spec=ConfigSpec(
            variants=_variants(answer.get("ProductionVariants")),
            shadow_variants=_variants(answer.get("ShadowProductionVariants")),
            data_capture=_if_any(DataCapture, answer.get("DataCaptureConfig")),
            async_inference=_if_any(AsyncInference, answer.get("AsyncInferenceConfig")),
            kms_key_id=answer.get("KmsKeyId") or None,
        ),
        created=timestamp(answer.get("CreationTime")),
        tags=tags,
    )


def _variants(answer: list[dict[str, Any]] | None) -> tuple[Variant, ...]:
    found = (from_aws(Variant, variant) for variant in answer or ())
    return tuple(variant for variant in found if variant is not None)


def _if_any(kind: type[T], answer: Mapping[str, Any] | None) -> T | None:
    return from_aws(kind, answer) if answer else None


def model_from_boto(answer: Mapping[str, Any]) -> Model:
    container = answer.get("PrimaryContainer") or (answer.get("Containers") or [{}])[0]
    return Model(
        name=answer["ModelName"],
        arn=answer["ModelArn"],
        spec=ModelSpec(
            image=container.get("Image", ""),
            execution_role_arn=answer.get("ExecutionRoleArn", ""),
            environment=pairs(container.get("Environment")),
            model_data_url=container.get("ModelDataUrl") or None,
            vpc=_if_any(VpcConfig, answer.get("VpcConfig")),
            enable_network_isolation=answer.get("EnableNetworkIsolation", False),
        ),
        created=timestamp(answer.get("CreationTime")),
    )
