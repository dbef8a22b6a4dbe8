# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to have an image built, decided without AWS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import (
    Found,
    FoundBuild,
    FoundPhase,
    FoundProject,
    InvalidBuild,
    Wanted,
    start_parameters,
    wanted,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.plan import (
    describe_found,
    describe_wanted,
    plan_absent,
    plan_present,
    plan_sweep,
    running_build,
    starts_again,
)

PARAMS: dict[str, Any] = {
    "name": "modelhost-prod",
    "context": "/build/images/0a1b",
    "context_digest": "0a1b",
    "bucket": "contexts",
    "prefix": "codebuild",
    "repository": "modelhost-prod",
    "image_tags": ["context-0a1b", "latest"],
    "dockerfile": "Dockerfile.serve",
    "platform": "linux/amd64",
    "build_args": {"RUNTIME": "compiled", "EXTRA_INDEX_URL": ""},
    "labels": {"org.opencontainers.image.title": "modelhost-prod"},
    "network": None,
    "service_role_arn": "arn:aws:iam::123456789012:role/modelhost-prod-build",
    "compute_type": "BUILD_GENERAL1_MEDIUM",
    "timeout_minutes": 60,
    "log_group": "/aws/codebuild/modelhost-prod",
    "tags": {"modelhost:stage": "prod"},
}
REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
KEY = "codebuild/0a1b.zip"


def want(**changes: Any) -> Wanted:
    return wanted({**PARAMS, **changes}, REGISTRY)


def project(request: Wanted, **changes: Any) -> FoundProject:
    """The project as CodeBuild describes it, with members that nobody asked for."""
    parameters = {**request.project.parameters(), "arn": "arn:…", "cache": {"type": "NO_CACHE"}, **changes}
    return FoundProject(
        {**parameters, "environment": {**parameters["environment"], "environmentVariables": []}}, 1000.0
    )


def build(number: int, status: str = "SUCCEEDED", tag: str = "context-0a1b", **changes: Any) -> FoundBuild:
    return replace(
        FoundBuild(f"modelhost-prod:{number}", status, "BUILD", tag, f"contexts/codebuild/{tag}.zip"), **changes
    )


def sentences(request: Wanted, found: Found) -> list[str]:
    return [step.sentence for step in plan_present(request, found, "1.2 MB")]


def test_a_first_build_makes_the_project_uploads_the_context_and_starts() -> None:
    assert sentences(want(), Found()) == [
        "create project modelhost-prod",
        "upload the build context (1.2 MB) to s3://contexts/codebuild/0a1b.zip",
        "start a build of modelhost-prod:context-0a1b",
    ]


def test_an_image_that_is_there_needs_nothing() -> None:
    found = Found(image_digest="sha256:0a", keys=frozenset())
    assert plan_present(want(), found, "") == []
    assert describe_wanted(want(), found) == describe_found(found)


def test_what_is_there_already_is_neither_made_nor_uploaded_again() -> None:
    found = Found(project(want()), keys=frozenset({KEY}))
    assert sentences(want(), found) == ["start a build of modelhost-prod:context-0a1b"]


def test_a_running_build_of_the_same_context_is_adopted_and_one_of_another_is_not() -> None:
    same, other = build(2, "IN_PROGRESS"), build(3, "IN_PROGRESS", tag="context-ffff")
    found = Found(project(want()), builds=(other, same), keys=frozenset({KEY}))
    assert plan_present(want(), found, "") == []
    assert running_build(want().build, found) == same
    alone = replace(found, builds=(other,))
    assert running_build(want().build, alone) is None
    assert sentences(want(), alone) == ["start a build of modelhost-prod:context-0a1b"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compute_type": "BUILD_GENERAL1_LARGE"}, "build environment"),
        ({"platform": "linux/arm64"}, "build environment"),
        ({"timeout_minutes": 30}, "timeout"),
        ({"log_group": "/elsewhere"}, "log group"),
        ({"tags": {}}, "tags"),
        ({"build_args": {"ANOTHER": "1"}}, "commands"),
        ({"service_role_arn": "arn:aws:iam::123456789012:role/another"}, "service role"),
    ],
)
def test_a_project_that_differs_is_changed_and_the_sentence_says_in_what(changes: dict[str, Any], words: str) -> None:
    found = Found(project(want()), keys=frozenset({KEY}))
    assert sentences(want(**changes), found)[0] == f"change the {words} of project modelhost-prod"


