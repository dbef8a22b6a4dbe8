# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployer without Docker: the local cloud's CodeBuild builds the image with a real engine, as AWS's would.

The stage is deployed and torn down by users who have the documented policies and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "stages"))

from stage_policies import (
    User,
    actions_in,
    actions_of,
    demo_url,
    denied,
    new_user,
    start_cloud,
)
from stage_project import ANSWER, Project, ask

pytestmark = pytest.mark.docker

# Actions of build.json that this life of a stage has no occasion for; docs/iam/README.md says what each is for.
NO_OCCASION = {
    "codebuild:UpdateProject",  # another size of machine, another timeout
    "iam:DetachRolePolicy",  # a role that somebody attached a policy to
    "iam:UntagRole",  # what others changed by hand
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "logs:TagLogGroup",
    "logs:UntagLogGroup",
    "s3:AbortMultipartUpload",  # a context of more than one part, as with a model in it
    "s3:ListMultipartUploadParts",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"))
    # A build's own network may not reach a package index; the host's does.
    project.new_stage("remote", image_builder="codebuild", image_network="host", local_cloud_enforce_iam=True)
    project.play("policy", "remote")
    start_cloud(project, "remote")
    yield project
    project.play("stop", "remote")
    engine = docker.from_env()
    for image in engine.images.list():
        for tag in image.tags:
            if tag.startswith(f"127.0.0.1:{project.port}/"):
                engine.images.remove(tag)


@pytest.fixture(scope="module")
def policies(project: Project) -> Path:
    return project.root / "build" / "policies" / "remote"


@pytest.fixture(scope="module")
def deployer(project: Project, policies: Path) -> User:
    iam = project.client("iam")
    text = (policies / "boundary.json").read_text()
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=text)["Policy"]["Arn"]
    project.change("remote", stage_permissions_boundary=boundary)
    return new_user(project, "deployer", policies, "read", "deploy", "build")


@pytest.fixture(scope="module")
def deployed(project: Project, deployer: User) -> str:
    """What the first deployment printed. Its command finds no docker: the engine is CodeBuild's alone."""
    run = project.play("deploy", "remote", env={**deployer.environment, "DOCKER_HOST": "unix:///no/engine.sock"})
    return run.output


def manifest(project: Project) -> dict[str, Any]:
    ecr = project.client("ecr")
    (found,) = ecr.batch_get_image(repositoryName="modelhost-remote", imageIds=[{"imageTag": "latest"}])["images"]
    return dict(found)


def test_a_stage_whose_image_codebuild_built_answers(project: Project, deployed: str) -> None:
    assert ask(demo_url(project)) == (200, ANSWER)
    assert "Build the image with AWS CodeBuild" in deployed
    assert denied(project.calls()) == []


def test_a_person_sees_the_build_go_through_its_phases(deployed: str) -> None:
    phases = [line.rpartition(": ")[2].split(" ")[0] for line in deployed.splitlines() if line.startswith("build mod")]
    assert phases[-1] == "COMPLETED"
    assert "BUILD" in phases


def test_the_endpoint_runs_the_very_image_that_was_built_and_it_is_one_that_sagemaker_takes(
    project: Project, deployed: str
) -> None:
    image = manifest(project)
    assert image["imageManifestMediaType"] in (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    )
    (name,) = [each["ModelName"] for each in project.client("sagemaker").list_models()["Models"]]
    used = project.client("sagemaker").describe_model(ModelName=name)["PrimaryContainer"]["Image"]
    assert used.endswith(f"@{image['imageId']['imageDigest']}")


def test_docker_finds_the_image_that_codebuild_built_and_nothing_is_written(
    project: Project, deployer: User, deployed: str
) -> None:
    """Both builders have one digest logic, so that another one builds nothing."""
    project.change("remote", image_builder="docker")
    before = project.calls_so_far()
    assert project.play("deploy", "remote", env=deployer.environment).changed == 0
    assert project.writes(before) == []
    project.change("remote", image_builder="codebuild")


def test_the_builds_role_may_not_touch_another_repository(project: Project, deployed: str) -> None:
    policy = project.client("iam").get_role_policy(RoleName="modelhost-remote-build", PolicyName="build")
    text = json.dumps(policy["PolicyDocument"])
    stars = [each["Sid"] for each in policy["PolicyDocument"]["Statement"] if each["Resource"] == "*"]
    assert stars == ["LogInToTheRegistry"]
    assert "repository/modelhost-remote" in text


def test_teardown_leaves_nothing_of_the_builds(project: Project, policies: Path, deployer: User, deployed: str) -> None:
    calls = project.calls()
    remover = new_user(project, "remover", policies, "read", "teardown")
    # Another stage on the cloud, so that it goes on running and can be asked.
    (project.root / ".local_cloud" / str(project.port) / "stages" / "another").touch()
    before = project.calls_so_far()
    run = project.play("teardown", "remote", env=remover.environment)
    assert "build project modelhost-remote" in run.output.partition("did not find")[2]
    assert denied(project.calls(before)) == []
    assert project.client("codebuild").list_projects()["projects"] == []
    assert {"codebuild:DeleteProject", "codebuild:BatchDeleteBuilds"} <= actions_of(project.calls(before), remover)
    assert actions_in(policies, "build") - actions_of(calls, deployer) == NO_OCCASION
