# SPDX-License-Identifier: GPL-3.0-or-later
"""How each fault of the table in docs/reliability.md is made, and what its outcomes mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_cloud_admin import tell
from reliability_stage import Stage

PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
OPERATIONS = ("create", "update", "rollback", "delete")

#: The call that sets AWS moving.
MAIN_CALL = {
    "create": "CreateEndpoint",
    "update": "UpdateEndpoint",
    "rollback": "UpdateEndpoint",
    "delete": "DeleteEndpoint",
}


@dataclass(frozen=True)
class Fault:
    """C(arm) makes it happen until the block ends; C(reason) is what a failure has to tell of it."""

    arm: Callable[[Stage, str], Any]
    reason: str = ""
    connection: Mapping[str, Any] = field(default_factory=dict)


def _armed(*, main_call: bool = False, **fault: Any) -> Callable[[Stage, str], Any]:
    @contextmanager
    def arm(stage: Stage, operation: str) -> Iterator[None]:
        scope = {"operation": MAIN_CALL[operation], "times": 1} if main_call else {}
        tell(stage.cloud, "POST", "faults", {**_REACH.get(fault["kind"], {"resource": stage.name}), **scope, **fault})
        yield

    return arm


#: A call about nothing that has a name (a list), or about an ARN, belongs to the run as well.
_REACH: dict[str, dict[str, Any]] = {
    kind: {"service": "sagemaker"}
    for kind in ("throttle", "error", "drop", "delay", "cut_answer", "hold", "stale_reads")
}


def _event(page: str, seconds: float | None) -> Callable[[Stage, str], Any]:
    """Something that happens to the endpoint before the run, and is over after some seconds, or after the run."""

    @contextmanager
    def arm(stage: Stage, operation: str) -> Iterator[None]:
        place = f"endpoints/{stage.name}/{page}"

        def end() -> None:
            tell(stage.cloud, "DELETE", place)

        tell(stage.cloud, "POST", place, {})
        if seconds is None:
            yield
            if operation != "delete":
                end()
            return
        timer = threading.Timer(seconds, end)
        timer.start()
        yield
        timer.join()

    return arm


@contextmanager
def _killed_containers(stage: Stage, operation: str) -> Iterator[None]:
    tell(stage.cloud, "POST", f"endpoints/{stage.name}/kill", {})
    yield


_IMPATIENT = {"aws_config": {"read_timeout": 1}}

FAULTS: dict[str, Fault] = {
    "throttle": Fault(_armed(kind="throttle", each_once=True)),
    "error 500": Fault(_armed(kind="error", each_once=True)),
    "error 503 after the work": Fault(_armed(kind="error", status=503, each_once=True, after_work=True)),
    "error AccessDeniedException": Fault(
        _armed(kind="error", code="AccessDeniedException", message="You may not.", main_call=True), reason="credentials"
    ),
    "delay": Fault(_armed(kind="delay", seconds=0.2, access="write")),
    "drop": Fault(_armed(kind="drop", each_once=True)),
    "drop after the work": Fault(_armed(kind="drop", each_once=True, after_work=True)),
    "hold": Fault(_armed(kind="hold", main_call=True), connection=_IMPATIENT),
    "hold after the work": Fault(_armed(kind="hold", main_call=True, after_work=True), connection=_IMPATIENT),
    "cut_answer": Fault(_armed(kind="cut_answer", each_once=True)),
    "stale_reads": Fault(_armed(kind="stale_reads", seconds=1.0)),
    "role_not_assumable": Fault(_armed(kind="role_not_assumable", seconds=1)),
    "capacity_shortage": Fault(_armed(kind="capacity_shortage"), reason="InsufficientInstanceCapacity"),
    "never_healthy": Fault(_armed(kind="never_healthy", seconds=0.5), reason="health check"),
    "silent_rollback": Fault(_armed(kind="silent_rollback"), reason="SageMaker gave no reason"),
    "update_rollback_failed": Fault(_armed(kind="update_rollback_failed"), reason="UpdateRollbackFailed"),
    "stuck": Fault(_armed(kind="stuck", seconds=0.5)),
    "SystemUpdating": Fault(_event("system-update", seconds=0.5)),
    "OutOfService": Fault(_event("out-of-service", seconds=None), reason="OutOfService"),
    "killed containers": Fault(_killed_containers),
}


def table() -> list[tuple[str, str, str]]:
    """(fault, operation, outcome) of every cell of the page's fault table that can happen."""
    rows = [
        [cell.strip() for cell in line.strip("|\n ").split("|")]
        for line in PAGE.read_text().partition("| fault | create |")[2].partition("\n\n")[0].splitlines()[2:]
    ]
    return [
        (row[0].strip("`"), operation, outcome)
        for row in rows
        for operation, outcome in zip(OPERATIONS, row[1:], strict=False)
        if outcome != "–"
    ]
