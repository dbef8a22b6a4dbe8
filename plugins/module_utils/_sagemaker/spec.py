# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted: the module's options as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from .aws_names import aws, document, from_options
from .guardrails import Deployment, deployment_from_options
from .naming import normalised_image, resource_name
from .scaling import Autoscaling, autoscaling_from_options

Pairs = tuple[tuple[str, str], ...]


def pairs(mapping: Mapping[str, Any] | None) -> Pairs:
    """Return a mapping as sorted pairs of text. Keys and text values pass byte for byte; whole numbers become text."""
    return tuple(sorted((str(key), str(value)) for key, value in (mapping or {}).items()))


@dataclass(frozen=True)
class ServerlessConfig:
    """Sizes of a serverless variant; memory in MB."""

    memory_size_mb: int = aws("MemorySizeInMB", "memory", unit=" MB")
    max_concurrency: int = aws("MaxConcurrency", "max concurrency")
    provisioned_concurrency: int | None = aws("ProvisionedConcurrency", "provisioned concurrency", default=None)


@dataclass(frozen=True)
class ManagedInstanceScaling:
    """Lets SageMaker itself choose the number of instances between two bounds."""

    AWS_CONSTANTS: ClassVar[dict[str, str]] = {"Status": "ENABLED"}

    min_instance_count: int | None = aws("MinInstanceCount", "least instances", default=None)
    max_instance_count: int | None = aws("MaxInstanceCount", "most instances", default=None)


@dataclass(frozen=True)
class InstanceConfig:
    """What an instance based variant runs on; times in seconds, the volume in GB."""

    instance_type: str = aws("InstanceType", "instance type")
    initial_instance_count: int = aws("InitialInstanceCount", "instance count", default=1)
    volume_size_in_gb: int | None = aws("VolumeSizeInGB", "volume", unit=" GB", default=None)
    model_data_download_timeout_in_seconds: int | None = aws(
        "ModelDataDownloadTimeoutInSeconds", "download timeout", unit=" s", default=None
    )
    container_startup_health_check_timeout_in_seconds: int | None = aws(
        "ContainerStartupHealthCheckTimeoutInSeconds", "startup timeout", unit=" s", default=None
    )
    inference_ami_version: str | None = aws("InferenceAmiVersion", "AMI version", default=None)
    enable_ssm_access: bool | None = aws("EnableSSMAccess", "SSM access", default=None)
    routing_strategy: str | None = aws("RoutingConfig.RoutingStrategy", "routing", default=None)
    managed_instance_scaling: ManagedInstanceScaling | None = aws(
        "ManagedInstanceScaling", "managed instance scaling", of=ManagedInstanceScaling, default=None
    )


@dataclass(frozen=True)
class VpcConfig:
    """Where the containers' network interfaces are."""

    security_group_ids: tuple[str, ...] = aws("SecurityGroupIds", "security groups")
    subnets: tuple[str, ...] = aws("Subnets", "subnets")


@dataclass(frozen=True)
class ModelSpec:
    """What a SageMaker Model holds.

    C(model_data_etag) identifies the content behind C(model_data_url), which may be replaced under the same URL.
    """

    image: str
    execution_role_arn: str
    environment: Pairs = ()
    model_data_url: str | None = None
    model_data_etag: str | None = None
    vpc: VpcConfig | None = None
    enable_network_isolation: bool = False

    @property
    def image_known(self) -> bool:
        """False for a reference by tag: the image, and with it every name, is known only after the build."""
        return "@sha256:" in self.image

    def document(self) -> dict[str, Any]:
        data = {"url": self.model_data_url, "etag": self.model_data_etag} if self.model_data_url else None
        return {
            "image": normalised_image(self.image),
            "execution_role_arn": self.execution_role_arn,
            "environment": dict(self.environment),
            "model_data": data,
            **({"vpc": document(self.vpc)} if self.vpc else {}),
            **({"enable_network_isolation": True} if self.enable_network_isolation else {}),
        }


