# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not go together about model, runtime, delivery and machine, said before anything is fetched or built.

Each rule takes the settings (key -> value of the documented type; a key may be missing) and yields findings.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import tasks
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.finding import Finding, Settings

_COMMIT = re.compile(r"[0-9a-f]{40}")
# Secrets Manager's CreateSecret: "ASCII letters, numbers, and the characters /_+=.@-", 512 of them at most.
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}|arn:aws(-[a-z]+)*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+")
# The hub's user access tokens begin so (its documentation, "User access tokens").
_TOKEN = re.compile(r"(hf|api_org)_\w{8,}")

# Families of botocore's ProductionVariantInstanceType: ml.<letters><generation><attributes>.<size>.
_GPU = re.compile(r"ml\.[gp]\d")
_GRAVITON = re.compile(r"ml\.[a-z]+\d+g[a-z]*\.")
_OTHER_CHIPS = re.compile(r"ml\.(inf|trn|dl)\d")


def runtime_of(settings: Settings) -> str:
    """The runtime that is chosen, or the one that the role image takes where none is."""
    chosen = settings.get("image_runtime")
    if chosen:
        return str(chosen)
    task = tasks.canonical(settings.get("model_serving_task") or tasks.COMPILED_TASKS[0])
    on_gpu = settings.get("image_accelerator") == "gpu"
    return (
        "toolkit"
        if task in tasks.TOOLKIT_TASKS or on_gpu or settings.get("model_serving_trust_remote_code")
        else "compiled"
    )


def task(settings: Settings) -> Iterator[Finding]:
    """A task is one that the image knows, and one that the runtime can do."""
    wanted = settings.get("model_serving_task")
    if wanted is None:
        return
    name = tasks.canonical(wanted)
    if not name:
        near = difflib.get_close_matches(wanted, tasks.names(), n=1, cutoff=0.6)
        hint = f" Did you mean {near[0]}?" if near else ""
        allowed = ", ".join(tasks.COMPILED_TASKS + tasks.TOOLKIT_TASKS)
        yield Finding("model_serving_task", wanted, f"allowed: {allowed}.{hint}")
    elif runtime_of(settings) == "compiled" and name not in tasks.COMPILED_TASKS:
        yield Finding(
            "image_runtime",
            "compiled",
            f"{wanted} cannot be compiled; these can: {', '.join(tasks.COMPILED_TASKS)}. Set it to toolkit, or remove "
            "the line: the default follows the task.",
        )


def delivery(settings: Settings) -> Iterator[Finding]:
    """How a model is delivered depends on where it comes from, and on what the endpoint can reach."""
    how, key = settings.get("model_serving_model_delivery"), "model_serving_model_delivery"
    if settings.get("model_serving_model_s3_path") and how in ("image", "hub"):
        yield Finding(key, how, "model_serving_model_s3_path is an artifact in S3 and is served from there: set s3.")
    elif how == "hub" and not settings.get("model_serving_model_id"):
        yield Finding(key, how, "model_serving_model_id names no model to fetch from the hub. Set it, or set s3 here.")
    if how != "hub":
        return
    if settings.get("model_serving_enable_network_isolation"):
        yield Finding(
            key,
            how,
            "with model_serving_enable_network_isolation a container reaches no network, so it cannot fetch a model. "
            "Set s3 or image.",
        )
    if settings.get("model_serving_hub_token_secret_id"):
        yield Finding(
            key,
            how,
            "the container would need the token of model_serving_hub_token_secret_id in its environment, which can be "
            "read by everybody who may describe the endpoint. Set s3 or image: the token then stays on this machine.",
        )


def hub_access(settings: Settings) -> Iterator[Finding]:
    """What a model of the hub may bring with it: a token is named by its secret, code by its commit."""
    secret = settings.get("model_serving_hub_token_secret_id")
    if secret and _TOKEN.fullmatch(secret):
        # The value is left out: the sentence is printed and kept in logs.
        yield Finding(
            "model_serving_hub_token_secret_id",
            None,
            "this looks like the token itself. Revoke it, put a new one into a secret of AWS Secrets Manager, and name "
            "the secret here.",
        )
    elif secret and not _SECRET.fullmatch(secret):
        yield Finding(
            "model_serving_hub_token_secret_id",
            None,
            "it must be the name of a secret in AWS Secrets Manager (letters, digits and /_+=.@-) or its ARN.",
        )
    yield from _remote_code(settings)


