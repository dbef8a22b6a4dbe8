# SPDX-License-Identifier: GPL-3.0-or-later
"""The image, built from Dockerfile.serve and run as SageMaker runs it."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
CONTEXT = REPOSITORY / "files" / "docker"
# How long to wait for something that must come before the test counts as hung. Not a statement about speed.
PATIENCE = 300

sys.path.insert(0, str(REPOSITORY / "tests" / "unit" / "serving"))

from container_contract import broken_by  # noqa: E402
from serving_tiny_model import write_tiny_model  # noqa: E402


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip()


def engine_problem() -> str:
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, text=True)
    except FileNotFoundError:
        return "the command docker is not installed"
    return "" if done.returncode == 0 else "no Docker engine answers"


pytestmark = [pytest.mark.docker, pytest.mark.skipif(bool(engine_problem()), reason=engine_problem())]


# The host's network, since the build's own may lack a way out. A stand-in for the base image goes by its name.
FLAGS = ("--network=host", "--platform=linux/amd64", "--provenance=false", "--sbom=false")
EPOCH = "315532800"


def build(context: Path, name: str, *arguments: str) -> str:
    """Builds an image as the role does, and returns its ID."""
    epoch = f"--build-arg=SOURCE_DATE_EPOCH={EPOCH}"
    file = str(context / "Dockerfile.serve")
    return docker("build", "--quiet", *FLAGS, epoch, *arguments, "--file", file, "--tag", name, str(context))


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    name = f"modelhost-serving-test:{uuid.uuid4().hex[:12]}"
    build(CONTEXT, name)
    yield name
    docker("rmi", "--force", name)


class Container:
    def __init__(self, *arguments: str) -> None:
        self.id = docker("run", "--detach", *arguments)

    def wait(self) -> int:
        return int(docker("wait", self.id))

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in docker("logs", self.id).splitlines()]

    def port(self) -> int:
        address = docker("port", self.id).partition(" -> ")[2].splitlines()[0]
        return int(address.rpartition(":")[2])

    def request(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(document), {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def await_healthy(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.request("GET", "/ping")[0] == 200:
                    return
            except OSError:
                # Docker's port is there before the server's.
                pass
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def remove(self) -> None:
        docker("rm", "--force", self.id)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("container") / "model"
    write_tiny_model(directory)
    return directory


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="as root, as on instances"),
        # Serverless endpoints may do so: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
        pytest.param(("--user", "12345:12345", "--read-only", "--tmpfs", "/tmp"), id="as nobody, on a read-only disk"),
    ],
)
def test_the_image_serves_the_mounted_model_and_ends_with_status_0_on_sigterm(
    image: str, model: Path, options: tuple[str, ...]
) -> None:
    container = Container(
        *options, "--publish", "127.0.0.1::8080", "--volume", f"{model}:/opt/ml/model:ro", image, "serve"
    )
    try:
        container.await_healthy()
        answer = container.request("POST", "/invocations", {"inputs": ["love dogs", "hate cats"]})
        assert answer == (200, {"predictions": ["POSITIVE", "NEGATIVE"]})
        docker("kill", "--signal", "TERM", container.id)
        assert container.wait() == 0
        assert container.log()[-1]["event"] == "stopped"
    finally:
        container.remove()


def test_the_image_listens_on_the_port_that_sagemaker_names(image: str, model: Path) -> None:
    arguments = ("--env", "SAGEMAKER_BIND_TO_PORT=9099", "--publish", "127.0.0.1::9099")
    container = Container(*arguments, "--volume", f"{model}:/opt/ml/model:ro", image, "serve")
    try:
        container.await_healthy()
        labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", image))
        assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    finally:
        container.remove()


def test_a_container_without_a_model_ends_with_the_reason(image: str) -> None:
    container = Container(image, "serve")
    try:
        assert container.wait() == 1
        assert container.log()[-1]["event"] == "model_load_failed"
    finally:
        container.remove()


def test_the_image_holds_the_program_the_packages_and_no_installer(image: str) -> None:
    found = docker(
        "run", "--rm", image, "sh", "-c", "ls /program; ls /venv/bin; find /program /venv -newermt 1980-01-02"
    )
    assert "serving" in found.split()
    assert "pip" not in found.split()
    # No file has another time than the one that all have.
    assert "/" not in found
    assert docker("run", "--rm", image, "sh", "-c", "find /program -name '*.pyc' | wc -l") != "0"


def test_the_image_says_where_it_comes_from(image: str) -> None:
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", image))
    assert labels["org.opencontainers.image.base.name"] == "python:3.11-slim"
    assert labels["org.opencontainers.image.licenses"] == "GPL-3.0-or-later"
    assert {"title", "version", "source"} <= {key.rpartition(".")[-1] for key in labels}


def test_a_healthy_container_is_told_by_docker_itself(image: str, model: Path) -> None:
    container = Container("--health-interval=1s", "--volume", f"{model}:/opt/ml/model:ro", image, "serve")
    try:
        deadline = time.monotonic() + PATIENCE
        while docker("inspect", "--format", "{{.State.Health.Status}}", container.id) != "healthy":
            assert time.monotonic() < deadline, container.log()
            time.sleep(0.2)
    finally:
        container.remove()


@pytest.fixture(scope="module")
def baked(image: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The context with a model in it, and the image that is built of it."""
    context = tmp_path_factory.mktemp("baked") / "context"
    shutil.copytree(CONTEXT, context, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(model, context / "model")
    name = f"modelhost-serving-test:{uuid.uuid4().hex[:12]}"
    build(context, name, "--build-arg=MODEL=baked")
    yield context, name
    docker("rmi", "--force", name)


def layers_of(name: str) -> list[str]:
    layers: list[str] = json.loads(docker("inspect", "--format", "{{json .RootFS.Layers}}", name))
    return layers


def test_a_baked_model_is_served_without_a_mount_and_is_the_last_layer(image: str, baked: tuple[Path, str]) -> None:
    container = Container("--read-only", "--tmpfs", "/tmp", "--publish", "127.0.0.1::8080", baked[1], "serve")
    try:
        container.await_healthy()
        answer = container.request("POST", "/invocations", {"inputs": ["love dogs", "hate cats"]})
        assert answer == (200, {"predictions": ["POSITIVE", "NEGATIVE"]})
    finally:
        container.remove()
    assert layers_of(baked[1])[:-1] == layers_of(image)


def test_the_same_context_is_the_same_image_again(baked: tuple[Path, str], tmp_path: Path) -> None:
    """Without a cache, from a checkout with other times and modes. BuildKit before 0.11 dates the image itself."""
    context, name = baked
    first = docker("inspect", "--format", "{{.Id}} {{.Created}}", name)
    copy = tmp_path / "context"
    shutil.copytree(context, copy, copy_function=shutil.copyfile)
    (copy / "serve").chmod(0o755)
    again = f"{name}-again"
    try:
        build(copy, again, "--no-cache", "--build-arg=MODEL=baked")
        assert layers_of(again) == layers_of(name)
        if first.endswith("1980-01-01T00:00:00Z"):
            assert docker("inspect", "--format", "{{.Id}} {{.Created}}", again) == first
    finally:
        docker("rmi", "--force", again)


def test_the_image_keeps_sagemakers_contract(image: str, model: Path) -> None:
    assert broken_by(image, model) == set()
