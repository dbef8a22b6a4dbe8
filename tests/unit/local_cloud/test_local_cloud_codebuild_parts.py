# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local cloud's CodeBuild decides: buildspecs, a build's record, what its calls have to be allowed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.codebuild.build_record import begin_phase, complete, end_phase, new_build
from local_cloud.codebuild.buildspec import BuildspecError, is_inline, parse
from local_cloud.codebuild.phase_script import DIRECTORY, failed_command, phase_script
from local_cloud.codebuild.project_rules import check_project
from local_cloud.codebuild.records import PAGE_SIZE, page
from local_cloud.iam.codebuild import required

CALLER = Caller("123456789012", "eu-central-1")
PROJECT: dict[str, Any] = {
    "name": "demo",
    "source": {"type": "S3", "location": "bucket/key.zip", "buildspec": "version: 0.2"},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "computeType": "BUILD_GENERAL1_SMALL",
        "environmentVariables": [{"name": "A", "value": "project"}, {"name": "B", "value": "project"}],
    },
    "serviceRole": "arn:aws:iam::123456789012:role/builder",
    "timeoutInMinutes": 60,
    "queuedTimeoutInMinutes": 480,
    "encryptionKey": "alias/aws/s3",
}


def test_a_buildspec_is_read_with_its_phases_variables_and_shell() -> None:
    spec = parse(
        "version: 0.2\n"
        "env: {shell: bash, variables: {KEY: 7}}\n"
        "phases:\n"
        "  build: {commands: ['make'], finally: ['clean'], on-failure: CONTINUE}\n"
    )
    assert (spec.shell, spec.variables) == ("bash", {"KEY": "7"})
    build = spec.phases["build"]
    assert (build.commands, build.finally_commands, build.goes_on) == (("make",), ("clean",), True)
    assert spec.phases["install"].commands == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 0.2", "has no phases"),
        ("version: 9\nphases: {build: {commands: [a]}}", "invalid buildspec version 9"),
        ("version: 0.2\nphases: {compile: {commands: [a]}}", "unknown phase compile"),
        ("version: 0.2\nphases: {build: {commands: [a: b]}}", "each a string"),
        ("version: 0.2\nenv: {secrets-manager: {A: b}}\nphases: {build: {commands: [a]}}", "env/secrets-manager"),
        ("version: 0.2\nreports: {a: {}}\nphases: {build: {commands: [a]}}", "does not serve reports"),
        ("{", "not valid YAML"),
    ],
)
def test_a_buildspec_that_cannot_be_run_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(BuildspecError, match=words):
        parse(text)


def test_a_buildspec_is_told_from_the_path_of_one() -> None:
    assert is_inline("version: 0.2\nphases: {}")
    assert is_inline('{"version": 0.2}')
    assert not is_inline("ci/buildspec.yml")


def test_a_startbuild_variable_replaces_the_projects_and_the_project_stays() -> None:
    request = {"environmentVariablesOverride": [{"name": "B", "value": "request"}], "imageOverride": "another"}
    build = new_build(CALLER, PROJECT, request, "0a1b", 3, 1000.0)
    values = {each["name"]: each["value"] for each in build["environment"]["environmentVariables"]}
    assert values == {"A": "project", "B": "request"}
    assert build["environment"]["image"] == "another"
    assert PROJECT["environment"]["image"].endswith(":6.0")
    assert (build["id"], build["arn"]) == ("demo:0a1b", "arn:aws:codebuild:eu-central-1:123456789012:build/demo:0a1b")
    assert (build["logs"]["groupName"], build["logs"]["streamName"]) == ("/aws/codebuild/demo", "0a1b")


