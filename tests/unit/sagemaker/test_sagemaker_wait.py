# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop of passes and looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import (
    Patience,
    Sight,
    converge,
    merged,
)

PENDING = {"what": "Endpoint x is InService", "seen": ""}


class Scripted:
    """A driver whose passes and looks are written down beforehand."""

    def __init__(self, passes: Sequence[dict[str, Any]], looks: Sequence[str]) -> None:
        self.passes, self.looks = list(passes), list(looks)
        self.told: list[tuple[str, float]] = []
        self.earlier: list[dict[str, Any]] = []
        self.moment = 0.0

    def run_pass(self, earlier: dict[str, Any]) -> dict[str, Any]:
        self.earlier.append(earlier)
        return self.passes.pop(0)

    def look(self) -> Sight:
        return Sight(status=self.looks.pop(0))

    def report(self, status: str, waited: float) -> None:
        self.told.append((status, waited))

    def converged(self, timeout: float = 100) -> dict[str, Any]:
        return converge(self, Patience(timeout, 10, now=lambda: self.moment, sleep=self._sleep))

    def _sleep(self, seconds: float) -> None:
        self.moment += seconds


@pytest.mark.parametrize("status", ["InService", "Failed", "OutOfService", "UpdateRollbackFailed", ""])
def test_a_state_that_nothing_leaves_by_itself_is_settled(status: str) -> None:
    assert Sight(status).settled()


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"])
def test_a_state_that_sagemaker_leaves_is_waited_for(status: str) -> None:
    assert not Sight(status).settled()


def test_a_sight_older_than_the_update_says_nothing() -> None:
    assert not Sight("InService", modified="2026-11-23T10:00:00.000Z").settled("2026-11-23T10:00:00.000Z")
    assert Sight("InService", modified="2026-11-23T10:00:00.001Z").settled("2026-11-23T10:00:00.000Z")


def test_a_run_with_nothing_pending_looks_at_nothing() -> None:
    driver = Scripted([{"changed": False, "pending": None}], [])
    assert driver.converged() == {"changed": False, "pending": None}
    assert driver.told == []


def test_every_look_is_told_with_the_seconds_waited() -> None:
    driver = Scripted([{"pending": PENDING, "moved_from": "a"}, {"pending": None}], ["Updating", "InService"])
    driver.converged()
    assert driver.told == [("Updating", 10.0), ("InService", 20.0)]
    assert [earlier.get("moved_from") for earlier in driver.earlier] == [None, "a"]


def test_a_gone_endpoint_is_told_as_deleted() -> None:
    driver = Scripted([{"pending": PENDING}, {"pending": None}], ["Deleting", ""])
    driver.converged()
    assert driver.told[-1][0] == "deleted"


def test_a_failed_pass_ends_the_run() -> None:
    driver = Scripted([{"pending": PENDING, "failed": True, "msg": "no"}], [])
    assert driver.converged()["msg"] == "no"


def test_the_time_runs_out_also_where_passes_get_nowhere() -> None:
    driver = Scripted([{"pending": PENDING}] * 20, ["InService"] * 20)
    result = driver.converged()
    assert result["failed"]
    assert "Gave up after 100 seconds" in result["msg"]


def test_what_arrives_with_the_last_look_counts() -> None:
    driver = Scripted([{"pending": PENDING}, {"pending": None}], ["Updating"] * 9 + ["InService"])
    assert not driver.converged().get("failed")


def test_passes_are_one_result() -> None:
    first = {"changed": True, "plan": ["a", "b"], "diff": {"before": 1, "after": 2}, "moved_from": ""}
    second = {"changed": False, "plan": ["b", "c"], "diff": {"before": 2, "after": 3}, "moved_from": None}
    assert merged(first, second) == {
        "changed": True,
        "plan": ["a", "b", "c"],
        "diff": {"before": 1, "after": 3, "prepared": "plan: a\nplan: b\nplan: c\n"},
        "moved_from": "",
    }