def test_another_context_leaves_the_project_as_it_is() -> None:
    other = want(
        context_digest="ffff",
        image_tags=["context-ffff", "latest"],
        build_args={**PARAMS["build_args"], "RUNTIME": "toolkit"},
    )
    assert sentences(other, Found(project(want()))) == [
        "upload the build context (1.2 MB) to s3://contexts/codebuild/ffff.zip",
        "start a build of modelhost-prod:context-ffff",
    ]


def test_a_build_is_told_its_context_and_everything_that_differs_from_others() -> None:
    parameters = start_parameters("modelhost-prod", want().build, "")
    told = {each["name"]: each["value"] for each in parameters["environmentVariablesOverride"]}
    assert parameters["sourceLocationOverride"] == "contexts/codebuild/0a1b.zip"
    assert told == {
        "IMAGE_REGISTRY": REGISTRY,
        "IMAGE_REPOSITORY": "modelhost-prod",
        "IMAGE_TAG": "context-0a1b",
        "IMAGE_PLATFORM": "linux/amd64",
        "IMAGE_DOCKERFILE": "Dockerfile.serve",
        "IMAGE_LABEL_1": "modelhost-prod",
        "RUNTIME": "compiled",
    }


def test_who_asks_at_the_same_time_has_the_same_token_and_who_asks_after_a_build_another() -> None:
    tokens = {start_parameters("p", want().build, last)["idempotencyToken"] for last in ("", "", "p:1", "p:2")}
    assert len(tokens) == 3
    other = start_parameters("p", want(image_tags=["context-ffff"]).build, "")["idempotencyToken"]
    assert other not in tokens


@pytest.mark.parametrize(
    ("phase", "words", "started", "again"),
    [
        ("PROVISIONING", "ACCESS_DENIED: … is not authorized to perform: logs:CreateLogStream", 1010.0, True),
        ("DOWNLOAD_SOURCE", "CLIENT_ERROR: AccessDenied: … for primary source", 1010.0, True),
        ("PROVISIONING", "ACCESS_DENIED: … is not authorized to perform: logs:CreateLogStream", 2000.0, False),
        ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR: YAML file does not exist", 1010.0, False),
        ("BUILD", "COMMAND_EXECUTION_ERROR: … is not authorized to perform: ecr:PutImage", 1010.0, False),
    ],
)
def test_only_a_fresh_role_that_is_refused_before_any_command_is_tried_again(
    phase: str, words: str, started: float, again: bool
) -> None:
    failed = build(1, "FAILED", started=started, phases=(FoundPhase(phase, "FAILED", 1, (words,)),))
    assert starts_again(failed, project(want())) is again


def test_contexts_are_deleted_once_no_running_build_reads_them() -> None:
    running = build(2, "IN_PROGRESS", tag="context-ffff", location="contexts/codebuild/ffff.zip")
    found = Found(builds=(running, build(1)), keys=frozenset({KEY, "codebuild/ffff.zip", "codebuild/old.zip"}))
    (step,) = plan_sweep("contexts", found)
    assert step.sentence == "delete 2 uploaded contexts from contexts"
    assert [each["Key"] for each in step.parameters["Delete"]["Objects"]] == [KEY, "codebuild/old.zip"]
    assert plan_sweep("contexts", replace(found, keys=frozenset())) == []


def test_teardown_stops_what_runs_and_removes_builds_project_and_contexts() -> None:
    found = Found(project(want()), builds=(build(2, "IN_PROGRESS"), build(1)), keys=frozenset({KEY}))
    assert [step.sentence for step in plan_absent("modelhost-prod", "contexts", found)] == [
        "stop build modelhost-prod:2",
        "delete the records of 2 builds",
        "delete project modelhost-prod",
        "delete 1 uploaded context from contexts",
    ]
    assert plan_absent("modelhost-prod", "contexts", Found()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "-"}, "name is '-'"),
        ({"timeout_minutes": 4}, "from 5 to 2160"),
        ({"image_tags": []}, "image_tags is empty"),
        ({"build_args": {"CODEBUILD_X": "1"}}, "must not begin with CODEBUILD_"),
        ({"build_args": {"a b": "1"}}, "letters, digits and underscores"),
        ({"build_args": {"IMAGE_TAG": "1"}}, "must not be one of"),
    ],
)
def test_a_wrong_option_is_named_with_what_would_be_right(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidBuild, match=words):
        want(**changes)
