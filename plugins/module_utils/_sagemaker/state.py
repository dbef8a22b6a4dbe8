# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there: SageMaker's answers as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .outcome import OWNER_TAG, RETENTION_TAG, Outcome, outcome_from_tags, timestamp
from .spec import InstanceConfig, ModelSpec, ServerlessConfig, Variant, pairs

#: States that SageMaker leaves by itself; in all others nothing moves until somebody asks.
TRANSITIONAL = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


@dataclass(frozen=True)
class Endpoint:
    """An endpoint; C(pending_config_name) is set while SageMaker moves it to another EndpointConfig."""

    name: str
    arn: str
    status: str
    config_name: str = ""
    pending_config_name: str = ""
    failure_reason: str = ""
    created: str = ""
    modified: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

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
    variants: tuple[Variant, ...] = ()
    created: str = ""
    tags: Mapping[str, str] | None = None

    @property
    def outcome(self) -> Outcome:
        return outcome_from_tags(self.tags or {})

    @property
    def model_names(self) -> frozenset[str]:
        return frozenset(variant.model_name for variant in self.variants)

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

    C(scalable_variants) names the variants whose count Application Auto Scaling owns.
    """

    endpoint: Endpoint | None = None
    live_config: EndpointConfig | None = None
    live_model: Model | None = None
    wanted_config: EndpointConfig | None = None
    wanted_model: Model | None = None
    inventory: Inventory | None = None
    scalable_variants: frozenset[str] = frozenset()


def endpoint_from_boto(answer: Mapping[str, Any], tags: Mapping[str, str]) -> Endpoint:
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
    )


def config_from_boto(answer: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> EndpointConfig:
    return EndpointConfig(
        name=answer["EndpointConfigName"],
        arn=answer["EndpointConfigArn"],
        variants=tuple(_variant_from_boto(variant) for variant in answer.get("ProductionVariants", [])),
        created=timestamp(answer.get("CreationTime")),
        tags=tags,
    )


def _variant_from_boto(answer: Mapping[str, Any]) -> Variant:
    serverless = answer.get("ServerlessConfig")
    return Variant(
        variant_name=answer["VariantName"],
        model_name=answer.get("ModelName", ""),
        serverless=ServerlessConfig(
            memory_size_mb=serverless["MemorySizeInMB"],
            max_concurrency=serverless["MaxConcurrency"],
            provisioned_concurrency=serverless.get("ProvisionedConcurrency"),
        )
        if serverless
        else None,
        instance=None
        if serverless
        else InstanceConfig(
            instance_type=answer.get("InstanceType", ""),
            initial_instance_count=answer.get("InitialInstanceCount", 0),
        ),
    )


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
        ),
        created=timestamp(answer.get("CreationTime")),
    )
