# SPDX-License-Identifier: GPL-3.0-or-later
"""Model, runtime, delivery and machine that do not go together are found before anything is fetched or built."""

from __future__ import annotations

import re
from typing import Any

import botocore.loaders
import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import settings as stage_settings
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import tasks
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.serving_rules import (
    accelerator,
    platform,
    runtime_of,
)
from jinja2.nativetypes import NativeEnvironment

OPTIONS = stage_settings.all_options()
COMMIT = "714eb0fa89d2f80546fda750413ed43d93601a13"
HUB = {"model_serving_model_id": "organisation/name", "model_serving_model_revision": COMMIT}
ON_INSTANCE = {"model_serving_endpoint_type": "instance"}
TOOLKIT = {"image_runtime": "toolkit"}


def sentences(**settings: Any) -> list[str]:
    return [stage_settings.explain(finding, None) for finding in stage_settings.check(settings, OPTIONS)]


@pytest.mark.parametrize("task", tasks.names())
def test_every_task_is_served_by_the_runtime_that_is_taken_for_it(task: str) -> None:
    assert sentences(model_serving_task=task) == []
    expected = "compiled" if tasks.canonical(task) in tasks.COMPILED_TASKS else "toolkit"
    assert runtime_of({"model_serving_task": task}) == expected


@pytest.mark.parametrize("task", tasks.names())
@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
@pytest.mark.parametrize("trusted", ["", COMMIT])
def test_the_preflight_takes_the_runtime_that_the_role_takes(task: str, accelerator: str, trusted: str) -> None:
    settings = {
        "model_serving_task": task,
        "image_accelerator": accelerator,
        "model_serving_trust_remote_code": trusted,
    }
    default = OPTIONS["image_runtime"]["default"]
    assert runtime_of(settings) == NativeEnvironment().from_string(default).render(settings)


@pytest.mark.parametrize(
    ("settings", "key", "hint"),
    [
        ({"model_serving_task": "text_classification"}, "model_serving_task", "Did you mean text-classification?"),
        ({"model_serving_task": "poetry"}, "model_serving_task", "automatic-speech-recognition"),
        ({"model_serving_task": "summarization", "image_runtime": "compiled"}, "image_runtime", "Set it to toolkit"),
        (
            {"model_serving_model_delivery": "image", "model_serving_model_s3_path": "s3://bucket/model.tar.gz"},
            "model_serving_model_delivery",
            "set s3",
        ),
        ({"model_serving_model_delivery": "hub"}, "model_serving_model_delivery", "model_serving_model_id"),
        (
            {**HUB, "model_serving_model_delivery": "hub", "model_serving_hub_token_secret_id": "hub/token"},
            "model_serving_model_delivery",
            "in its environment",
        ),
        (
            {
                **HUB,
                **ON_INSTANCE,
                "model_serving_instance_type": "ml.m5.large",
                "model_serving_model_delivery": "hub",
                "model_serving_enable_network_isolation": True,
            },
            "model_serving_model_delivery",
            "reaches no network",
        ),
        ({"model_serving_hub_token_secret_id": "two words"}, "model_serving_hub_token_secret_id", "Secrets Manager"),
        ({**HUB, **TOOLKIT, "model_serving_trust_remote_code": "main"}, "model_serving_trust_remote_code", "40 hex"),
        (
            {**HUB, **TOOLKIT, "model_serving_trust_remote_code": "d" * 40},
            "model_serving_trust_remote_code",
            f"another commit, {COMMIT}",
        ),
        ({**TOOLKIT, "model_serving_trust_remote_code": COMMIT}, "model_serving_trust_remote_code", "model_id"),
        (
            {**HUB, "image_runtime": "compiled", "model_serving_trust_remote_code": COMMIT},
            "model_serving_trust_remote_code",
            "Set toolkit",
        ),
        ({"model_serving_allow_pickled_weights": "yes"}, "model_serving_allow_pickled_weights", "can-run-code"),
        ({**TOOLKIT, "model_serving_calibration_path": "texts.txt"}, "model_serving_calibration_path", "Remove"),
        ({**TOOLKIT, "model_serving_precision": "fp32"}, "model_serving_precision", "Remove"),
    ],
)
def test_what_does_not_go_together_is_named_with_what_would_be_right(
    settings: dict[str, Any], key: str, hint: str
) -> None:
    (found,) = sentences(**settings)
    assert found.startswith(key)
    assert hint in found


