# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault table of docs/reliability.md, cell by cell: the page says how each ends, and this holds it to that."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from local_cloud.faults.fault import KINDS
from local_cloud_process import LocalCloud
from reliability_faults import FAULTS, table
from reliability_operator import Account, Operator
from reliability_stage import EVERYTHING, Stage


@dataclass(frozen=True)
class Outcome:
    """C(says) is in the message besides the reason, C(then) is what the message advises to run again with.

    C(deploys): where a rollback ended so, the advice is to deploy instead.
    """

    status: str
    says: tuple[str, ...] = ()
    then: dict[str, Any] | None = None
    deploys: bool = False


#: The words of the table. Where C({live}) stands, the generation that was live before is meant, and still is live.
OUTCOMES = {
    "succeeds": Outcome(""),
    "is refused": Outcome("InService", ("{live}", "run again"), {}),
    "fails": Outcome("Failed", ("Nothing is live", "retry_failed: true"), {"retry_failed": True}),
    "rolls back": Outcome("InService", ("{live}", "retry_failed: true"), {"retry_failed": True}),
    "leaves a mix": Outcome(
        "UpdateRollbackFailed",
        ("a mix", "retry_failed: true", "roll back"),
        {"retry_failed": True},
    ),
    "needs consent": Outcome(
        "OutOfService", ("answers no requests", "replace: true"), {"replace": True, "retry_failed": True}, deploys=True
    ),
}
GENERATIONS = itertools.count(1)


@pytest.fixture(scope="module")
def shared(stage_of: Callable[[str], Stage]) -> Stage:
    """One endpoint for all cells: what a cell leaves behind, the next one has to cope with."""
    return stage_of("faulty")


@pytest.fixture(scope="module")
def calm(cloud: LocalCloud) -> Operator:
    return Operator(cloud)


@pytest.fixture
def undisturbed(shared: Stage) -> Iterator[Stage]:
    yield shared
    shared.disarm()


class Try:
    """One operation on an endpoint that is ready for it."""

    def __init__(self, operation: str, stage: Stage, cloud: LocalCloud, calm: Operator) -> None:
        self.operation, self.stage = operation, stage
        self.account, self.calm = Account(cloud), calm
        generations = {"create": 0, "update": 1, "rollback": 2, "delete": 1}[operation]
        if generations == 0 or self.account.describe(stage.name).get("EndpointStatus") != "InService":
            self.succeed(stage.absence())
        self.previous, self.wish = "", stage.absence()
        for _ in range(generations):
            self.previous, self.earlier = self.account.live(stage.name), self.wish
            self.wish = self.deploy()
            self.succeed(self.wish)
        self.before = self.account.live(stage.name)
        self.wish = {
            "create": self.deploy,
            "update": self.deploy,
            "rollback": lambda: stage.rollback(self.previous),
            "delete": stage.absence,
        }[operation]() | {"poll_interval": 1}

    def deploy(self) -> dict[str, Any]:
        return self.stage.wish(f"g{next(GENERATIONS)}")

    def take_advice(self, outcome: Outcome) -> None:
        if outcome.deploys and self.operation == "rollback":
            self.wish = self.earlier
        self.succeed(self.wish | (outcome.then or {}))
        self.holds()

    def succeed(self, wish: dict[str, Any]) -> None:
        result = self.calm.run(wish)
        assert not result.get("failed"), result["msg"]

    def holds(self) -> None:
        """What was wanted is there, and there is nothing left to do."""
        again = self.calm.run(self.wish)
        assert (again["changed"], self.calm.writes) == (False, []), again["plan"]
        if self.operation == "delete":
            assert self.account.there(self.stage.name) == {}
            return
        assert self.account.describe(self.stage.name)["EndpointStatus"] == "InService"
        self.stage.answer()
        live = self.account.live(self.stage.name)
        assert live == self.previous if self.operation == "rollback" else live != self.before


def cells() -> list[tuple[str, str, str]]:
    """All of the table; without `make test-reliability` what does not simply succeed, and two that needed care."""
    careful = {("stale_reads", "update"), ("drop after the work", "create")}
    return [cell for cell in table() if EVERYTHING or cell[2] != "succeeds" or cell[:2] in careful]


@pytest.mark.parametrize(("fault", "operation", "ends"), cells())
def test_a_fault_ends_as_the_table_says(
    undisturbed: Stage, cloud: LocalCloud, calm: Operator, quick_retries: None, fault: str, operation: str, ends: str
) -> None:
    stage, outcome, connection = undisturbed, OUTCOMES[ends], FAULTS[fault].connection
    attempt = Try(operation, stage, cloud, calm)
    with FAULTS[fault].arm(stage, operation):
        result = (Operator(cloud, **connection) if connection else calm).run(attempt.wish)
        status = attempt.account.describe(stage.name).get("EndpointStatus", "")
    stage.disarm()
    if not outcome.status:
        assert not result.get("failed"), result["msg"]
        attempt.holds()
        return
    assert result.get("failed"), f"a success that is none: {result}"
    if operation == "create" and ends == "is refused":
        assert (status, "Nothing is live" in result["msg"]) == ("", True), result["msg"]
    else:
        assert status == outcome.status, result["msg"]
        for said in outcome.says:
            assert said.format(live=attempt.before) in result["msg"]
    assert FAULTS[fault].reason in result["msg"]
    if outcome.status == "InService" and operation != "create":
        assert attempt.account.live(stage.name) == attempt.before
        stage.answer()
    attempt.take_advice(outcome)


def test_the_table_has_every_fault_of_the_local_cloud() -> None:
    documented = {fault for fault, _, _ in table()}
    assert documented == set(FAULTS)
    assert {fault.split()[0] for fault in documented} >= set(KINDS)
