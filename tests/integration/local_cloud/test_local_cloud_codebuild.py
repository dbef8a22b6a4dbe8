# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cloud's CodeBuild: projects as AWS keeps them, and builds that really run their commands.

Each rule names its source in the code that keeps it (files/local_cloud/local_cloud/codebuild).
"""

from __future__ import annotations

import io
import json
import os
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_process import LocalCloud, is_gone
from local_cloud_users import ACCOUNT, REGION, Identity, allow, denial, document, new_user

TRUST = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/builder"
# How long to wait for what must come before the test counts as hung. Not a statement about speed.
PATIENCE = 120


def buildspec(**phases: list[str]) -> str:
    return json.dumps({"version": 0.2, "phases": {name: {"commands": commands} for name, commands in phases.items()}})


@dataclass
class Builder:
    """A cloud with a role, a bucket with a source in it, and short ways to make the rest."""

    cloud: LocalCloud

    @property
    def client(self) -> Any:
        return self.cloud.client("codebuild")

    def project(self, spec: str, **changes: Any) -> str:
        name = f"project-{uuid.uuid4().hex[:8]}"
        wanted = {
            "name": name,
            "source": {"type": "S3", "location": "sources/context.zip", "buildspec": spec},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            "serviceRole": ROLE,
        }
        self.client.create_project(**{**wanted, **changes})
        return name

    def start(self, project: str, **overrides: Any) -> str:
        return self.client.start_build(projectName=project, **overrides)["build"]["id"]

    def build(self, build_id: str) -> dict[str, Any]:
        (found,) = self.client.batch_get_builds(ids=[build_id])["builds"]
        return found

    def wait(self, build_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while not condition(found := self.build(build_id)):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def ended(self, build_id: str) -> dict[str, Any]:
        return self.wait(build_id, lambda build: build["buildComplete"])

    def run(self, spec: str, **overrides: Any) -> dict[str, Any]:
        return self.ended(self.start(self.project(spec), **overrides))

    def log(self, build: dict[str, Any]) -> list[str]:
        logs = self.cloud.client("logs")
        events = logs.get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"], startFromHead=True
        )["events"]
        return [event["message"] for event in events]


def furnish(cloud: LocalCloud) -> Builder:
    iam, s3 = cloud.client("iam"), cloud.client("s3")
    iam.create_role(RoleName="builder", AssumeRolePolicyDocument=document(TRUST))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("words.txt", "from the source\n")
        script = zipfile.ZipInfo("say.sh")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, "#!/bin/sh\necho said $1\n")
    s3.create_bucket(Bucket="sources")
    s3.put_object(Bucket="sources", Key="context.zip", Body=packed.getvalue())
    return Builder(cloud)


@pytest.fixture(scope="module")
def builder(new_cloud: Callable[..., LocalCloud]) -> Builder:
    cloud = new_cloud()
    cloud.start()
    return furnish(cloud)


def phases(build: dict[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def test_a_build_goes_through_aws_phases_and_runs_its_commands_in_the_source(builder: Builder) -> None:
    build = builder.run(
        buildspec(
            install=["export GREETING=hello"],
            pre_build=["mkdir inner && cd inner"],
            build=["cat ../words.txt", "../say.sh $GREETING", "pwd"],
            post_build=["echo succeeding $CODEBUILD_BUILD_SUCCEEDING"],
        )
    )
    assert build["buildStatus"] == "SUCCEEDED"
    assert list(phases(build)) == [
        "SUBMITTED",
        "QUEUED",
        "PROVISIONING",
        "DOWNLOAD_SOURCE",
        "INSTALL",
        "PRE_BUILD",
        "BUILD",
        "POST_BUILD",
        "UPLOAD_ARTIFACTS",
        "FINALIZING",
        "COMPLETED",
    ]
    assert set(phases(build).values()) == {"SUCCEEDED", ""}
    lines = builder.log(build)
    assert "from the source" in lines
    assert "said hello" in lines
    assert any(line.endswith("/src/inner") for line in lines)
    assert "succeeding 1" in lines
    assert any(line.startswith("[Container] ") and "Running command cat ../words.txt" in line for line in lines)


def test_commands_have_the_documented_variables_and_the_clouds_aws(builder: Builder) -> None:
    project = builder.project(buildspec(build=["env", "aws ecr get-login-password --region $AWS_REGION"]))
    variable = {"name": "FROM_REQUEST", "value": "two words"}
    build = builder.ended(builder.start(project, environmentVariablesOverride=[variable]))
    lines = builder.log(build)
    told = dict(line.partition("=")[::2] for line in lines if "=" in line)
    assert told["FROM_REQUEST"] == "two words"
    assert told["CODEBUILD_BUILD_ID"] == build["id"]
    assert told["CODEBUILD_BUILD_ARN"] == build["arn"]
    assert told["CODEBUILD_SOURCE_REPO_URL"] == "sources/context.zip"
    assert told["AWS_REGION"] == told["AWS_DEFAULT_REGION"] == REGION
    assert told["AWS_ENDPOINT_URL"] == builder.cloud.url
    assert "DOCKER_HOST" not in told
    # Of the shell that started the cloud, nothing.
    assert told["AWS_SECRET_ACCESS_KEY"] != "of-the-person-who-starts-it"
    assert build["buildStatus"] == "SUCCEEDED"


def test_a_failed_command_is_named_with_its_status_and_post_build_still_runs(builder: Builder) -> None:
    build = builder.run(
        buildspec(build=["echo before", "exit 3", "echo after"], post_build=["echo $CODEBUILD_BUILD_SUCCEEDING"])
    )
    assert build["buildStatus"] == "FAILED"
    assert phases(build)["BUILD"] == "FAILED"
    assert phases(build)["POST_BUILD"] == phases(build)["UPLOAD_ARTIFACTS"] == "SUCCEEDED"
    (context,) = next(phase for phase in build["phases"] if phase["phaseType"] == "BUILD")["contexts"]
    assert context == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: exit 3. Reason: exit status 3",
    }
    lines = builder.log(build)
    assert "before" in lines
    assert "after" not in lines
    assert "0" in lines


def test_a_failure_before_the_build_phase_goes_straight_to_the_end(builder: Builder) -> None:
    build = builder.run(buildspec(pre_build=["false"], build=["echo never"]))
    assert list(phases(build))[-3:] == ["PRE_BUILD", "FINALIZING", "COMPLETED"]
    assert build["buildStatus"] == "FAILED"


@pytest.mark.parametrize(
    ("changes", "phase", "code", "words"),
    [
        ({"sourceLocationOverride": "sources/missing.zip"}, "DOWNLOAD_SOURCE", "CLIENT_ERROR", "NoSuchKey"),
        ({"buildspecOverride": "{version: 0.2}"}, "DOWNLOAD_SOURCE", "YAML_FILE_ERROR", "no phases"),
        ({"buildspecOverride": "absent.yml"}, "DOWNLOAD_SOURCE", "YAML_FILE_ERROR", "YAML file does not exist"),
        ({"privilegedModeOverride": True}, "PROVISIONING", "CLIENT_ERROR", "needs a Docker engine"),
    ],
)
def test_what_cannot_be_built_is_a_failed_build_that_says_why(
    builder: Builder, changes: dict[str, Any], phase: str, code: str, words: str
) -> None:
    build = builder.run(buildspec(build=["true"]), **changes)
    assert build["buildStatus"] == "FAILED"
    failed = next(each for each in build["phases"] if each.get("phaseStatus") == "FAILED")
    assert failed["phaseType"] == phase
    assert failed["contexts"][0]["statusCode"] == code
    assert words in failed["contexts"][0]["message"]


def test_stop_build_kills_what_runs(builder: Builder) -> None:
    project = builder.project(buildspec(build=["sleep 600 & echo $! > $HOME/../../pid-$CODEBUILD_BUILD_NUMBER; wait"]))
    build_id = builder.start(project)
    pids = builder.cloud.home / "builds" / "pid-1"
    builder.wait(build_id, lambda build: build["currentPhase"] == "BUILD" and pids.exists() and pids.read_text())
    stopped = builder.client.stop_build(id=build_id)["build"]
    assert stopped["buildStatus"] == "STOPPED"
    assert phases(stopped)["BUILD"] == "STOPPED"
    assert is_gone(int(pids.read_text()))
    assert not (builder.cloud.home / "builds" / build_id.partition(":")[2]).exists()


def test_one_token_starts_one_build_and_a_changed_request_is_refused(builder: Builder) -> None:
    project = builder.project(buildspec(build=["true"]))
    token = uuid.uuid4().hex
    first = builder.start(project, idempotencyToken=token)
    assert builder.start(project, idempotencyToken=token) == first
    with pytest.raises(ClientError, match="InvalidInputException"):
        builder.start(project, idempotencyToken=token, sourceVersion="another")
    second = builder.start(project)
    assert builder.client.list_builds_for_project(projectName=project)["ids"] == [second, first]


def test_projects_are_made_changed_listed_and_deleted_as_on_aws(builder: Builder) -> None:
    name = builder.project(buildspec(build=["true"]), tags=[{"key": "team", "value": "blue"}])
    with pytest.raises(ClientError, match=f"Project already exists: arn:aws:codebuild:.*:project/{name}"):
        builder.client.create_project(
            name=name, source={"type": "NO_SOURCE", "buildspec": "version: 0.2"}, serviceRole=ROLE,
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
        )  # fmt: skip
    builder.client.update_project(name=name, timeoutInMinutes=30)
    found = builder.client.batch_get_projects(names=[name, "missing"])
    assert found["projectsNotFound"] == ["missing"]
    (project,) = found["projects"]
    assert (project["timeoutInMinutes"], project["tags"]) == (30, [{"key": "team", "value": "blue"}])
    assert name in builder.client.list_projects()["projects"]
    builder.client.delete_project(name=name)
    builder.client.delete_project(name=name)
    with pytest.raises(ClientError, match="Project cannot be found"):
        builder.start(name)


def test_a_role_that_codebuild_may_not_assume_is_refused(builder: Builder) -> None:
    trust = document({**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}})
    role = builder.cloud.client("iam").create_role(RoleName="another", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    with pytest.raises(ClientError, match=r"CodeBuild is not authorized to perform: sts:AssumeRole on .*another"):
        builder.project(buildspec(build=["true"]), serviceRole=role)


def test_builds_end_with_the_cloud_and_their_records_stay(new_cloud: Callable[..., LocalCloud]) -> None:
    cloud = new_cloud()
    cloud.start()
    builder = furnish(cloud)
    build_id = builder.start(builder.project(buildspec(build=["echo $$ > $HOME/../../pid; sleep 600"])))
    pid_file = cloud.home / "builds" / "pid"
    builder.wait(build_id, lambda _: pid_file.exists() and bool(pid_file.read_text()))
    pid = int(pid_file.read_text())
    os.kill(int((cloud.home / "cloud.pid").read_text()), 9)
    deadline = time.monotonic() + PATIENCE
    while not is_gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cloud.start()
    build = builder.build(build_id)
    assert (build["buildStatus"], build["buildComplete"]) == ("FAULT", True)
    assert build["phases"][-2]["contexts"][0]["message"] == "The local cloud ended while the build ran."


@pytest.fixture(scope="module")
def guarded(new_cloud: Callable[..., LocalCloud]) -> Builder:
    """A cloud that enforces permissions."""
    cloud = new_cloud(options=("--enforce-iam",))
    cloud.start()
    return furnish(cloud)


READ = allow("s3:GetObject", "arn:aws:s3:::sources/*")
LOG = allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*")


def give(builder: Builder, *statements: dict[str, Any]) -> None:
    builder.cloud.client("iam").put_role_policy(
        RoleName="builder", PolicyName="only", PolicyDocument=document(*statements)
    )


def first_failure(build: dict[str, Any]) -> tuple[str, str]:
    failed = next(each for each in build["phases"] if each.get("phaseStatus") == "FAILED")
    return failed["phaseType"], failed["contexts"][0]["message"]


def test_a_build_acts_as_its_service_role(guarded: Builder) -> None:
    give(guarded, READ, LOG)
    spec = buildspec(build=["aws sts get-caller-identity", "aws ecr get-login-password"])
    build = guarded.run(spec)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/builder/AWSCodeBuild-{build['id'].partition(':')[2]}"
    assert session in guarded.log(build)
    assert build["buildStatus"] == "FAILED"
    assert any("ecr:GetAuthorizationToken" in line and session in line for line in guarded.log(build))
    give(guarded, READ, LOG, allow("ecr:GetAuthorizationToken"))
    assert guarded.run(spec)["buildStatus"] == "SUCCEEDED"


def test_a_role_without_the_source_or_the_log_fails_the_build_in_awss_words(guarded: Builder) -> None:
    give(guarded, LOG)
    phase, message = first_failure(guarded.run(buildspec(build=["true"])))
    assert phase == "DOWNLOAD_SOURCE"
    assert "is not authorized to perform: s3:GetObject" in message
    give(guarded, READ)
    phase, message = first_failure(guarded.run(buildspec(build=["true"])))
    assert phase == "PROVISIONING"
    assert "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams" in message


def test_callers_need_the_action_on_the_project_and_the_right_to_pass_the_role(guarded: Builder) -> None:
    project = guarded.project(buildspec(build=["true"]))
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{project}"
    user: Identity = new_user(guarded.cloud, allow(["codebuild:StartBuild", "codebuild:UpdateProject"], arn))
    client = user.client("codebuild")
    build_id = client.start_build(projectName=project)["build"]["id"]
    for call, action, parameters in (
        (client.batch_get_builds, "codebuild:BatchGetBuilds", {"ids": [build_id]}),
        (client.stop_build, "codebuild:StopBuild", {"id": build_id}),
        (client.delete_project, "codebuild:DeleteProject", {"name": project}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**parameters)
        assert refused.value.response["Error"]["Message"] == denial(user, action, arn)
    with pytest.raises(ClientError) as refused:
        client.update_project(name=project, serviceRole=ROLE)
    assert refused.value.response["Error"]["Message"] == denial(user, "iam:PassRole", ROLE)
    guarded.ended(build_id)