def test_a_build_that_ends_within_a_phase_ends_the_phase_with_it() -> None:
    build = new_build(CALLER, PROJECT, {}, "0a1b", 1, 1000.0)
    end_phase(build, "SUCCEEDED", 1001.0)
    begin_phase(build, "BUILD", 1002.0)
    complete(build, "STOPPED", 1009.5)
    assert [(each["phaseType"], each.get("phaseStatus")) for each in build["phases"]] == [
        ("SUBMITTED", "SUCCEEDED"),
        ("BUILD", "STOPPED"),
        ("COMPLETED", None),
    ]
    assert build["phases"][1]["durationInSeconds"] == 7
    assert (build["buildStatus"], build["buildComplete"], build["endTime"]) == ("STOPPED", True, 1009.5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": {"type": "GITHUB", "location": "x/y"}}, "no sources of type GITHUB"),
        ({"source": {"type": "S3", "location": "bucket"}}, "must be a valid S3 source"),
        ({"source": {"type": "NO_SOURCE"}}, "buildspec must be specified"),
        ({"artifacts": {"type": "S3"}}, "keeps no artifacts"),
        ({"environment": {**PROJECT["environment"], "type": "MAC_ARM"}}, "no environments of type MAC_ARM"),
        (
            {"environment": {"type": "ARM_CONTAINER", "environmentVariables": [{"name": "CODEBUILD_X", "value": ""}]}},
            "is reserved",
        ),
    ],
)
def test_a_project_that_cannot_be_built_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words) as refused:
        check_project({**PROJECT, **changes})
    assert refused.value.code == "InvalidInputException"


def run(commands: list[str], directory: Path, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    script = directory / "script.sh"
    script.write_text(phase_script(commands, directory, succeeding=True))
    return subprocess.run([shell, str(script)], capture_output=True, text=True)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_phases_share_variables_and_directory_and_commands_even_functions(tmp_path: Path, shell: str) -> None:
    (tmp_path / DIRECTORY).write_text(f"{tmp_path}\n")
    first = ['export NAME="it\'s\nhere"', "mkdir -p sub && cd sub", "f() { echo called; }", "f"]
    assert "called" in run(first, tmp_path, shell).stdout
    second = run(['echo "<$NAME>"', "pwd"], tmp_path, shell).stdout
    assert "<it's\nhere>" in second
    assert f"{tmp_path}/sub\n" in second


@pytest.mark.parametrize(
    ("command", "status"), [("exit 3", 3), ("false", 1), ("no-such-program", 127), ("echo 'unclosed", 2)]
)
def test_the_first_command_that_fails_ends_the_phase_and_is_known(tmp_path: Path, command: str, status: int) -> None:
    (tmp_path / DIRECTORY).write_text(f"{tmp_path}\n")
    commands = ["true", command, "echo never"]
    done = run(commands, tmp_path)
    assert done.returncode == status
    assert "\nnever" not in done.stdout
    assert failed_command(commands, tmp_path) == command


def test_pages_have_a_hundred_and_a_foreign_token_is_refused() -> None:
    names = [str(number) for number in range(PAGE_SIZE + 1)]
    first, token = page(names, None)
    assert (len(first), page(names, token)) == (PAGE_SIZE, ([names[-1]], None))
    with pytest.raises(AwsError, match="Invalid nextToken"):
        page(names, "!")


@pytest.mark.parametrize(
    ("operation", "parameters", "wanted"),
    [
        ("StartBuild", {"projectName": "demo"}, ["codebuild:StartBuild project/demo"]),
        (
            "BatchGetBuilds",
            {"ids": ["demo:1", "arn:aws:codebuild:eu-central-1:123456789012:build/other:2"]},
            ["codebuild:BatchGetBuilds project/demo", "codebuild:BatchGetBuilds project/other"],
        ),
        ("ListProjects", {}, ["codebuild:ListProjects *"]),
        (
            "CreateProject",
            {"name": "demo", "serviceRole": "arn:aws:iam::1:role/builder", "tags": [{"key": "k", "value": "v"}]},
            ["codebuild:CreateProject project/demo", "iam:PassRole arn:aws:iam::1:role/builder"],
        ),
    ],
)
def test_a_call_needs_its_action_on_each_project_that_it_names(
    operation: str, parameters: dict[str, Any], wanted: list[str]
) -> None:
    found = required(CALLER, operation, parameters)
    prefix = "arn:aws:codebuild:eu-central-1:123456789012:"
    assert [f"{each.action} {each.resource.removeprefix(prefix)}" for each in found] == wanted
    if operation == "CreateProject":
        assert found[0].conditions["aws:RequestTag/k"] == "v"
        assert found[1].conditions == {"iam:PassedToService": "codebuild.amazonaws.com"}