@dataclass(frozen=True)
class Variant:
    """One variant; exactly one of C(serverless) and C(instance) is set.

    C(model) is what it serves, None where only the Model's name is known.
    """

    variant_name: str = aws("VariantName")
    model_name: str = aws("ModelName", default="")
    initial_variant_weight: float = aws("InitialVariantWeight", "weight", default=1.0)
    serverless: ServerlessConfig | None = aws("ServerlessConfig", of=ServerlessConfig, default=None)
    instance: InstanceConfig | None = aws("", of=InstanceConfig, default=None)
    model: ModelSpec | None = None
    autoscaling: Autoscaling | None = None

    @property
    def kind(self) -> str:
        return "serverless" if self.serverless else "instance based"

    def document(self) -> dict[str, Any]:
        """The variant as plain data without unset values, for names, results and diffs."""
        return document(self)


@dataclass(frozen=True)
class DataCapture:
    """Which part of the traffic is written to S3."""

    AWS_CONSTANTS: ClassVar[dict[str, bool]] = {"EnableCapture": True}

    destination_s3_uri: str = aws("DestinationS3Uri", "capture destination")
    initial_sampling_percentage: int = aws("InitialSamplingPercentage", "captured", unit=" %", default=100)
    capture_modes: tuple[str, ...] = aws("CaptureOptions", "capture", item="CaptureMode", default=("Input", "Output"))
    kms_key_id: str | None = aws("KmsKeyId", "capture key", default=None)
    csv_content_types: tuple[str, ...] = aws("CaptureContentTypeHeader.CsvContentTypes", "captured as CSV", default=())
    json_content_types: tuple[str, ...] = aws(
        "CaptureContentTypeHeader.JsonContentTypes", "captured as JSON", default=()
    )


@dataclass(frozen=True)
class AsyncInference:
    """Makes the endpoint take requests from S3 and leave its answers there."""

    s3_output_path: str = aws("OutputConfig.S3OutputPath", "output path")
    s3_failure_path: str | None = aws("OutputConfig.S3FailurePath", "failure path", default=None)
    kms_key_id: str | None = aws("OutputConfig.KmsKeyId", "output key", default=None)
    success_topic: str | None = aws("OutputConfig.NotificationConfig.SuccessTopic", "success topic", default=None)
    error_topic: str | None = aws("OutputConfig.NotificationConfig.ErrorTopic", "error topic", default=None)
    max_concurrent_invocations_per_instance: int | None = aws(
        "ClientConfig.MaxConcurrentInvocationsPerInstance", "invocations per instance", default=None
    )


@dataclass(frozen=True)
class ConfigSpec:
    """All that an EndpointConfig holds."""

    variants: tuple[Variant, ...]
    shadow_variants: tuple[Variant, ...] = ()
    data_capture: DataCapture | None = aws("DataCaptureConfig", "data capture", of=DataCapture, default=None)
    async_inference: AsyncInference | None = aws(
        "AsyncInferenceConfig", "asynchronous inference", of=AsyncInference, default=None
    )
    kms_key_id: str | None = aws("KmsKeyId", "volume key", default=None)

    @property
    def all_variants(self) -> tuple[Variant, ...]:
        return (*self.variants, *self.shadow_variants)

    @property
    def model_names(self) -> frozenset[str]:
        return frozenset(variant.model_name for variant in self.all_variants if variant.model_name)

    def document(self) -> dict[str, Any]:
        """The EndpointConfig as plain data without unset values, for names, results and diffs."""
        shadows = [variant.document() for variant in self.shadow_variants]
        return {
            "variants": [variant.document() for variant in self.variants],
            **({"shadow_variants": shadows} if shadows else {}),
            **document(self),
        }


