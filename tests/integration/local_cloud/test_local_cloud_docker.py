# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker image, pushed with `docker push` and served by a container."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from local_cloud_images import SERVER
from local_cloud_process import LocalCloud
from local_cloud_workbench import Workbench, furnish

pytestmark = pytest.mark.docker

DOCKERFILE = """
FROM python:3.11-slim
COPY server.py /opt/program/server.py
RUN printf '#!/bin/sh\\nexec python /opt/program/server.py\\n' > /usr/local/bin/serve && chmod 755 /usr/local/bin/serve
ENV SERVING_HOST=0.0.0.0 SAGEMAKER_BASE_DIR=/opt/ml PYTHONPATH=/opt/program
WORKDIR /opt/program
"""


def docker(*arguments: str, config: Path | None = None) -> str:
    """Run docker. config: the directory with somebody's logins; nobody is logged in without it."""
    argv = ["docker", *(["--config", str(config)] if config else []), *arguments]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build_small(directory: Path, *tags: str) -> None:
    """Build an image of one small file, another one each time."""
    (directory / "file").write_bytes(os.urandom(100))
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    docker("build", "--quiet", *(f"--tag={tag}" for tag in tags), str(directory))


def log_in(cloud: LocalCloud, config: Path, account: str = "000000000000", region: str = "us-east-1") -> Any:
    """`aws ecr get-login-password | docker login`; returns the account's ECR client."""
    ecr = boto3.client(
        "ecr",
        endpoint_url=cloud.url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="local",
    )
    token = base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).decode()
    login = ["docker", "--config", str(config), "login", "--username", "AWS", "--password-stdin"]
    address = f"127.0.0.1:{cloud.port}"
    subprocess.run([*login, address], input=token.partition(":")[2], text=True, check=True, capture_output=True)
    return ecr


def containers_of(cloud: LocalCloud, *options: str) -> list[str]:
    label = f"label=modelhost.sagemaker.local-cloud.home={cloud.home}"
    return docker("ps", "--quiet", "--no-trunc", "--filter", label, *options).split()


@pytest.fixture(scope="module")
def bench(new_cloud: Callable[..., LocalCloud], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A cloud that knows the Docker engine, with an image in its registry that was built and pushed with Docker."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        pytest.skip("no Docker engine")
    cloud = new_cloud(startup_timeout=60, docker_host=os.environ.get("DOCKER_HOST"))
    cloud.start()
    bench = furnish(cloud)
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "server.py").write_text(SERVER)
    tag = f"127.0.0.1:{cloud.port}/demo/docker:v1"
    log_in(cloud, context / "login").create_repository(repositoryName="demo/docker")
    docker("build", "--quiet", "--tag", tag, str(context))
    docker("push", "--quiet", tag, config=context / "login")
    image = cloud.client("ecr").describe_images(repositoryName="demo/docker")["imageDetails"][0]
    bench.image = f"000000000000.dkr.ecr.us-east-1.amazonaws.com/demo/docker@{image['imageDigest']}"
    docker("rmi", "--no-prune", tag)
    yield bench
    cloud.stop()
    assert containers_of(cloud, "--all") == []
    docker("rmi", f"{tag.rpartition(':')[0]}@{image['imageDigest']}")


def test_a_container_serves_the_model_that_it_finds_under_opt_ml(bench: Workbench) -> None:
    endpoint = bench.serving(GENERATION="docker")
    answer = bench.invoke(endpoint)
    assert answer["generation"] == "docker"
    assert answer["model"] == {"weights.txt": "one"}
    assert answer["environment"]["SAGEMAKER_BIND_TO_PORT"] == "8080"
    (container,) = containers_of(bench.cloud)
    ports = docker("inspect", "--format", "{{json .NetworkSettings.Ports}}", container)
    assert '"HostIp":"127.0.0.1"' in ports
    log = next((bench.cloud.home / "endpoints" / endpoint).glob("*/container.log"))
    assert "serving generation docker" in log.read_text()
    bench.sagemaker.delete_endpoint(EndpointName=endpoint)
    bench.wait("endpoint_deleted", endpoint)
    assert containers_of(bench.cloud, "--all") == []


def test_an_image_that_ends_at_its_start_fails_the_endpoint(bench: Workbench) -> None:
    endpoint = bench.name()
    config = bench.config(bench.model(TEST_MODE="crash"))
    bench.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    with pytest.raises(Exception, match="Failed"):
        bench.wait("endpoint_in_service", endpoint)
    log = bench.describe(endpoint)["FailureReason"].rpartition("its log is ")[2]
    assert "this model is broken on purpose" in Path(log).read_text()


def test_a_container_that_is_killed_is_replaced(bench: Workbench) -> None:
    endpoint = bench.serving()
    (first,) = containers_of(bench.cloud)
    docker("kill", first)
    assert bench.invoke(endpoint)["pid"]
    assert containers_of(bench.cloud) not in ([], [first])


def test_endpoints_of_containers_come_back_after_a_restart(bench: Workbench) -> None:
    endpoint = bench.serving(GENERATION="back")
    bench.cloud.stop()
    assert containers_of(bench.cloud, "--all") == []
    bench.cloud.start()
    assert bench.invoke(endpoint)["generation"] == "back"


def test_docker_pushes_and_pulls_for_any_account_and_region_of_a_login(bench: Workbench, tmp_path: Path) -> None:
    cloud, tag = bench.cloud, f"127.0.0.1:{bench.cloud.port}/elsewhere/image:v1"
    ecr = log_in(cloud, tmp_path, "222222222222", "eu-north-1")
    ecr.create_repository(repositoryName="elsewhere/image")
    build_small(tmp_path, tag)
    docker("push", "--quiet", tag, config=tmp_path)
    docker("rmi", tag)
    (details,) = ecr.describe_images(repositoryName="elsewhere/image")["imageDetails"]
    assert details["imageTags"] == ["v1"]
    docker("pull", "--quiet", tag, config=tmp_path)
    assert details["imageDigest"] in docker("inspect", "--format", "{{.RepoDigests}}", tag)
    docker("rmi", tag)
    log_in(cloud, tmp_path)
    with pytest.raises(
        AssertionError, match="The repository with name 'elsewhere/image' does not exist in the registry"
    ):
        docker("pull", tag, config=tmp_path)


def test_docker_hears_ecrs_refusals(bench: Workbench, tmp_path: Path) -> None:
    registry = f"127.0.0.1:{bench.cloud.port}"
    ecr = log_in(bench.cloud, tmp_path / "login")
    ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    build_small(tmp_path, f"{registry}/fixed:v1", f"{registry}/missing:v1")
    with pytest.raises(AssertionError, match="no basic auth credentials"):
        docker("push", f"{registry}/fixed:v1", config=tmp_path / "nobody")
    with pytest.raises(AssertionError, match="The repository with name 'missing' does not exist in the registry"):
        docker("push", f"{registry}/missing:v1", config=tmp_path / "login")
    docker("push", "--quiet", f"{registry}/fixed:v1", config=tmp_path / "login")
    build_small(tmp_path, f"{registry}/fixed:v1")
    with pytest.raises(
        AssertionError, match="The image tag 'v1' already exists in the 'fixed' repository and cannot be"
    ):
        docker("push", f"{registry}/fixed:v1", config=tmp_path / "login")
    for name in ("fixed:v1", "missing:v1"):
        docker("rmi", f"{registry}/{name}")
