# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker image, pushed with `docker push` and served by a container."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

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


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


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
    cloud.client("ecr").create_repository(repositoryName="demo/docker")
    docker("build", "--quiet", "--tag", tag, str(context))
    docker("push", "--quiet", tag)
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
