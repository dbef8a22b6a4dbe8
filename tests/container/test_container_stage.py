# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Docker answers, a local stage builds its image for real, pushes it to the local ECR and runs it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def sboms(project: Project) -> dict[str, dict[str, Any]]:
    """The manifests of the SBOMs in the repository, by the digest of the image they refer to."""
    ecr = project.client("ecr")
    details = ecr.describe_images(repositoryName="modelhost-docked")["imageDetails"]
    tags = [tag for image in details for tag in image.get("imageTags", []) if tag.endswith(".sbom")]
    found = ecr.batch_get_image(
        repositoryName="modelhost-docked", imageIds=[{"imageTag": tag} for tag in tags] or [{"imageTag": "none"}]
    )["images"]
    manifests = [json.loads(each["imageManifest"]) for each in found]
    return {manifest["subject"]["digest"]: manifest for manifest in manifests}


def test_the_images_sbom_is_beside_it_in_ecr_and_on_this_machine(project: Project) -> None:
    digest = image(project).split("@")[1]
    manifest = sboms(project)[digest]
    assert manifest["artifactType"] == "application/vnd.cyclonedx+json"
    url = project.client("ecr").get_download_url_for_layer(
        repositoryName="modelhost-docked", layerDigest=manifest["layers"][0]["digest"]
    )["downloadUrl"]
    with urllib.request.urlopen(url) as answer:
        content = answer.read()
    assert content == (project.root / "build" / "sbom" / f"{digest.removeprefix('sha256:')}.cdx.json").read_bytes()
    document = json.loads(content)
    assert {"onnxruntime", "tokenizers"} <= {component["name"] for component in document["components"]}
    said = {each["name"]: each["value"] for each in document["metadata"]["component"]["properties"]}
    assert said["modelhost:packages-from"] == "image"
    assert said["modelhost:base"] == "python:3.11-slim"


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


def test_a_model_in_the_image_is_served_from_it(project: Project) -> None:
    before = image(project)
    project.change("docked", model_serving_model_delivery="image")
    project.play("deploy", "docked")
    assert ask(project.url("docked")) == (200, ANSWER)
    assert image(project) != before
    name = project.client("sagemaker").describe_endpoint(EndpointName="modelhost-docked")["EndpointConfigName"]
    config = project.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    model = project.client("sagemaker").describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert "ModelDataUrl" not in model["PrimaryContainer"]
    # The copy that it was built from is gone.
    assert not list((project.root / "build" / "images").iterdir())


def test_every_image_that_is_kept_has_its_sbom_and_no_other_is_left(project: Project) -> None:
    details = project.client("ecr").describe_images(repositoryName="modelhost-docked")["imageDetails"]
    tags = {each["imageDigest"]: each.get("imageTags") or [] for each in details}
    images = {digest for digest, names in tags.items() if any(name.startswith("digest-") for name in names)}
    assert len(images) >= 2
    assert set(sboms(project)) == images
