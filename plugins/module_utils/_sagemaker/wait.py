# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passes until nothing is pending: the one loop of the module and of the action plugin.

A pass reads, plans and executes up to a step that has to be waited for. The module makes passes by calling functions,
the action plugin by running the module; how an endpoint is looked at and how progress is told differ in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.modelhost.sagemaker.plugins.module_utils._patience import Patience

from .state import TRANSITIONAL
from .steps import plan_text


@dataclass(frozen=True)
class Sight:
    """An endpoint as a poll sees it. C(status) is empty once it is gone."""

    status: str = ""
    config_name: str = ""
    modified: str = ""
    failure_reason: str = ""

    def settled(self, seen: str = "") -> bool:
        """Whether nothing moves. A sight no newer than C(seen) is older than our own call and says nothing."""
        return not self.status or (self.status not in TRANSITIONAL and not (seen and self.modified <= seen))


class Driver(Protocol):
    """How passes are made. Results are the module's own: C(failed), C(pending), C(moved_from), C(plan), …"""

    def run_pass(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """Make one pass; C(earlier) is the result of the passes of this run so far, empty before the first."""

    def look(self) -> Sight:
        """Look at the endpoint once."""

    def report(self, status: str, waited: float) -> None:
        """Tell of progress after each look; C(waited) in seconds."""


def converge(driver: Driver, patience: Patience) -> dict[str, Any]:
    """Make passes until one ends with nothing pending; return their results as one.

    A failed pass ends the run, and so does running out of time: the result then is C(failed) with a C(msg).
    """
    start = patience.now()
    result = driver.run_pass({})
    while result.get("pending") and not result.get("failed"):
        in_time = patience.now() - start < patience.timeout
        sight = _settled_sight(driver, patience, start, result["pending"]) if in_time else None
        if sight is None:
            return {**result, "failed": True, "msg": _late(result, patience)}
        result = merged(result, driver.run_pass(result))
    return result


def _settled_sight(driver: Driver, patience: Patience, start: float, pending: Mapping[str, Any]) -> Sight | None:
    """Look until the endpoint is settled; None once time has run out.

    The first look comes after one interval: nothing settles at once, and a pass that SageMaker turned away because
    somebody else was faster must not be repeated in a hurry.
    """
    while True:
        patience.sleep(patience.interval)
        sight = driver.look()
        waited = patience.now() - start
        driver.report(sight.status or "deleted", waited)
        if sight.settled(pending.get("seen", "")):
            return sight
        if waited >= patience.timeout:
            return None


def _late(result: Mapping[str, Any], patience: Patience) -> str:
    seen = result.get("endpoint") or {}
    status, live = seen.get("endpoint_status"), seen.get("endpoint_config_name")
    was = f"It was last seen {status}" + (f" on {live}. " if live else ". ") if status else ""
    return (
        f"Gave up after {patience.timeout:.0f} seconds of waiting until {result['pending']['what']}. {was}SageMaker "
        "goes on by itself: run again to take up the wait, with a longer wait_timeout if this is usual for the model."
    )


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return two passes' results as one: all that was planned, what was before the first, what is after the last."""
    plan = [*first.get("plan", []), *(line for line in second.get("plan", []) if line not in first.get("plan", []))]
    diff = {**second.get("diff", {}), **{key: first["diff"][key] for key in ("before",) if "diff" in first}}
    if plan and diff:
        diff["prepared"] = plan_text(plan)
    warnings = [*first.get("warnings", []), *second.get("warnings", [])]
    memory = {key: first[key] for key in ("moved_from", "generation") if key in first and second.get(key) is None}
    return {
        **first,
        **second,
        **memory,
        "changed": bool(first.get("changed") or second.get("changed")),
        "plan": plan,
        **({"diff": diff} if diff else {}),
        **({"warnings": list(dict.fromkeys(warnings))} if warnings else {}),
    }
