# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pass as a whole: read, plan, apply, result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from . import result
from .apply import Pass, apply
from .client import SageMakerClient
from .outcome import timestamp
from .plan import Failure, Plan, plan_absent, plan_present
from .read import read_absent, read_present
from .retention import with_outcome
from .spec import Wanted
from .state import There
from .steps import DeleteEndpointConfig, Remember, Step
from .wait import Sight

Tail = Callable[[], list[str]]


def current_time() -> str:
    """Return the present moment the way outcomes hold it."""
    return timestamp(datetime.now(UTC))


def present_pass(
    client: SageMakerClient, wanted: Wanted, *, check_mode: bool, tail: Tail, now: Callable[[], str] = current_time
) -> dict[str, Any]:
    """Make one pass towards C(wanted) and return the module's result for it.

    In check mode the whole plan is returned and nothing is written. C(tail) fetches the container's last lines; it is
    called only where they may explain a failure.
    """
    there = read_present(client, wanted)
    plan = plan_present(wanted, there, timestamp(datetime.now(UTC)))
    return _finished(client, there, plan, result.diff_present(wanted, there, plan), check_mode, tail)


def for_pass(wanted: Wanted, *, submitted: bool) -> Wanted:
    """Return what the next pass is to want. A retry is asked for once: a failure that follows it is a failure."""
    return replace(wanted, retry_failed=wanted.retry_failed and not submitted)


def absent_pass(client: SageMakerClient, name: str, *, check_mode: bool) -> dict[str, Any]:
    """Make one pass towards there being nothing, and return the module's result for it."""
    there = read_absent(client, name)
    plan = plan_absent(name, there)
    return _finished(client, there, plan, result.diff_absent(there, plan), check_mode, list)


def look(client: SageMakerClient, name: str) -> Sight:
    """Look at an endpoint once, with one call."""
    endpoint = client.endpoint(name, with_tags=False)
    if endpoint is None:
        return Sight()
    return Sight(endpoint.status, endpoint.config_name, endpoint.modified, endpoint.failure_reason)


def _finished(
    client: SageMakerClient, there: There, plan: Plan, diff: dict[str, Any], check_mode: bool, tail: Tail
) -> dict[str, Any]:
    made = Pass() if check_mode else apply(client, plan, there)
    facts = {
        "changed": plan.changes_something if check_mode else bool(made.done),
        "plan": plan.sentences,
        "diff": diff,
        "endpoint": _endpoint_after(client, there, made),
        "submitted": made.submitted,
        "pending": {"what": made.awaits.what, "seen": made.awaits.seen} if made.awaits else None,
    }
    if plan.failure and not made.awaits:
        facts |= _failed(plan.failure, tail)
    return facts


def _failed(failure: Failure, tail: Tail) -> dict[str, Any]:
    lines = tail() if failure.shows_log else []
    told = "\n".join([failure.message, "The container's last lines:", *lines]) if lines else failure.message
    return {"failed": True, "msg": told, "container_log": lines}


def _endpoint_after(client: SageMakerClient, there: There, made: Pass) -> dict[str, Any]:
    if made.awaits:
        moving = client.endpoint(made.awaits.endpoint_name, with_tags=False)
        return result.endpoint_sight(moving) if moving else {}
    return result.endpoint_facts(_collected(there, made.done))


def _collected(there: There, done: Sequence[Step]) -> There:
    if there.inventory is None:
        return there
    inventory = there.inventory
    for step in done:
        if isinstance(step, Remember):
            inventory = with_outcome(inventory, step.config_name, step.outcome)
    gone = {step.name for step in done if isinstance(step, DeleteEndpointConfig)}
    configs = tuple(config for config in inventory.configs if config.name not in gone)
    return replace(there, inventory=replace(inventory, configs=configs))