@dataclass(frozen=True)
class Wanted:
    """One endpoint as the task wants it.

    C(moved_from): what was live when an earlier pass of this run submitted what is wanted, empty where there was no
    endpoint; None where none has submitted it.
    """

    name: str
    config: ConfigSpec
    deployment: Deployment = Deployment()
    tags: Pairs = ()
    purge_tags: bool = False
    keep_generations: int = 2
    replace: bool = False
    adopt: bool = False
    retry_failed: bool = False
    moved_from: str | None = None

    @property
    def known(self) -> bool:
        """Whether names can be told already; false only in check mode, before the image is built."""
        return all(model.image_known for model in self.models)

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """Every model that is served, once each, in the variants' order."""
        return tuple(dict.fromkeys(variant.model for variant in self.config.all_variants if variant.model))

    def model_name(self, model: ModelSpec) -> str:
        """The Model's name, which is empty while the image is unknown."""
        return resource_name(self.name, "MODEL", {"model": model.document()}) if self.known else ""

    @property
    def model_names(self) -> tuple[str, ...]:
        return tuple(self.model_name(model) for model in self.models)

    @property
    def named_config(self) -> ConfigSpec:
        """The EndpointConfig, each variant with the name of the Model it is to serve."""
        return replace(
            self.config,
            variants=self._named(self.config.variants),
            shadow_variants=self._named(self.config.shadow_variants),
        )

    @property
    def config_name(self) -> str:
        """The EndpointConfig's name, which is empty while an image is unknown."""
        return resource_name(self.name, "CONFIG", self.named_config.document()) if self.known else ""

    def _named(self, variants: Sequence[Variant]) -> tuple[Variant, ...]:
        return tuple(
            replace(variant, model_name=self.model_name(variant.model) if variant.model else variant.model_name)
            for variant in variants
        )


def wanted_from_options(options: Mapping[str, Any], etags: Mapping[str, str] | None = None) -> Wanted:
    """Return the module's (validated) options as a C(Wanted). C(etags): the ETag behind each model_data_url."""
    common = options["model"]
    config = ConfigSpec(
        variants=_variants(options["production_variants"], common, etags or {}),
        shadow_variants=_variants(options.get("shadow_production_variants") or (), common, etags or {}),
        data_capture=from_options(DataCapture, options["data_capture"]) if options.get("data_capture") else None,
        async_inference=from_options(AsyncInference, options["async_inference"])
        if options.get("async_inference")
        else None,
        kms_key_id=options.get("kms_key_id") or None,
    )
    return Wanted(
        name=options["name"],
        config=config,
        deployment=deployment_from_options(options.get("deployment")),
        tags=pairs(options.get("tags")),
        purge_tags=options.get("purge_tags", False),
        keep_generations=options.get("keep_generations", 2),
        replace=options.get("replace", False),
        adopt=options.get("adopt", False),
        retry_failed=options.get("retry_failed", False),
    )


def model_of(options: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a variant serves: the model of all variants, with what the variant gives of its own."""
    own = options.get("model") or {}
    return {**common, **{key: value for key, value in own.items() if value is not None}}


def _variants(
    options: Sequence[Mapping[str, Any]], common: Mapping[str, Any], etags: Mapping[str, str]
) -> tuple[Variant, ...]:
    return tuple(
        replace(
            from_options(Variant, option),
            model=_model(model_of(option, common), etags),
            autoscaling=autoscaling_from_options(option.get("autoscaling")),
        )
        for option in options
    )


def _model(options: Mapping[str, Any], etags: Mapping[str, str]) -> ModelSpec:
    url = options.get("model_data_url") or None
    return ModelSpec(
        image=options["image"],
        execution_role_arn=options["execution_role_arn"],
        environment=pairs(options.get("environment")),
        model_data_url=url,
        model_data_etag=etags.get(url) if url else None,
        vpc=from_options(VpcConfig, options["vpc"]) if options.get("vpc") else None,
        enable_network_isolation=bool(options.get("enable_network_isolation")),
    )
