# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of the playbooks, killed at any of their calls to any service.

Every call would take hours, so `make test-reliability` kills at a few that are drawn by lot; RELIABILITY_CALLS says at
how many, or `all`. An ordinary run has tests/integration/stages/test_stage_interruptions.py.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stage_killed import ACCOUNT, calls_of, faults, keep_cloud, play_killed
from stage_project import ANSWER, Project, Traffic, ask

pytestmark = pytest.mark.reliability

STAGE = "killed"
DRAWN = os.environ.get("RELIABILITY_CALLS", "3")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of this checkout with a deployed stage; its local cloud stays up for as long as the tests run."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.new_stage(STAGE)
    keep_cloud(project)
    try:
        project.play("deploy", STAGE)
        yield project
    finally:
        project.play("stop", STAGE)


def drawn(count: int, what: str) -> list[int]:
    """Numbers of calls, from 1 to C(count), in their order; the same ones every time."""
    if DRAWN == "all":
        return list(range(1, count + 1))
    return sorted(random.Random(what).sample(range(1, count + 1), min(int(DRAWN), count)))


def rehearsed(project: Project, playbook: str) -> int:
    """Play it as it is meant to be; returns how many calls it made."""
    since = project.calls_so_far()
    project.play(playbook, STAGE)
    return calls_of(project, since)


def settled(project: Project, playbook: str) -> None:
    """The next run finishes it, and the one after has nothing to do."""
    project.play(playbook, STAGE)
    since = project.calls_so_far()
    assert project.play(playbook, STAGE).changed == 0
    assert project.writes(since) == []


def generation(project: Project, number: int) -> None:
    project.change(STAGE, model_serving_environment={"GENERATION": str(number)})


@pytest.mark.parametrize("answered", [True, False])
def test_a_rotation_by_playbook_that_is_killed_is_finished_and_no_request_fails(
    project: Project, record_property: Any, answered: bool
) -> None:
    generation(project, 0)
    count = rehearsed(project, "deploy")
    started, numbers = time.monotonic(), drawn(count, f"rotation {answered}")
    with Traffic(project.url(STAGE)) as traffic:
        for number in numbers:
            generation(project, number)
            play_killed(project, "deploy", STAGE, number, answered=answered)
            settled(project, "deploy")
    assert traffic.bad == []
    assert traffic.good > 0
    sagemaker = project.client("sagemaker")
    assert len(sagemaker.list_endpoints()["Endpoints"]) == 1
    # The live one and those that are kept.
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) <= 3
    told = f"{len(numbers)} of {count} calls, {'after' if answered else 'before'} the work, {traffic.good} requests"
    record_property("playbook killed, rotation", f"{told}, 0 failed, {time.monotonic() - started:.0f} s")


@pytest.mark.parametrize("answered", [True, False])
def test_a_first_deploy_and_a_teardown_by_playbook_that_are_killed_are_finished(
    project: Project, record_property: Any, answered: bool
) -> None:
    counts = {"teardown": rehearsed(project, "teardown"), "deploy": rehearsed(project, "deploy")}
    started = time.monotonic()
    numbers = {name: drawn(count, f"{name} {answered}") for name, count in counts.items()}
    for step in range(max(len(each) for each in numbers.values())):
        if step < len(numbers["teardown"]):
            play_killed(project, "teardown", STAGE, numbers["teardown"][step], answered=answered)
        # The playbook itself proves that nothing is left.
        assert "did not find" in project.play("teardown", STAGE).output
        if step < len(numbers["deploy"]):
            play_killed(project, "deploy", STAGE, numbers["deploy"][step], answered=answered)
        settled(project, "deploy")
        assert ask(project.url(STAGE)) == (200, ANSWER)
    told = ", ".join(f"{name} {len(numbers[name])} of {count} calls" for name, count in counts.items())
    when = "after" if answered else "before"
    record_property("playbook killed", f"{told}, {when} the work, {time.monotonic() - started:.0f} s")


@pytest.mark.parametrize("when", [{"each_once": True}, {"probability": 0.3, "seed": 1}], ids=str)
def test_playbooks_converge_while_aws_throttles_them(
    project: Project, record_property: Any, when: dict[str, Any]
) -> None:
    struck = 0
    for playbook in ("teardown", "deploy"):
        faults(project, "POST", content={"kind": "throttle", "access_key": ACCOUNT, **when})
        run = project.try_play(playbook, STAGE)
        struck += faults(project)["faults"][0]["struck"]
        faults(project, "DELETE")
        assert run.code == 0, run.output
    settled(project, "deploy")
    assert ask(project.url(STAGE)) == (200, ANSWER)
    record_property(f"playbooks throttled, {when}", f"{struck} calls of a teardown and a first deploy")


def test_ctrl_c_says_what_goes_on_and_how_to_continue(project: Project) -> None:
    generation(project, 1000)
    printed = project.break_off("deploy", STAGE, at=f"update Endpoint modelhost-{STAGE}")
    assert f"endpoint modelhost-{STAGE}: interrupted" in printed
    assert "the same command goes on where this one stopped" in printed
    settled(project, "deploy")


def test_two_deploys_by_playbook_at_once_end_as_one(project: Project, tmp_path: Path) -> None:
    generation(project, 2000)
    since = project.calls_so_far()
    runs = project.play_together("deploy", STAGE, 2)
    assert [run.code for run in runs] == [0, 0], "\n".join(run.output for run in runs)
    assert project.writes(since).count("sagemaker:UpdateEndpoint") <= 2
    settled(project, "deploy")
    assert ask(project.url(STAGE)) == (200, ANSWER)
