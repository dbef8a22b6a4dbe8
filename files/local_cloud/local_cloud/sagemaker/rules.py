# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's rules about Models, roles and tags that its service model does not hold.

Pure: each check raises ValidationException or returns. Sources: the reference pages of CreateModel and
ContainerDefinition. Where a public source has AWS's words they are used and named; docs/conformance.md lists the rest.
"""

from __future__ import annotations

from typing import Any

from ..aws.errors import validation

MAX_ENVIRONMENT_BYTES = 32 * 1024
MAX_TAGS = 50


def containers_of(model: dict[str, Any]) -> list[dict[str, Any]]:
    """A Model's containers, the primary one or the pipeline's."""
    primary = model.get("PrimaryContainer")
    return [primary] if primary is not None else list(model.get("Containers") or ())


def artifact_url(container: dict[str, Any]) -> str | None:
    """Where a ContainerDefinition's model artifact is, or None where it has none."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    url: str | None = container.get("ModelDataUrl") or source.get("S3Uri")
    return url


def check_model(parameters: dict[str, Any]) -> None:
    """CreateModel's rules: one way to name containers, what each has, and an environment of 32 KB at most in all."""
    primary, containers = parameters.get("PrimaryContainer"), parameters.get("Containers")
    if (primary is not None) == bool(containers):
        raise validation("You must provide either PrimaryContainer or Containers, and not both.")
    for container in containers_of(parameters):
        _check_container(container)
    _check_hostnames(parameters)
    size = sum(
        len(key.encode()) + len(value.encode())
        for container in containers_of(parameters)
        for key, value in (container.get("Environment") or {}).items()
    )
    if size > MAX_ENVIRONMENT_BYTES:
        raise validation(
            f"The environments of a Model's containers are limited to {MAX_ENVIRONMENT_BYTES} bytes in all; "
            f"these have {size}."
        )
    if not parameters.get("ExecutionRoleArn"):
        raise validation("ExecutionRoleArn is required for a Model that is not made of inference components.")


def _check_container(container: dict[str, Any]) -> None:
    if bool(container.get("Image")) == bool(container.get("ModelPackageName")):
        raise validation("Specify one of either Image and Model Data URL or ModelPackageName in container definition.")
    if container.get("ModelPackageName"):
        raise validation("The local cloud has no model packages: name an Image.")
    data_source = container.get("ModelDataSource")
    if data_source is not None and not data_source.get("S3DataSource"):
        raise validation("A ModelDataSource must have an S3DataSource.")
    if container.get("ModelDataUrl") and data_source:
        raise validation("A container definition must not have both ModelDataUrl and ModelDataSource.")
    if is_multi_model(container):
        if data_source:
            raise validation("ModelDataSource is not supported for multi-model endpoints.")
        if not container.get("ModelDataUrl"):
            raise validation("A container of Mode MultiModel must have a ModelDataUrl.")
    elif container.get("MultiModelConfig"):
        raise validation("MultiModelConfig is only for a container of Mode MultiModel.")
    image_config = container.get("ImageConfig") or {}
    if image_config.get("RepositoryAuthConfig") and image_config["RepositoryAccessMode"] != "Vpc":
        raise validation("RepositoryAuthConfig is only for the RepositoryAccessMode Vpc.")


def _check_hostnames(parameters: dict[str, Any]) -> None:
    """In a pipeline every container has a host name of its own, or none has one; direct invocation needs them."""
    containers = parameters.get("Containers") or []
    names = [container["ContainerHostname"] for container in containers if container.get("ContainerHostname")]
    direct = (parameters.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct"
    if len(containers) > 1 and (names or direct) and len(names) < len(containers):
        raise validation("Every container of an inference pipeline must have a ContainerHostname if any has one.")
    if len(set(names)) < len(names):
        raise validation("The ContainerHostname of every container of an inference pipeline must be unique.")


def is_multi_model(container: dict[str, Any]) -> bool:
    return bool(container.get("Mode") == "MultiModel")


def why_not_run(model: dict[str, Any]) -> str | None:
    """Why the local cloud, unlike AWS, does not run this Model; None where it does."""
    containers = containers_of(model)
    if len(containers) > 1:
        return "inference pipelines (a Model of several Containers)"
    container = containers[0]
    if is_multi_model(container):
        return "multi-model containers (Mode MultiModel)"
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    if source.get("S3DataType") == "S3Prefix" or source.get("CompressionType") == "None":
        return "models that are not one gzip compressed archive (ModelDataSource)"
    if container.get("AdditionalModelDataSources"):
        return "AdditionalModelDataSources"
    return None


def check_tags(tags: dict[str, str]) -> None:
    """At most 50 tags, and none in AWS's own namespace. Source: the reference page of Tag."""
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
    # bentoml/BentoML #892. "Could not assume role" is what CreateTrainingJob says.
    raise validation(
        f'The execution role ARN "{role_arn}" is invalid. Please ensure that the role exists and that its trust '
        'relationship policy allows the action "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com".'
    )


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
