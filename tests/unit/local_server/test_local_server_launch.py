# SPDX-License-Identifier: GPL-3.0-or-later
"""`make serve` starts the server as SageMaker would: model, settings, and nothing open but the loopback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from local_server.launch import Container, Process, settings_from
from local_server.reload import is_watched

MODEL = Path("/models/mine")


def test_a_container_is_reachable_on_the_loopback_address_only() -> None:
    command = Container("image:1", MODEL, {}).command(8123)
    assert command[command.index("--publish") + 1] == "127.0.0.1:8123:8080"
    assert command[-2:] == ["image:1", "serve"]


def test_a_container_cannot_write_to_the_model_or_to_the_source() -> None:
    command = Container("image:1", MODEL, {}, Path("/src/serving")).command(8123)
    volumes = [command[at + 1] for at, word in enumerate(command) if word == "--volume"]
    assert volumes == ["/models/mine:/opt/ml/model:ro", "/src/serving:/program/serving:ro"]


def test_an_image_of_somebody_else_keeps_its_own_source() -> None:
    assert "/program/serving" not in " ".join(Container("image:1", MODEL, {}).command(8123))


def test_the_model_that_was_named_is_served_and_not_one_that_the_image_holds() -> None:
    assert "SERVING_MODEL_DIR=/opt/ml/model" in Container("image:1", MODEL, {}).command(8123)
    assert Process(Path("/src"), Path(sys.executable), MODEL, {}).environment(1)["SERVING_MODEL_DIR"] == str(MODEL)


def test_a_process_listens_on_the_loopback_address() -> None:
    environment = Process(Path("/src"), Path(sys.executable), MODEL, {"SERVING_HOST": "0.0.0.0"}).environment(8123)
    assert environment["SERVING_HOST"] == "127.0.0.1"
    assert environment["SAGEMAKER_BIND_TO_PORT"] == "8123"


def test_a_container_gets_the_variables_that_are_meant_for_the_server_and_no_others() -> None:
    environ = {"SERVING_MAX_INPUTS": "5", "HF_TASK": "ner", "AWS_SECRET_ACCESS_KEY": "s", "PATH": "/bin"}
    settings = settings_from(environ, "")
    assert settings == {"SERVING_MAX_INPUTS": "5", "HF_TASK": "ner", "SERVING_LOG_LEVEL": "debug"}
    assert settings_from(environ, "fill-mask")["HF_TASK"] == "fill-mask"


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("/src/serving/tasks/handler.py", True),
        ("/model/code/inference.py", True),
        ("/model/config.json", True),
        ("/src/serving/__pycache__/handler.cpython-311.pyc", False),
        # Where the server itself installs code/requirements.txt: watched, each start would cause the next.
        ("/model/code/lib/package/module.py", False),
        ("/src/serving/handler.py~", False),
        ("/elsewhere/handler.py", False),
    ],
)
def test_the_files_of_the_server_and_of_the_model_are_watched(path: str, watched: bool) -> None:
    assert is_watched(Path(path), [Path("/src/serving"), Path("/model")]) is watched
