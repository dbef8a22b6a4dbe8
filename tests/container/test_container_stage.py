# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Docker answers, a local stage builds its image for real, pushes it to the local ECR and runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from stage_project import ANSWER, Project, Traffic, ask

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    # A build's own network may not reach a package index; the host's does.
    project.new_stage("docked", image_builder="auto", image_network="host")
    yield project
    project.play("teardown", "docked")


def image(project: Project) -> str:
    client = project.client("sagemaker")
    endpoint = client.describe_endpoint(EndpointName="modelhost-docked")
    config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = client.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    return model["PrimaryContainer"]["Image"]


def containers(project: Project) -> list[str]:
    """The images of the containers that run for this project's local cloud."""
    running = docker.from_env().containers.list()
    return [
        str(each.image.tags or each.attrs["Config"]["Image"])
        for each in running
        if str(project.port) in str(each.attrs)
    ]


def test_a_container_of_the_pushed_image_answers(project: Project) -> None:
    run = project.play("deploy", "docked")
    assert "Build the image with Docker" in run.output
    assert ask(project.url("docked")) == (200, ANSWER)
    details = project.client("ecr").describe_images(repositoryName="modelhost-docked")["imageDetails"]
    assert image(project).split("@")[1] in [each["imageDigest"] for each in details]
    assert containers(project)


def test_the_image_is_one_that_sagemaker_takes(project: Project) -> None:
    (found,) = project.client("ecr").batch_get_image(
        repositoryName="modelhost-docked", imageIds=[{"imageDigest": image(project).split("@")[1]}]
    )["images"]
    assert found["imageManifestMediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_a_second_deploy_builds_and_pushes_nothing(project: Project) -> None:
    before = project.calls_so_far()
    assert project.play("deploy", "docked").changed == 0
    assert project.writes(before) == []


def test_an_edited_handler_is_built_and_rotated_without_losing_a_request(project: Project) -> None:
    before = image(project)
    handler: Path = project.root / "files" / "docker" / "serving" / "model_handler.py"
    handler.write_text(handler.read_text() + "\n# edited\n")
    with Traffic(project.url("docked")) as traffic:
        project.play("deploy", "docked")
    assert image(project) != before
    assert not traffic.bad, traffic.bad[:3]
    assert traffic.good > 10
