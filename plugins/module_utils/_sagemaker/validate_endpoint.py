# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be refused of a whole endpoint before AWS is asked: each part, and what does not go together.

Rules are those of CreateEndpointConfig's and UpdateEndpoint's references, of the guide's pages on serverless,
asynchronous and shadow endpoints and on deployment guardrails, and the members' limits in SageMaker's API model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import validate
from .scaling import INSTANCE_METRICS, SERVERLESS_METRICS
from .spec import model_of
from .validate import is_whole

_S3_PATH = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?")
_ALARM = re.compile(r"(?!\s*$).{1,255}")

#: The least and the most of what an instance based variant may say: ProductionVariant in SageMaker's API model.
_INSTANCE_LIMITS = {
    "volume_size_in_gb": (1, 512),
    "model_data_download_timeout_in_seconds": (60, 3600),
    "container_startup_health_check_timeout_in_seconds": (60, 3600),
}


def endpoint(options: Mapping[str, Any], *, region: str | None = None, check_mode: bool = False) -> list[str]:
    """Return everything that is wrong with the options of C(sagemaker_endpoint) for O(state=present).

    In check mode the image need not be built and the role need not be made, so a reference by tag is taken.
    """
    common = options.get("model") or {}
    variants = _list(options.get("production_variants"))
    shadows = _list(options.get("shadow_production_variants"))
    problems = [
        *validate.endpoint_name(options.get("name"), "name"),
        *validate.model(common, "model", region=region, digest_required=not check_mode),
        *network(common, "model"),
        *validate.production_variants(options.get("production_variants"), "production_variants"),
        *validate.keep_generations(options.get("keep_generations"), "keep_generations"),
        *validate.tags(options.get("tags"), "tags"),
    ]
    if shadows:
        problems += validate.production_variants(shadows, "shadow_production_variants")
    for where, each in (("production_variants", variants), ("shadow_production_variants", shadows)):
        for index, variant in enumerate(each):
            at = f"{where}[{index}]"
            if variant.get("model"):
                own = model_of(variant, common)
                problems += validate.model(own, f"{at}.model", region=region, digest_required=not check_mode)
                problems += network(own, f"{at}.model")
            problems += variant_options(variant, at)
    problems += together(options, variants, shadows)
    problems += deployment(options.get("deployment"), variants, "deployment")
    return list(dict.fromkeys(problems))


def variant_options(variant: Mapping[str, Any], where: str) -> Iterator[str]:
    """Check what a variant says besides its sizes."""
    weight = variant.get("initial_variant_weight")
    if weight is not None and weight < 0:
        yield f"{where}.initial_variant_weight: {weight} is out of range; use 0 or more."
    instance = variant.get("instance") or {}
    for key, (least, most) in _INSTANCE_LIMITS.items():
        value = instance.get(key)
        if value is not None and not (is_whole(value) and least <= value <= most):
            yield f"{where}.instance.{key}: {value} is out of range; use {least} to {most}."
    managed = instance.get("managed_instance_scaling")
    if managed:
        yield from _managed(managed, instance, f"{where}.instance.managed_instance_scaling")
        if variant.get("autoscaling"):
            yield f"{where}: give 'autoscaling' or 'managed_instance_scaling'; both would set the instance count."
    if variant.get("autoscaling"):
        yield from autoscaling(variant["autoscaling"], variant, f"{where}.autoscaling")


