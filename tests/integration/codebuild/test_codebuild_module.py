# SPDX-License-Identifier: GPL-3.0-or-later
"""An image built by CodeBuild, on a local cloud whose builds run for real with a stand-in for docker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codebuild_on_cloud import CONTEXTS, Run, Stage, lines_of


def test_the_image_lands_in_ecr_and_a_second_run_only_reads(stage: Stage) -> None:
    run = stage.build()
    assert run.result["changed"]
    assert run.result["digest"] == stage.image_digest()
    assert run.result["plan"] == [
        f"create project {stage.name}",
        f"upload the build context (0.0 MB) to s3://{CONTEXTS}/codebuild/{stage.name}/{stage.digest}.zip",
        f"start a build of serving:{stage.tag}",
        f"delete 1 uploaded context from {CONTEXTS}",
    ]
    again = stage.build()
    assert not again.result["changed"]
    assert again.result["digest"] == run.result["digest"]
    assert again.writes == []


def test_a_person_sees_each_phase_and_nothing_is_left_of_the_upload(stage: Stage) -> None:
    run = stage.build()
    (build_id,) = stage.builds()
    told = lines_of(run.output, rf"build {build_id}: ")
    assert told[-1].startswith(f"build {build_id}: COMPLETED … ")
    assert any(line == f"start a build of serving:{stage.tag}" for line in run.output.splitlines())
    assert stage.keys() == []
    assert list((stage.directory / "packed").iterdir()) == []


def test_the_build_is_given_its_arguments_labels_and_tags(stage: Stage) -> None:
    build_id = stage.build().result["build_id"]
    (call,) = lines_of(stage.log(build_id), r"^docker buildx build ")
    assert "--platform linux/amd64 --file Dockerfile.serve --provenance=false --sbom=false" in call
    assert "--build-arg EXTRA_INDEX_URL= --build-arg RUNTIME" in call
    assert "--label org.opencontainers.image.title=two words" in call
    assert f"--tag 127.0.0.1:{stage.cloud.port}/serving:{stage.tag}" in call
    (project,) = stage.cloud.client("codebuild").batch_get_projects(names=[stage.name])["projects"]
    assert project["environment"]["privilegedMode"] is True
    assert project["tags"] == [{"key": "modelhost:stage", "value": stage.name}]


def test_check_mode_makes_the_plan_and_nothing_else(stage: Stage) -> None:
    run = stage.build("--check", "--diff")
    assert run.result["changed"]
    assert [line.split(" ")[0] for line in run.result["plan"]] == ["create", "upload", "start"]
    assert run.result["digest"] == ""
    assert run.writes == []
    assert "+" in run.output
    assert stage.tag in run.result["diff"]["after"]["image"]


def test_a_failed_build_says_where_and_why_and_how_the_log_ends(stage: Stage) -> None:
    stage.write("broken", "")
    run = stage.build(fails=True)
    message = run.result["msg"]
    assert "failed in the phase BUILD" in message
    assert "COMMAND_EXECUTION_ERROR: Error while executing command: docker buildx build" in message
    assert "ERROR: failed to solve: the context is broken" in message
    assert "aws logs tail /aws/codebuild/tests --log-stream-names" in message
    assert "Traceback" not in run.output
    # The same again at once: the token that started the failed build is still valid, and yet there is another build.
    assert stage.build(fails=True).writes.count("StartBuild") == 1
    assert len(stage.builds()) == 2
    assert len(stage.keys()) == 1
    (stage.context / "broken").unlink()
    assert stage.build().result["digest"] == stage.image_digest()


@contextmanager
def opened_after(stage: Stage, gate: Path, operation: str) -> Iterator[None]:
    """Let the build go on once this call, and one more that follows it, were answered from now on."""
    begin = stage.cloud.get("/_local_cloud/calls?since=0")["next"]

    def seen() -> bool:
        names = [call["operation"] for call in stage.cloud.get(f"/_local_cloud/calls?since={begin}")["calls"]]
        return operation in names and "BatchGetBuilds" in names[names.index(operation) :]

    def open_gate() -> None:
        deadline = time.monotonic() + 120
        while not seen() and time.monotonic() < deadline:
            time.sleep(0.05)
        gate.touch()

    opener = threading.Thread(target=open_gate)
    opener.start()
    try:
        yield
    finally:
        opener.join()


def test_an_interrupted_run_says_how_to_go_on_and_the_next_one_adopts_the_build(stage: Stage) -> None:
    gate = stage.directory / "gate"
    stage.write("wait-for", str(gate))
    printed = stage.break_off("BUILD … ")
    assert "interrupted." in printed
    assert "the same command takes up the wait" in printed
    (build_id,) = stage.builds()
    with opened_after(stage, gate, "ListBuildsForProject"):
        run = stage.build()
    assert f"build {build_id} of this context runs already; waiting for it" in run.output
    assert "StartBuild" not in run.writes
    assert stage.builds() == [build_id]
    assert run.result["digest"] == stage.image_digest()


def test_two_deployers_at_once_share_one_build(stage: Stage) -> None:
    gate = stage.directory / "gate"
    stage.write("wait-for", str(gate))
    runs: list[Run] = []
    first = threading.Thread(target=lambda: runs.append(stage.build()))
    first.start()
    client = stage.cloud.client("codebuild")
    deadline = time.monotonic() + 120
    while not client.batch_get_projects(names=[stage.name])["projects"] or not stage.builds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    other = Stage.__new__(Stage)
    other.__dict__.update({**stage.__dict__, "directory": stage.directory / "second"})
    other.directory.mkdir()
    with opened_after(other, gate, "ListBuildsForProject"):
        runs.append(other.build())
    first.join()
    assert len(stage.builds()) == 1
    assert {run.result["digest"] for run in runs} == {stage.image_digest()}


def test_a_changed_setting_changes_the_project_before_the_next_build(stage: Stage) -> None:
    stage.build()
    stage.write("more", "of the context")
    run = stage.build(compute_type="BUILD_GENERAL1_LARGE", timeout_minutes=20)
    assert run.result["plan"][0] == f"change the build environment, timeout of project {stage.name}"
    (project,) = stage.cloud.client("codebuild").batch_get_projects(names=[stage.name])["projects"]
    assert (project["environment"]["computeType"], project["timeoutInMinutes"]) == ("BUILD_GENERAL1_LARGE", 20)


def test_teardown_leaves_no_project_no_build_and_no_context(stage: Stage) -> None:
    gate = stage.directory / "gate"
    stage.write("wait-for", str(gate))
    stage.break_off("BUILD … ")
    (build_id,) = stage.builds()
    assert stage.remove("--check").writes == []
    run = stage.remove()
    assert run.result["plan"] == [
        f"stop build {build_id}",
        "delete the records of 1 build",
        f"delete project {stage.name}",
        f"delete 1 uploaded context from {CONTEXTS}",
    ]
    client = stage.cloud.client("codebuild")
    assert client.batch_get_projects(names=[stage.name])["projects"] == []
    assert client.batch_get_builds(ids=[build_id])["builds"] == []
    assert stage.keys() == []
    assert stage.remove().result["changed"] is False