def _remote_code(settings: Settings) -> Iterator[Finding]:
    commit, key = settings.get("model_serving_trust_remote_code"), "model_serving_trust_remote_code"
    if not commit:
        return
    revision = settings.get("model_serving_model_revision") or ""
    if not _COMMIT.fullmatch(commit):
        yield Finding(key, commit, "it must be the commit whose code you have read: 40 hexadecimal digits.")
    elif not settings.get("model_serving_model_id"):
        yield Finding(key, commit, "a commit is one of a model on the hub: set model_serving_model_id.")
    elif _COMMIT.fullmatch(revision) and revision != commit:
        yield Finding(key, commit, f"model_serving_model_revision is another commit, {revision}.")
    if runtime_of(settings) == "compiled":
        yield Finding(
            key,
            commit,
            "image_runtime is compiled, and nobody else's code is run on this machine to compile it. Set toolkit.",
        )


def compiling(settings: Settings) -> Iterator[Finding]:
    """What is said about compiling means nothing to a model that is not compiled."""
    if runtime_of(settings) == "compiled":
        return
    for key, unset in (("model_serving_calibration_path", ""), ("model_serving_precision", "auto")):
        value = settings.get(key)
        if value is not None and value != unset:
            yield Finding(key, value, "nothing is compiled for image_runtime toolkit. Remove the line.")


def accelerator(settings: Settings) -> Iterator[Finding]:
    """An image for GPUs and an instance with one belong together."""
    gpu, key = settings.get("image_accelerator") == "gpu", "image_accelerator"
    if gpu and settings.get("model_serving_endpoint_type", "serverless") == "serverless":
        yield Finding(key, "gpu", "a serverless endpoint has no GPU. Set model_serving_endpoint_type to instance.")
        return
    if gpu and settings.get("image_runtime") == "compiled":
        yield Finding(key, "gpu", "image_runtime compiled runs on processors alone. Set image_runtime to toolkit.")
    for key, within, kind in instance_types(settings):
        problem = _accelerator_problem(kind, gpu)
        if problem:
            yield Finding(key, kind, problem, within=within)


def _accelerator_problem(kind: str, gpu: bool) -> str:
    if _OTHER_CHIPS.match(kind):
        return "its accelerator is no GPU, and the image has no runtime for it."
    if gpu and not _GPU.match(kind):
        return "image_accelerator is gpu and this instance has none. ml.g5, ml.g6 and ml.p5, for instance, have."
    if not gpu and _GPU.match(kind):
        return (
            "it has a GPU, which the image cannot use and you pay for. Set image_accelerator to gpu, or choose an "
            "instance without one, like ml.c7i.large."
        )
    return ""


def platform(settings: Settings) -> Iterator[Finding]:
    """Graviton instances run arm64 images, all others amd64 ones."""
    arm, key = settings.get("image_platform") == "linux/arm64", "image_platform"
    if arm and settings.get("model_serving_endpoint_type", "serverless") == "serverless":
        yield Finding(key, "linux/arm64", "a serverless endpoint runs linux/amd64.")
        return
    if arm and settings.get("image_accelerator") == "gpu":
        yield Finding(key, "linux/arm64", "SageMaker has no arm64 instance with a GPU. Set linux/amd64.")
    for key, within, kind in instance_types(settings):
        if arm and not _GRAVITON.match(kind):
            problem = "image_platform is linux/arm64, which Graviton instances run, like ml.c7g.large."
            yield Finding(key, kind, problem, within=within)
        elif not arm and _GRAVITON.match(kind):
            problem = "this is a Graviton instance: set image_platform to linux/arm64."
            yield Finding(key, kind, problem, within=within)


def instance_types(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Each instance type that the stage's image runs on: the setting, the place within it, the type."""
    single = settings.get("model_serving_instance_type")
    if single and settings.get("model_serving_endpoint_type") == "instance":
        yield "model_serving_instance_type", "", single
    for key in ("model_serving_variants", "model_serving_shadow_variants"):
        for index, variant in enumerate(settings.get(key) or []):
            # A variant with an image of its own has what its instance needs, or not: nobody here knows.
            if isinstance(variant, Mapping) and not _own_image(variant):
                yield from _types_of(variant.get("instance"), key, f"[{index}].instance")


def _own_image(variant: Mapping[str, Any]) -> bool:
    return bool((variant.get("model") or {}).get("image"))


def _types_of(instance: Any, key: str, within: str) -> Iterator[tuple[str, str, str]]:
    if not isinstance(instance, Mapping):
        return
    if instance.get("instance_type"):
        yield key, f"{within}.instance_type", str(instance["instance_type"])


def memory_hints(settings: Settings) -> Iterator[Finding]:
    """What works but will hurt. Measured with DistilBERT (docs/model_delivery.md)."""
    memory = settings.get("model_serving_serverless_memory_size_mb")
    serverless = settings.get("model_serving_endpoint_type", "serverless") == "serverless"
    if serverless and memory is not None and memory < 2048 and runtime_of(settings) == "toolkit":
        yield Finding(
            "model_serving_serverless_memory_size_mb",
            memory,
            "transformers and torch take half a gigabyte before the model does. Set 2048 or more, or image_runtime to "
            "compiled, which serves a DistilBERT in 1024.",
        )
