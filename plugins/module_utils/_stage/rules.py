# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS would refuse about a stage's settings, said before AWS is asked.

Each rule takes the settings (key -> value of the documented type; a key may be missing) and yields findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import validate, validate_endpoint
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import serving_rules
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.finding import Finding, Settings

# An S3 bucket name has at most 63 characters, and ours is <project>-<stage>-<12-digit account>-<region>;
# the longest region names have 14 characters.
PREFIX_MAX = 63 - 1 - 12 - 1 - 14

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ACCOUNT = re.compile(r"\d{12}")
_POLICY_ARN = re.compile(r"arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def name_problem(what: str, name: str) -> str:
    """What is wrong with a project's or a stage's name; empty where nothing is.

    SageMaker takes no underscore, ECR and S3 take no capitals, so what is left is what all of them take.
    """
    if _NAME.fullmatch(name):
        return ""
    return f"{what} may hold lower-case letters, digits and single hyphens between them, and nothing else."


def names(settings: Settings) -> Iterator[Finding]:
    """Project and stage give every name on AWS."""
    project, stage = settings.get("stage_project"), settings.get("stage_name")
    well_formed = True
    for key, what, value in (("stage_project", "a project's name", project), ("stage_name", "a stage's name", stage)):
        if value is None:
            continue
        problem = name_problem(what, value)
        if problem:
            well_formed = False
            if key == "stage_name":
                problem += " It is the name of the stage's directory in inventories."
            yield Finding(key, value, problem)
    if well_formed and project and stage and len(f"{project}-{stage}") > PREFIX_MAX:
        yield Finding(
            "stage_name",
            stage,
            f"'{project}-{stage}' has {len(project) + 1 + len(stage)} characters; with account and region in a "
            f"bucket's name AWS leaves room for {PREFIX_MAX}. Shorten stage_project or the inventory directory's name.",
        )


def account_and_region(settings: Settings) -> Iterator[Finding]:
    """An account has 12 digits; a region looks like eu-central-1."""
    account, region = settings.get("stage_account_id"), settings.get("stage_region")
    if account and not _ACCOUNT.fullmatch(account):
        yield Finding("stage_account_id", account, "an AWS account is 12 digits in quotes, or empty for any account.")
    if region is not None and not _REGION.fullmatch(region):
        yield Finding("stage_region", region, "a region is written like us-east-1 or eu-central-1.")


def permissions_boundary(settings: Settings) -> Iterator[Finding]:
    """A permissions boundary is a policy, named by its ARN."""
    boundary = settings.get("stage_permissions_boundary")
    if boundary and not _POLICY_ARN.fullmatch(boundary):
        yield Finding(
            "stage_permissions_boundary",
            boundary,
            "a policy's ARN looks like arn:aws:iam::123456789012:policy/name; empty for no boundary.",
        )


def tags(settings: Settings) -> Iterator[Finding]:
    """What SageMaker takes as tags, which is the strictest of the services; two keys are this project's own."""
    wanted = settings.get("stage_extra_tags") or {}
    yield from _said("stage_extra_tags", validate.tags(wanted, "stage_extra_tags"))
    for key in ("modelhost:project", "modelhost:stage"):
        if key in wanted:
            yield Finding("stage_extra_tags", key, "this key is the project's own; choose another.")


def model_source(settings: Settings) -> Iterator[Finding]:
    """A model comes from S3, from the hub, or is the bundled one: never from two places."""
    s3_path, hub_id = settings.get("model_serving_model_s3_path"), settings.get("model_serving_model_id")
    if s3_path and hub_id:
        yield Finding(
            "model_serving_model_s3_path",
            s3_path,
            f"model_serving_model_id is set too ({hub_id!r}). Set one of the two, or neither.",
        )
    yield from _said("model_serving_model_s3_path", validate.model_data_url(s3_path, "model_serving_model_s3_path"))
    if hub_id and not _HUB_ID.fullmatch(hub_id):
        yield Finding(
            "model_serving_model_id", hub_id, "a model on the hub is named like distilbert/distilbert-base-uncased."
        )


def instance(settings: Settings) -> Iterator[Finding]:
    """An instance endpoint needs a type of the ml family and at least one instance."""
    kind = settings.get("model_serving_instance_type")
    if settings.get("model_serving_endpoint_type") == "instance" and not kind:
        yield Finding(
            "model_serving_instance_type",
            kind,
            "model_serving_endpoint_type is instance, so an instance type is needed, like ml.m5.large.",
        )
    if kind:
        sentences = validate.instance({"instance_type": kind}, "model_serving_instance_type")
        yield from (Finding("model_serving_instance_type", None, sentence.split(": ", 1)[1]) for sentence in sentences)
    yield from _in_range(settings, "model_serving_instance_count", 1, 10_000)


#: What a sentence of the endpoint's validator is about, and the setting that says it; the first that fits counts.
_SETTING_OF = (
    ("production_variants[0].autoscaling", "model_serving_autoscaling"),
    ("production_variants[0].instance", "model_serving_instance_options"),
    ("production_variants[0].serverless.max_concurrency", "model_serving_serverless_max_concurrency"),
    ("production_variants[0].serverless.provisioned_concurrency", "model_serving_serverless_provisioned_concurrency"),
    ("production_variants", "model_serving_variants"),
    ("shadow_production_variants", "model_serving_shadow_variants"),
    ("deployment", "model_serving_deployment"),
    ("data_capture", "model_serving_data_capture"),
    ("async_inference", "model_serving_async_inference"),
    ("kms_key_id", "model_serving_kms_key_id"),
    ("model.vpc", "model_serving_vpc"),
    ("model.enable_network_isolation", "model_serving_enable_network_isolation"),
)


def endpoint_options(settings: Settings) -> Iterator[Finding]:
    """What does not go together on one endpoint: the module's own rules, in the words of the stage's file."""
    options = _module_options(settings)
    variants, shadows = options["production_variants"], options["shadow_production_variants"]
    if not _well_formed(variants) or not _well_formed(shadows):
        yield Finding("model_serving_variants", None, "each variant is a map with 'serverless' or 'instance' in it.")
        return
    sentences = [
        *_each_variant(variants, "production_variants"),
        *_each_variant(shadows, "shadow_production_variants"),
        *validate_endpoint.together(options, variants, shadows),
        *validate_endpoint.deployment(options["deployment"], variants, "deployment"),
        *validate_endpoint.network(options["model"], "model"),
    ]
    own = not settings.get("model_serving_variants")
    for sentence in dict.fromkeys(sentences):
        where, problem = sentence.split(": ", 1)
        keys = _SETTING_OF if own else _SETTING_OF[4:]
        prefix, key = next((pair for pair in keys if where.startswith(pair[0])), ("", "model_serving_variants"))
        yield Finding(key, None, problem, within=where.removeprefix(prefix))


def _each_variant(variants: Sequence[Mapping[str, Any]], where: str) -> Iterator[str]:
    for index, variant in enumerate(variants):
        yield from validate_endpoint.variant_options(variant, f"{where}[{index}]")
        if variant.get("serverless"):
            yield from validate.serverless(variant["serverless"], f"{where}[{index}].serverless")


def _well_formed(variants: Any) -> bool:
    return all(
        isinstance(each, Mapping) and bool(each.get("serverless")) != bool(each.get("instance")) for each in variants
    )


def _module_options(settings: Settings) -> dict[str, Any]:
    """The stage's settings as the options of C(sagemaker_endpoint), as the role model_serving puts them together."""
    serverless_sizes = {
        "memory_size_mb": settings.get("model_serving_serverless_memory_size_mb", 4096),
        "max_concurrency": settings.get("model_serving_serverless_max_concurrency", 2),
        "provisioned_concurrency": settings.get("model_serving_serverless_provisioned_concurrency") or None,
    }
    instance_sizes = {
        "instance_type": settings.get("model_serving_instance_type") or "ml.m5.large",
        "initial_instance_count": settings.get("model_serving_instance_count", 1),
        **(settings.get("model_serving_instance_options") or {}),
    }
    on_instances = settings.get("model_serving_endpoint_type") == "instance"
    one = {
        "variant_name": settings.get("model_serving_variant_name", "AllTraffic"),
        **({"instance": instance_sizes} if on_instances else {"serverless": serverless_sizes}),
        "autoscaling": settings.get("model_serving_autoscaling"),
    }
    alarms = [alarm["name"] for alarm in settings.get("model_serving_alarms") or []]
    deployment = dict(settings.get("model_serving_deployment") or {})
    if alarms:
        deployment["alarms"] = [*(deployment.get("alarms") or []), *alarms]
    return {
        "model": {
            "vpc": settings.get("model_serving_vpc"),
            "enable_network_isolation": settings.get("model_serving_enable_network_isolation"),
        },
        "production_variants": settings.get("model_serving_variants") or [one],
        "shadow_production_variants": settings.get("model_serving_shadow_variants") or [],
        "deployment": deployment,
        "data_capture": settings.get("model_serving_data_capture"),
        "async_inference": settings.get("model_serving_async_inference"),
        "kms_key_id": settings.get("model_serving_kms_key_id"),
    }


def generations(settings: Settings) -> Iterator[Finding]:
    """How many generations are kept next to the live one."""
    keep = settings.get("model_serving_keep_generations")
    yield from _said(
        "model_serving_keep_generations", validate.keep_generations(keep, "model_serving_keep_generations")
    )


def environment(settings: Settings) -> Iterator[Finding]:
    """What a Model's environment may hold; it is readable by everybody who may describe the Model."""
    wanted = settings.get("model_serving_environment")
    yield from _said("model_serving_environment", validate.environment(wanted, "model_serving_environment"))


def limits(settings: Settings) -> Iterator[Finding]:
    """Ports a person may open; API Gateway ends a request after 30 s; Lambda takes 128 to 10,240 MB."""
    for key, low, high in (
        ("local_cloud_port", 1024, 65535),
        ("image_untagged_days", 1, 3650),
        ("image_codebuild_timeout_minutes", 5, 2160),
        ("model_serving_wait_timeout", 1, 14400),
        ("demo_api_max_inputs", 1, 10_000),
        ("demo_api_max_input_characters", 1, 1_000_000),
        ("demo_api_lambda_timeout_seconds", 5, 29),
        ("demo_api_lambda_memory_size_mb", 128, 10_240),
        ("demo_api_throttle_burst", 1, 5000),
    ):
        yield from _in_range(settings, key, low, high)


def _in_range(settings: Settings, key: str, low: int, high: int) -> Iterator[Finding]:
    value = settings.get(key)
    if value is not None and not low <= value <= high:
        yield Finding(key, value, f"allowed: {low} to {high}.")


def _said(key: str, sentences: list[str]) -> Iterator[Finding]:
    """Turns the validators' "where: what" into findings."""
    for sentence in sentences:
        where, problem = sentence.split(": ", 1)
        yield Finding(key, None, problem, within=where.removeprefix(key))


RULES: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    names,
    account_and_region,
    permissions_boundary,
    tags,
    model_source,
    instance,
    endpoint_options,
    generations,
    environment,
    serving_rules.task,
    serving_rules.delivery,
    serving_rules.hub_access,
    serving_rules.compiling,
    serving_rules.accelerator,
    serving_rules.platform,
    limits,
)

#: What AWS takes and what a person may want to know all the same.
HINTS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (serving_rules.memory_hints,)
