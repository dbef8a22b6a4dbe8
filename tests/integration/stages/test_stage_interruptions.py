# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy that is broken off is finished by the next deploy, or removed by a teardown."""

from __future__ import annotations

import random

from stage_killed import play_killed
from stage_project import ANSWER, Project, ask

# The endpoint's own line appears while it is being created, so Ctrl-C comes in the middle of it.
POINTS = ["Push the context to the local ECR", "new EndpointConfig modelhost-"]
# A deploy that was broken off so far makes about as many calls still; make test-reliability kills at more of them.
CALLS = sorted(random.Random("a power cut").sample(range(10, 80), 2))


def test_a_deploy_broken_off_again_and_again_is_finished_by_the_last(project: Project) -> None:
    project.new_stage("resumed")
    for point in POINTS:
        project.break_off("deploy", "resumed", at=point)
    for number in CALLS:
        play_killed(project, "deploy", "resumed", number, answered=bool(number % 2))
    project.play("deploy", "resumed")
    assert ask(project.url("resumed")) == (200, ANSWER)
    client = project.client("sagemaker")
    assert len(client.list_endpoints()["Endpoints"]) == 1
    assert len(client.list_models()["Models"]) == 1
    assert len(project.client("apigatewayv2").get_apis()["Items"]) == 1


def test_a_deploy_that_was_broken_off_is_removed_by_a_teardown(project: Project) -> None:
    project.new_stage("removed")
    project.break_off("deploy", "removed", at="new EndpointConfig modelhost-")
    run = project.play("teardown", "removed")
    assert "did not find" in run.output