def autoscaling(value: Mapping[str, Any], variant: Mapping[str, Any], where: str) -> Iterator[str]:
    """Check how a variant scales: RegisterScalableTarget's and PutScalingPolicy's limits."""
    serverless = variant.get("serverless")
    least, most = value.get("min_capacity"), value.get("max_capacity")
    if not is_whole(least) or not is_whole(most) or not 1 <= least <= most:
        yield f"{where}: min_capacity {least} and max_capacity {most} do not fit; use 1 or more, and no less at most."
    elif serverless and most > serverless.get("max_concurrency", 0):
        yield (
            f"{where}.max_capacity: {most} is more than serverless.max_concurrency, "
            f"{serverless.get('max_concurrency')}; what is provisioned cannot be more."
        )
    if serverless and not serverless.get("provisioned_concurrency"):
        yield (
            f"{where}: of a serverless variant only provisioned concurrency scales, and it has none. Give "
            "serverless.provisioned_concurrency, or leave autoscaling out: on demand it scales by itself."
        )
    metrics = SERVERLESS_METRICS if serverless else INSTANCE_METRICS
    metric = value.get("metric")
    if metric and metric not in metrics:
        kind = "a serverless" if serverless else "an instance based"
        yield f"{where}.metric: {metric} is no metric of {kind} variant; use {' or '.join(metrics)}."
    target = value.get("target_value")
    if target is not None and target <= 0:
        yield f"{where}.target_value: {target} is out of range; use more than 0."
    elif serverless and target is not None and target > 1:
        yield f"{where}.target_value: {target} is out of range; the utilisation is a share, such as 0.7."
    for key in ("scale_in_cooldown", "scale_out_cooldown"):
        if value.get(key) is not None and value[key] < 0:
            yield f"{where}.{key}: {value[key]} is out of range; use 0 seconds or more."


