# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a build: run for real, by a shell that has stand-ins for docker and aws."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.buildspec import (
    buildspec,
    label_variables,
)

ARGS = {"RUNTIME": "compiled", "BASE": "python:3.11 slim; echo $HOME", "EMPTY": ""}
LABELS = {"b.title": 'a "quoted" title', "a.digest": "0a1b"}
PLACES = {
    "IMAGE_REGISTRY": "registry.example",
    "IMAGE_REPOSITORY": "modelhost-prod",
    "IMAGE_TAG": "context-0a1b",
    "IMAGE_PLATFORM": "linux/arm64",
    "IMAGE_DOCKERFILE": "Dockerfile.serve",
    "AWS_REGION": "eu-central-1",
}


def commands(**options: object) -> dict[str, list[str]]:
    document = json.loads(buildspec(ARGS, LABELS, ["latest"], **options))  # type: ignore[arg-type]
    return {name: phase["commands"] for name, phase in document["phases"].items()}


def run(directory: Path, command: str) -> list[list[str]]:
    """The calls that a command makes of docker and aws, each with what it read."""
    for name in ("docker", "aws"):
        program = directory / name
        program.write_text(
            # A file for each call: those of a pipe run at the same time.
            f'#!/bin/sh\nset -- {name} "$@"\nprintf \'%s\\0\' "$@" > {directory}/call.$$\n'
            f"[ {name} = docker ] || echo secret\n"
            f'case "$*" in *password-stdin*) cat > {directory}/stdin;; esac\n'
        )
        program.chmod(0o755)
    variables = {**PLACES, **ARGS, **label_variables(LABELS), "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}
    variables = {name: value for name, value in variables.items() if value}
    subprocess.run(["sh", "-c", command], env=variables, check=True)
    return [call.read_text().split("\0")[:-1] for call in directory.glob("call.*")]


def test_the_login_goes_through_standard_input_and_no_process_list(tmp_path: Path) -> None:
    calls = run(tmp_path, commands()["pre_build"][0])
    assert sorted(calls) == [
        ["aws", "ecr", "get-login-password", "--region", "eu-central-1"],
        ["docker", "login", "--username", "AWS", "--password-stdin", "registry.example"],
    ]
    assert (tmp_path / "stdin").read_text() == "secret\n"


def test_the_image_is_built_with_all_arguments_and_labels_whatever_is_in_them(tmp_path: Path) -> None:
    (call,) = run(tmp_path, commands()["build"][0])
    assert call == [
        "docker", "buildx", "build",
        "--platform", "linux/arm64",
        "--file", "Dockerfile.serve",
        "--provenance=false", "--sbom=false", "--load",
        "--build-arg", "BASE", "--build-arg", "EMPTY=", "--build-arg", "RUNTIME",
        "--label", "a.digest=0a1b", "--label", 'b.title=a "quoted" title',
        "--tag", "registry.example/modelhost-prod:context-0a1b",
        "--tag", "registry.example/modelhost-prod:latest",
        ".",
    ]  # fmt: skip


def test_both_tags_are_pushed_in_the_phase_that_a_failed_build_ends() -> None:
    assert commands()["build"][1:] == [
        'docker push "$IMAGE_REGISTRY/$IMAGE_REPOSITORY:$IMAGE_TAG"',
        'docker push "$IMAGE_REGISTRY/$IMAGE_REPOSITORY:latest"',
    ]


def test_a_network_is_only_named_where_one_is_asked_for() -> None:
    assert "--network host" in commands(network="host")["build"][0]
    assert "--network" not in commands()["build"][0]


@pytest.mark.parametrize("changed", [{"RUNTIME": "toolkit"}, {"BASE": "another"}])
def test_other_values_make_no_other_buildspec(changed: dict[str, str]) -> None:
    assert buildspec({**ARGS, **changed}, LABELS) == buildspec(ARGS, {**LABELS, "a.digest": "ffff"})
