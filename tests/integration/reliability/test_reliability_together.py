# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once: one wins, the other joins it or goes after it, and there is never half of each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from local_cloud_process import LocalCloud
from reliability_operator import Account, Operator
from reliability_requests import Requests
from reliability_stage import EVERYTHING, Stage

ROUNDS = 20 if EVERYTHING else 1


def together(cloud: LocalCloud, wishes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results of runs that start at the same moment, each by somebody else."""
    results: list[dict[str, Any]] = [{} for _ in wishes]
    start = threading.Barrier(len(wishes))

    def run(number: int) -> None:
        start.wait()
        results[number] = Operator(cloud).run(wishes[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(wishes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def taken(cloud: LocalCloud, since: int, operation: str) -> int:
    """How many such calls AWS took since."""
    calls = cloud.get(f"/_local_cloud/calls?since={since}")["calls"]
    return sum(call["operation"] == operation and call["status"] == 200 for call in calls)


def calls_so_far(cloud: LocalCloud) -> int:
    return int(cloud.get("/_local_cloud/calls?since=0")["next"])


def test_two_first_deploys_of_the_same_make_one_endpoint(stage: Stage, cloud: LocalCloud, account: Account) -> None:
    for number in range(ROUNDS):
        since, wish = calls_so_far(cloud), stage.wish(f"g{number}")
        results = together(cloud, [wish, wish])
        assert [result.get("msg", "") for result in results] == ["", ""]
        assert taken(cloud, since, "CreateEndpoint") == 1
        assert stage.answer() == f"g{number}"
        assert {kind: len(names) for kind, names in account.there(stage.name).items()} == {
            "endpoint": 1, "config": 1, "model": 1, "target": 1, "policy": 1,
        }  # fmt: skip
        results = together(cloud, [stage.absence(), stage.absence()])
        assert [result.get("msg", "") for result in results] == ["", ""]
        assert account.there(stage.name) == {}


def test_two_rotations_to_the_same_make_one_update(stage: Stage, cloud: LocalCloud, operator: Operator) -> None:
    operator.run(stage.wish("g0"))
    with Requests(cloud, stage.name, pause=0.02) as requests:
        for number in range(1, ROUNDS + 1):
            since, wish = calls_so_far(cloud), stage.wish(f"g{number}")
            results = together(cloud, [wish, wish])
            assert [result.get("msg", "") for result in results] == ["", ""]
            assert taken(cloud, since, "UpdateEndpoint") == 1
            requests.wait_for(f"g{number}")
            assert operator.run(wish)["changed"] is False


def test_of_two_rotations_to_different_ends_the_last_one_is_live_and_whole(
    stage: Stage, cloud: LocalCloud, operator: Operator, account: Account
) -> None:
    operator.run(stage.wish("g0"))
    with Requests(cloud, stage.name, pause=0.02):
        for number in range(ROUNDS):
            wishes = {name: stage.wish(name) for name in (f"a{number}", f"b{number}")}
            results = together(cloud, list(wishes.values()))
            # Each either was live itself or says what kept it from being so.
            for result in results:
                assert not result.get("failed") or account.live(stage.name) in result["msg"], result["msg"]
            assert any(not result.get("failed") for result in results)
            live = stage.answer()
            again = operator.run(wishes[live])
            assert not again.get("failed"), again["msg"]
            assert operator.run(wishes[live])["changed"] is False
            assert len(account.there(stage.name)["config"]) == 2


@pytest.mark.parametrize("order", [("deploy", "rollback"), ("rollback", "teardown"), ("deploy", "teardown")])
def test_runs_that_contradict_each_other_leave_something_whole(
    stage: Stage, cloud: LocalCloud, operator: Operator, account: Account, order: tuple[str, str]
) -> None:
    operator.run(stage.wish("g0"))
    operator.run(stage.wish("g1"))
    wishes = {"deploy": stage.wish("g2"), "rollback": stage.rollback(), "teardown": stage.absence()}
    for result in together(cloud, [wishes[each] for each in order]):
        assert "Traceback" not in result.get("msg", "")
    # Whatever came of it, the next run gets what it wants.
    result = operator.run(stage.wish("g3"))
    assert not result.get("failed"), result["msg"]
    assert stage.answer() == "g3"
    operator.run(stage.absence())
    assert account.there(stage.name) == {}