def together(
    options: Mapping[str, Any], variants: Sequence[Mapping[str, Any]], shadows: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Check what does not go together."""
    names = [variant.get("variant_name") for variant in (*variants, *shadows)]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        yield f"production_variants: the variant_name '{name}' is given more than once; each variant needs its own."
    if len(variants) > 1 and not any(variant.get("initial_variant_weight") != 0 for variant in variants):
        yield "production_variants: every initial_variant_weight is 0, so no variant would get a request."
    serverless = any(variant.get("serverless") for variant in (*variants, *shadows))
    capture, asynchronous = options.get("data_capture"), options.get("async_inference")
    if serverless:
        yield from _serverless(options, [*variants, *shadows])
    if shadows and len(variants) != 1:
        yield (f"shadow_production_variants: SageMaker shadows one production variant, and {len(variants)} are given.")
    if len(shadows) > 1:
        yield f"shadow_production_variants: {len(shadows)} are given; SageMaker takes one."
    if asynchronous:
        yield from _asynchronous(asynchronous, variants, shadows)
    if capture:
        yield from _capture(capture)


def deployment(value: Mapping[str, Any] | None, variants: Sequence[Mapping[str, Any]], where: str) -> Iterator[str]:
    """Check guardrails: limits in SageMaker's API model, sizes and exclusions in the guide's pages on guardrails."""
    if not value:
        return
    strategy, size = value.get("strategy") or "all_at_once", value.get("size")
    percent = (value.get("size_type") or "capacity_percent") == "capacity_percent"
    limits = {"canary": (1, 50), "linear": (10, 50), "rolling": (5, 50)}.get(strategy)
    if limits is None and size is not None:
        yield f"{where}.size: with strategy {strategy} there are no steps; leave it out."
    elif limits and size is None:
        yield f"{where}.size: strategy {strategy} needs the size of its steps, such as 10 (percent of the capacity)."
    elif limits and percent and not limits[0] <= (size or 0) <= limits[1]:
        yield f"{where}.size: {size} % is out of range; with strategy {strategy} use {limits[0]} to {limits[1]}."
    elif limits and (size or 0) < 1:
        yield f"{where}.size: {size} is out of range; use 1 instance or more."
    yield from _times(value, strategy, where)
    alarms = value.get("alarms") or []
    if len(alarms) > 10:
        yield f"{where}.alarms: {len(alarms)} alarms; SageMaker takes 10 at most."
    for alarm in alarms:
        if not _ALARM.fullmatch(str(alarm)):
            yield f"{where}.alarms: '{alarm}' is not an alarm's name; use 1 to 255 characters."
    if strategy == "rolling" and (len(variants) > 1 or any(variant.get("serverless") for variant in variants)):
        yield f"{where}.strategy: rolling is for one instance based variant; use all_at_once, canary or linear."
    if strategy in ("canary", "linear") and not percent and any(variant.get("serverless") for variant in variants):
        yield f"{where}.size_type: a serverless variant has no instances; use capacity_percent."


def _times(value: Mapping[str, Any], strategy: str, where: str) -> Iterator[str]:
    for key, least, most in (
        ("wait_interval_in_seconds", 0, 3600),
        ("termination_wait_in_seconds", 0, 3600),
        ("maximum_execution_timeout_in_seconds", 600, 28800),
    ):
        seconds = value.get(key)
        if seconds is not None and not least <= seconds <= most:
            yield f"{where}.{key}: {seconds} is out of range; use {least} to {most} seconds."
    if strategy == "rolling" and value.get("termination_wait_in_seconds") is not None:
        yield f"{where}.termination_wait_in_seconds: rolling keeps no old fleet to end; leave it out."
    if strategy != "rolling" and value.get("rollback_size") is not None:
        yield f"{where}.rollback_size: only rolling goes back in batches; leave it out."


def _serverless(options: Mapping[str, Any], variants: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(variants) > 1:
        yield "production_variants: a serverless endpoint has exactly one variant, and no shadow."
    for key in ("data_capture", "async_inference", "kms_key_id"):
        if options.get(key):
            yield f"{key}: SageMaker does not offer it on a serverless endpoint; leave it out or use instances."
    for variant in variants:
        model = model_of(variant, options.get("model") or {})
        if model.get("vpc"):
            yield "model.vpc: SageMaker does not run serverless endpoints in a VPC; leave it out or use instances."
        if model.get("enable_network_isolation"):
            yield "model.enable_network_isolation: SageMaker does not offer it on serverless endpoints; leave it out."


def _asynchronous(
    value: Mapping[str, Any], variants: Sequence[Mapping[str, Any]], shadows: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    for key in ("s3_output_path", "s3_failure_path"):
        if value.get(key) and not _S3_PATH.fullmatch(value[key]):
            yield f"async_inference.{key}: '{value[key]}' is not a place on S3, such as s3://bucket/path."
    most = value.get("max_concurrent_invocations_per_instance")
    if most is not None and not 1 <= most <= 1000:
        yield f"async_inference.max_concurrent_invocations_per_instance: {most} is out of range; use 1 to 1000."
    if len(variants) > 1 or shadows:
        yield "async_inference: an asynchronous endpoint has one variant and no shadow."


def _capture(value: Mapping[str, Any]) -> Iterator[str]:
    if not _S3_PATH.fullmatch(value.get("destination_s3_uri") or ""):
        yield f"data_capture.destination_s3_uri: '{value.get('destination_s3_uri')}' is not a place on S3, such as s3://bucket/path."
    share = value.get("initial_sampling_percentage")
    if share is not None and not 0 <= share <= 100:
        yield f"data_capture.initial_sampling_percentage: {share} is out of range; use 0 to 100."
    if value.get("capture_modes") == []:
        yield "data_capture.capture_modes: name Input, Output or both."


def network(model: Mapping[str, Any], where: str) -> Iterator[str]:
    """Check where a Model's containers are."""
    vpc = model.get("vpc")
    if not vpc:
        return
    for key, most in (("security_group_ids", 5), ("subnets", 16)):
        if not 1 <= len(vpc.get(key) or []) <= most:
            yield f"{where}.vpc.{key}: {len(vpc.get(key) or [])} are given; SageMaker takes 1 to {most}."


def _managed(value: Mapping[str, Any], instance: Mapping[str, Any], where: str) -> Iterator[str]:
    least, most = value.get("min_instance_count"), value.get("max_instance_count")
    if least is not None and least < 0:
        yield f"{where}.min_instance_count: {least} is out of range; use 0 or more."
    if most is not None and (most < 1 or (least is not None and most < least)):
        yield f"{where}.max_instance_count: {most} is out of range; use at least 1 and min_instance_count."
    count = instance.get("initial_instance_count") or 1
    if (least is not None and count < least) or (most is not None and count > most):
        yield f"{where}: initial_instance_count {count} is not between min_instance_count and max_instance_count."


def _list(value: Any) -> list[Mapping[str, Any]]:
    return list(value) if isinstance(value, (list, tuple)) else []
