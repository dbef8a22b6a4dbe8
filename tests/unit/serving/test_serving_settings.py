# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from serving.errors import SettingsError
from serving.machine import usable_cpus
from serving.settings import PICKLE_SENTENCE, Settings


def test_an_empty_environment_gives_what_sagemaker_expects() -> None:
    settings = Settings.from_environment({})
    assert settings.port == 8080
    assert settings.model_dir == Path("/opt/ml/model")
    assert settings.max_payload_bytes == 6 * 1024 * 1024
    # Empty: the model's own files say what it does.
    assert settings.task == ""


def test_outside_a_container_only_this_machine_is_listened_to() -> None:
    assert Settings.from_environment({}).host == "127.0.0.1"


def test_every_setting_is_read_from_its_variable() -> None:
    settings = Settings.from_environment(
        {
            "SERVING_HOST": "0.0.0.0",
            "SAGEMAKER_BIND_TO_PORT": "9000",
            "SAGEMAKER_BASE_DIR": "/srv",
            "HF_TASK": "sentiment-analysis",
            "HF_MODEL_ID": "org/name",
            "HF_MODEL_REVISION": "abc",
            "SERVING_MAX_PAYLOAD_MB": "0.5",
            "SERVING_MAX_INPUTS": "10",
            "SERVING_MAX_BATCH_SIZE": "4",
            "SERVING_MAX_BATCH_TOKENS": "99",
            "SERVING_BATCH_WAIT_MS": "0",
            "SERVING_MAX_LENGTH": "128",
            "SERVING_QUEUE_SIZE": "7",
            "SERVING_QUEUE_ROWS": "70",
            "SERVING_RUNTIME": "toolkit",
            "SERVING_DTYPE": "float16",
            "SERVING_TORCH_COMPILE": "on",
            "SERVING_ALLOW_PICKLE": PICKLE_SENTENCE,
            "SERVING_TRUST_REMOTE_CODE": "a" * 40,
            "SERVING_MAX_NEW_TOKENS": "5",
            "SERVING_MAX_STREAMS": "2",
            "SAGEMAKER_PROGRAM": "entry.py",
            "SERVING_REQUEST_TIMEOUT": "2.5",
            "SERVING_THREADS": "3",
            "SERVING_LOG_LEVEL": "DEBUG",
        }
    )
    assert settings == Settings(
        host="0.0.0.0",
        port=9000,
        model_dir=Path("/srv/model"),
        task="sentiment-analysis",
        model_id="org/name",
        model_revision="abc",
        max_payload_bytes=512 * 1024,
        max_inputs=10,
        max_batch_size=4,
        max_batch_tokens=99,
        batch_wait_ms=0.0,
        max_length=128,
        queue_size=7,
        queue_rows=70,
        runtime="toolkit",
        dtype="float16",
        torch_compile=True,
        allow_pickle=PICKLE_SENTENCE,
        trust_remote_code="a" * 40,
        max_new_tokens=5,
        max_streams=2,
        user_program="entry",
        request_timeout=2.5,
        threads=3,
        log_level="debug",
    )


def test_a_variable_that_is_set_to_nothing_counts_as_not_set() -> None:
    environment = dict.fromkeys(("SAGEMAKER_BIND_TO_PORT", "HF_MODEL_ID", "HF_TASK", "SERVING_MAX_LENGTH"), "  ")
    assert Settings.from_environment(environment) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "http", "a whole number from 0 to 65535"),
        ("SAGEMAKER_BIND_TO_PORT", "65536", "a whole number from 0 to 65535"),
        ("SAGEMAKER_BIND_TO_PORT", "8_080", "a whole number from 0 to 65535"),
        ("SAGEMAKER_BIND_TO_PORT", "٨٠", "a whole number from 0 to 65535"),
        ("SERVING_THREADS", "0", "a whole number from 1 to 1024"),
        ("SERVING_THREADS", "-1", "a whole number from 1 to 1024"),
        ("SERVING_QUEUE_SIZE", "9" * 5000, "a whole number from 1 to 10000"),
        ("SERVING_MAX_PAYLOAD_MB", "nan", "a number from 0.001 to 100"),
        ("SERVING_MAX_PAYLOAD_MB", "6MB", "a number from 0.001 to 100"),
        ("SERVING_REQUEST_TIMEOUT", "inf", "a number from 0.1 to 3600"),
        ("SERVING_RUNTIME", "transformers", "one of compiled, toolkit"),
        ("SERVING_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name_and_what_would_be_right(
    name: str, value: str, right: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"{name} is ")
    assert right in caught.value.problems[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("SERVING_ALLOW_PICKLE", "yes"), ("SERVING_TRUST_REMOTE_CODE", "main"), ("SERVING_TRUST_REMOTE_CODE", "A" * 40)],
)
def test_what_lets_foreign_code_run_must_be_said_in_full_and_is_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} cannot be used; it must be empty, or the ")
    assert value not in problem.partition(";")[0]


def test_an_image_may_hold_its_model_outside_the_base_directory() -> None:
    environment = {"SAGEMAKER_BASE_DIR": "/srv", "SERVING_MODEL_DIR": "/model"}
    assert Settings.from_environment(environment).model_dir == Path("/model")


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"SERVING_THREADS": "many", "SERVING_MAX_INPUTS": "few"})
    assert len(caught.value.problems) == 2


def test_a_slip_in_a_settings_name_is_told_with_the_name_that_was_meant() -> None:
    settings = Settings.from_environment({"SERVING_QUEU_SIZE": "3", "SERVING_ZZZZZZ": "1", "OTHER": "1"})
    assert settings.unknown == (
        "SERVING_QUEU_SIZE is not a setting; did you mean SERVING_QUEUE_SIZE?",
        "SERVING_ZZZZZZ is not a setting.",
    )


def test_inference_uses_the_processors_that_are_there() -> None:
    assert Settings.from_environment({}).threads == usable_cpus() >= 1
