# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed at any of its calls is finished by the next one, and nobody who asks the endpoint notices.

Only what is written can be left half done, so an ordinary run kills at every writing call. `make test-reliability`
kills at every call, before it and between its work and its answer.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from reliability_operator import Account, Operator
from reliability_requests import Requests
from reliability_stage import EVERYTHING, Stage

POINTS = [pytest.param(True, id="after the work")]
if EVERYTHING:
    POINTS.append(pytest.param(False, id="before the work"))


def sweep(operator: Operator, answered: bool) -> Any:
    """Kill at the first call, the second, and so on, for as long as there is one; yields how to."""
    for number in itertools.count(1):
        killed: list[bool] = []

        def kill(wish: dict[str, Any], number: int = number, killed: list[bool] = killed) -> None:
            done = operator.is_killed(wish, number, answered=answered, writes_alone=not EVERYTHING)
            killed.append(done)

        yield number, kill
        if not any(killed):
            return


def settled(operator: Operator, wish: dict[str, Any]) -> None:
    """The next run succeeds, and the one after has nothing to do."""
    result = operator.run(wish)
    assert not result.get("failed"), result["msg"]
    again = operator.run(wish)
    assert (again["changed"], operator.writes) == (False, [])


def figure(what: str, answered: bool, number: int, requests: Requests | None = None) -> tuple[str, str]:
    """What was killed how often; at the last number there was no such call any more."""
    calls = "calls" if EVERYTHING else "writing calls"
    told = f", {requests.total} requests, {len(requests.failures)} failed" if requests else ""
    when = "after" if answered else "before"
    return f"crash sweep, {what}, {when} the work", f"killed at each of {number - 1} {calls}{told}"


def complete(account: Account, stage: Stage, live: str, kept: list[str]) -> None:
    """There is what is live and what is kept, and nothing else."""
    configs = sorted([live, *kept])
    target = f"endpoint/{stage.name}/variant/AllTraffic"
    assert account.there(stage.name) == {
        "endpoint": [stage.name],
        "config": configs,
        "model": sorted({model for config in configs for model in account.models_of(config)}),
        "target": [target],
        "policy": [target],
    }


@pytest.mark.parametrize("answered", POINTS)
def test_a_first_deploy_and_a_teardown_that_are_killed_are_finished(
    stage: Stage, operator: Operator, account: Account, answered: bool, record_property: Any
) -> None:
    for number, kill in sweep(operator, answered):
        wish = stage.wish(f"g{number}")
        kill(wish)
        settled(operator, wish)
        complete(account, stage, account.live(stage.name), kept=[])
        assert stage.answer() == f"g{number}"
        kill(stage.absence())
        settled(operator, stage.absence())
        assert account.there(stage.name) == {}
    record_property(*figure("first deploy and teardown", answered, number))


@pytest.mark.parametrize("answered", POINTS)
def test_a_rotation_that_is_killed_is_finished_and_no_request_fails(
    stage: Stage, operator: Operator, account: Account, answered: bool, record_property: Any
) -> None:
    operator.run(stage.wish("g0"))
    with Requests(stage.cloud, stage.name, pause=0.01) as requests:
        for number, kill in sweep(operator, answered):
            before = account.live(stage.name)
            # The type changes, so that the variant has to be deregistered for the update and registered again after.
            wish = stage.wish(f"g{number}", instance_type=("ml.m5.large", "ml.m5.xlarge")[number % 2])
            kill(wish)
            settled(operator, wish)
            complete(account, stage, account.live(stage.name), kept=[before])
            requests.wait_for(f"g{number}")
    record_property(*figure("rotation", answered, number, requests))


@pytest.mark.parametrize("answered", POINTS)
def test_a_rollback_that_is_killed_is_finished_and_no_request_fails(
    stage: Stage, operator: Operator, account: Account, answered: bool, record_property: Any
) -> None:
    forward = stage.wish("new", instance_type="ml.m5.xlarge")
    operator.run(stage.wish("old"))
    old = account.live(stage.name)
    with Requests(stage.cloud, stage.name, pause=0.01) as requests:
        for number, kill in sweep(operator, answered):  # noqa: B007
            operator.run(forward)
            new = account.live(stage.name)
            assert new != old
            kill(stage.rollback(old))
            settled(operator, stage.rollback(old))
            complete(account, stage, live=old, kept=[new])
            requests.wait_for("old")
    record_property(*figure("rollback", answered, number, requests))