@pytest.mark.parametrize(
    "settings",
    [
        {**HUB, "model_serving_model_delivery": "hub"},
        {**HUB, "model_serving_model_delivery": "image", "model_serving_hub_token_secret_id": "prod/hub-token"},
        {"model_serving_hub_token_secret_id": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hub-AbCdEf"},
        {**HUB, **TOOLKIT, "model_serving_trust_remote_code": COMMIT},
        {"model_serving_allow_pickled_weights": "pickled-weights-can-run-code"},
        {"model_serving_calibration_path": "texts.txt", "model_serving_precision": "fp32"},
        {"model_serving_task": "translation_en_to_de"},
    ],
)
def test_what_goes_together_is_let_through(settings: dict[str, Any]) -> None:
    assert sentences(**settings) == []


def test_a_token_in_place_of_its_secrets_name_is_refused_and_not_repeated() -> None:
    (found,) = sentences(model_serving_hub_token_secret_id="hf_abcdefghijklmnop")
    assert "looks like the token itself" in found
    assert "hf_abcdefghijklmnop" not in found


def problems(**settings: Any) -> list[str]:
    """What is wrong with the machine alone, whatever the roles' specs know so far."""
    return [finding.problem for rule in (accelerator, platform) for finding in rule(settings)]


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"image_accelerator": "gpu"}, "serverless endpoint has no GPU"),
        ({**ON_INSTANCE, "model_serving_instance_type": "ml.g5.xlarge"}, "Set image_accelerator to gpu"),
        (
            {**ON_INSTANCE, "model_serving_instance_type": "ml.m5.large", "image_accelerator": "gpu"},
            "this instance has none",
        ),
        ({**ON_INSTANCE, "model_serving_instance_type": "ml.inf2.xlarge"}, "no GPU"),
        ({"image_platform": "linux/arm64"}, "a serverless endpoint runs linux/amd64"),
        ({**ON_INSTANCE, "model_serving_instance_type": "ml.c7g.large"}, "set image_platform to linux/arm64"),
        (
            {**ON_INSTANCE, "model_serving_instance_type": "ml.c7i.large", "image_platform": "linux/arm64"},
            "ml.c7g.large",
        ),
        (
            {
                **ON_INSTANCE,
                "image_accelerator": "gpu",
                "image_runtime": "compiled",
                "model_serving_instance_type": "ml.g5.xlarge",
            },
            "runs on processors alone",
        ),
        (
            {"model_serving_variants": [{"instance": {"instance_type": "ml.g6.xlarge"}}]},
            "Set image_accelerator to gpu",
        ),
    ],
)
def test_an_instance_that_cannot_run_the_image_is_refused(settings: dict[str, Any], hint: str) -> None:
    (problem,) = problems(**settings)
    assert hint in problem


def test_a_variant_with_an_image_of_its_own_is_its_owners_business() -> None:
    variant = {"instance": {"instance_type": "ml.g6.xlarge"}, "model": {"image": "123456789012.dkr.ecr/own:1"}}
    assert problems(model_serving_variants=[variant]) == []


def every_instance_type() -> list[str]:
    model = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")
    return [str(kind) for kind in model["shapes"]["ProductionVariantInstanceType"]["enum"]]


@pytest.mark.parametrize("kind", every_instance_type())
def test_each_instance_type_of_sagemaker_runs_exactly_one_kind_of_image(kind: str) -> None:
    kinds = [("cpu", "linux/amd64"), ("cpu", "linux/arm64"), ("gpu", "linux/amd64")]
    on_it = {**ON_INSTANCE, "model_serving_instance_type": kind}
    fitting = [each for each in kinds if not problems(**on_it, image_accelerator=each[0], image_platform=each[1])]
    other_chips = re.match(r"ml\.(inf|trn|dl)", kind)
    assert len(fitting) == (0 if other_chips else 1)
    if re.match(r"ml\.(g4dn|g5|g6|g6e|g7|g7e|p\d)", kind):
        assert fitting == [kinds[2]]
    elif re.match(r"ml\.(c6g|c6gn|c6gd|c7g|c8g|m6gd?|m8g|r6gd?|r7gd|r8g)\.", kind):
        assert fitting == [kinds[1]]


def test_little_memory_for_the_toolkit_is_a_hint_and_no_mistake() -> None:
    settings = {"model_serving_serverless_memory_size_mb": 1024, "model_serving_task": "summarization"}
    assert sentences(**settings) == []
    (hint,) = stage_settings.hints(settings, OPTIONS)
    assert "2048 or more" in hint.problem
    assert stage_settings.hints({"model_serving_serverless_memory_size_mb": 1024}, OPTIONS) == []
