# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One pass as a whole: read, plan, apply, result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from . import result
from .apply import Pass, apply
from .client import SageMakerClient
from .errors import SageMakerError
from .failures import Failure
from .outcome import timestamp
from .plan import Plan, plan_absent, plan_present
from .read import read_absent, read_info, read_present
from .retention import with_outcome
from .rollback import plan_rollback
from .scaling import Autoscaling
from .scaling_client import Scaling
from .spec import Wanted
from .state import There
from .steps import DeleteEndpointConfig, Remember, Step, UpdateEndpoint
from .wait import Sight

_CONTINUE = "Once that is put right, run again: it goes on where this run stopped."

Tail = Callable[[], list[str]]


@dataclass(frozen=True)
class Clients:
    """The services that a pass talks to."""

    sagemaker: SageMakerClient
    scaling: Scaling


def current_time() -> str:
    """Return the present moment the way outcomes hold it."""
    return timestamp(datetime.now(UTC))


def present_pass(
    clients: Clients, wanted: Wanted, *, check_mode: bool, tail: Tail, now: Callable[[], str] = current_time
) -> dict[str, Any]:
    """Make one pass towards C(wanted) and return the module's result for it.

    In check mode the whole plan is returned and nothing is written. C(tail) fetches the container's last lines; it is
    called only where they may explain a failure.
    """
    there = read_present(clients.sagemaker, wanted, clients.scaling)
    plan = plan_present(wanted, there, now())
    return _finished(clients, there, plan, result.diff_present(wanted, there, plan), check_mode, tail)


def for_pass(wanted: Wanted, moved_from: str | None) -> Wanted:
    """Return what the next pass is to want. A retry is asked for once: a failure that follows it is a failure."""
    return replace(wanted, retry_failed=wanted.retry_failed and moved_from is None, moved_from=moved_from)


def rollback_pass(
    clients: Clients,
    name: str,
    to: str,
    scaling: Mapping[str, Autoscaling],
    *,
    retry_failed: bool = False,
    moved_from: str | None = None,
    check_mode: bool,
    tail: Tail,
    now: Callable[[], str] = current_time,
) -> dict[str, Any]:
    """Make one pass back to an earlier generation, and return the module's result for it.

    C(scaling): how variants are to scale, by their names. C(retry_failed): a C(to) that failed is tried once more.
    C(moved_from): as in C(Wanted); the result's C(generation) of that earlier pass is then C(to).
    """
    there = read_info(clients.sagemaker, name, clients.scaling)
    retry_failed = retry_failed and moved_from is None
    plan = plan_rollback(name, to, there, now(), scaling, retry_failed=retry_failed, moved_from=moved_from)
    goes = next((step.config_name for step in plan.steps if isinstance(step, UpdateEndpoint)), to)
    facts = _finished(clients, there, plan, result.diff_rollback(there, plan), check_mode, tail)
    return {**facts, "generation": goes}


def absent_pass(clients: Clients, name: str, *, check_mode: bool) -> dict[str, Any]:
    """Make one pass towards there being nothing, and return the module's result for it."""
    there = read_absent(clients.sagemaker, name, clients.scaling)
    plan = plan_absent(name, there)
    return _finished(clients, there, plan, result.diff_absent(there, plan), check_mode, list)


def look(client: SageMakerClient, name: str) -> Sight:
    """Look at an endpoint once, with one call."""
    endpoint = client.endpoint(name, with_tags=False)
    if endpoint is None:
        return Sight()
    return Sight(endpoint.status, endpoint.config_name, endpoint.modified, endpoint.failure_reason)


def _finished(
    clients: Clients, there: There, plan: Plan, diff: dict[str, Any], check_mode: bool, tail: Tail
) -> dict[str, Any]:
    made = Pass() if check_mode else _applied(clients, plan, there)
    facts = {
        "changed": plan.changes_something if check_mode else bool(made.done),
        "plan": plan.sentences,
        "diff": diff,
        "endpoint": _endpoint_after(clients.sagemaker, there, made),
        "moved_from": made.moved_from,
        "pending": {"what": made.awaits.what, "seen": made.awaits.seen} if made.awaits else None,
    }
    if plan.failure and not made.awaits:
        facts |= _failed(plan.failure, tail)
    return facts


def _applied(clients: Clients, plan: Plan, there: There) -> Pass:
    try:
        return apply(clients.sagemaker, clients.scaling, plan, there)
    except SageMakerError as error:
        error.message = f"{error.message} {_standing(clients.sagemaker, there)} {_CONTINUE}"
        raise


def _standing(client: SageMakerClient, there: There) -> str:
    """What is live after a step that AWS refused; what was seen before it where AWS does not even tell that."""
    endpoint = there.endpoint
    with suppress(SageMakerError):
        endpoint = client.endpoint(endpoint.name, with_tags=False) if endpoint else None
    if endpoint is None:
        return "Nothing is live."
    if endpoint.status == "InService":
        return f"Live and InService is {endpoint.config_name}."
    return f"Endpoint {endpoint.name} is {endpoint.status}."


def _failed(failure: Failure, tail: Tail) -> dict[str, Any]:
    lines = tail() if failure.shows_log else []
    told = "\n".join([failure.message, "The container's last lines:", *lines]) if lines else failure.message
    return {"failed": True, "msg": told, "container_log": lines}


def _endpoint_after(client: SageMakerClient, there: There, made: Pass) -> dict[str, Any]:
    if made.awaits:
        moving = made.looked or client.endpoint(made.awaits.endpoint_name, with_tags=False)
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
