# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide how to go back to an earlier generation: one update to an EndpointConfig that is still there. Pure.

The generation that is left is marked before the update, with the time. A mark that is younger than the proof of what is
live means that a rollback is under way, so one that was interrupted is finished by the next and never goes too far.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import failures, scaling_plan
from .failures import LIST, Failure
from .outcome import Outcome
from .plan import Plan, failed
from .scaling import Autoscaling
from .state import MIXED, Endpoint, EndpointConfig, Inventory, There
from .steps import Await, MarkRolledBack, Remember, Step, UpdateEndpoint


def plan_rollback(
    name: str,
    to: str,
    there: There,
    now: str,
    scaling: Mapping[str, Autoscaling] | None = None,
    *,
    retry_failed: bool = False,
    moved_from: str | None = None,
) -> Plan:
    """Return the steps back to the EndpointConfig C(to), or to the one that was live before where it is empty.

    C(scaling): how variants are to scale, by their names, so that a registration that goes for the update comes back.
    C(retry_failed): C(to) may be one that failed. C(moved_from): as in C(Wanted), where this
    run has already submitted the update to C(to).
    """
    endpoint = there.endpoint
    if endpoint is None:
        return Plan(failure=Failure(f"There is no Endpoint {name} to roll back."))
    if endpoint.foreign:
        return Plan(failure=failures.not_ours(endpoint))
    if endpoint.moving:
        settled = Await(name, f"Endpoint {name} is no longer {endpoint.status}")
        return Plan((settled,))
    inventory = there.inventory or Inventory()
    live = _config(inventory, endpoint.config_name)
    tried = _tried(inventory, endpoint)
    if endpoint.status == MIXED and tried:
        return failed(tried.name, endpoint, now, failures.mixed(endpoint))
    if endpoint.status == MIXED and live is not None:
        return _out_of_the_mix(endpoint, _config(inventory, to) if to else live, there, now)
    if endpoint.status != "InService":
        return Plan(failure=failures.no_rollback_from(endpoint))
    scaled = tuple(scaling_plan.after_rollback(name, there, live.spec, scaling or {})) if live else ()
    if live and _returns_to_itself(live):
        return Plan((*scaled, _proven(live, now)))
    under_way = _under_way(inventory, live)
    if under_way and live and under_way.name != live.name and to in ("", live.name):
        return Plan((*scaled, _proven(live, now)))
    if tried and to in ("", tried.name):
        return _after_try(endpoint, tried, now)
    if moved_from is not None and endpoint.config_name not in (to, moved_from):
        return Plan(failure=failures.overtaken(endpoint, to))
    target = _config(inventory, to) if to else previous(inventory, live)
    if target is None:
        return Plan(failure=_no_target(name, to, endpoint))
    if target.name == endpoint.config_name:
        return Plan(scaled)
    wrong = _unfit(target, there, retry_failed)
    if wrong:
        return Plan(failure=wrong)
    return Plan(tuple(_steps(endpoint, live, target, there, now, scaling or {})))


def previous(inventory: Inventory, live: EndpointConfig | None) -> EndpointConfig | None:
    """Return the generation that was live last before C(live) and has not been left by a rollback itself."""
    live_name = live.name if live else ""
    proven = [
        config
        for config in inventory.configs
        if config.name != live_name and config.outcome.state == "proven" and not config.rolled_back
    ]
    return max(proven, key=lambda config: (config.outcome.at, config.created, config.name), default=None)


def _steps(
    endpoint: Endpoint,
    live: EndpointConfig | None,
    target: EndpointConfig,
    there: There,
    now: str,
    scaling: Mapping[str, Autoscaling],
) -> list[Step]:
    marked: list[Step] = [MarkRolledBack(live.name, now)] if live and not live.rolled_back else []
    return [
        *marked,
        *scaling_plan.before_rollback(endpoint.name, there, target.spec),
        *_move(endpoint, target, there, now, f"back from {endpoint.config_name}"),
        # Proven last: a rollback that is interrupted before it is taken up where it was.
        *scaling_plan.after_rollback(endpoint.name, there, target.spec, scaling),
        _proven(target, now),
    ]


def _move(endpoint: Endpoint, target: EndpointConfig, there: There, now: str, why: str) -> tuple[Step, Step]:
    """The one update to what is kept, and the wait for it."""
    submitted = Outcome("pending", at=now, previous=endpoint.config_name, seen=endpoint.modified)
    update = UpdateEndpoint(
        endpoint.name, target.name, submitted, reused=True, retain_counts=bool(there.scaling), reasons=(why,)
    )
    return update, Await(endpoint.name, f"Endpoint {endpoint.name} is InService on {target.name}", endpoint.modified)


def _proven(config: EndpointConfig, now: str) -> Remember:
    return Remember(config.name, Outcome("proven", at=now))


def _tried(inventory: Inventory, endpoint: Endpoint) -> EndpointConfig | None:
    """Return the generation that a rollback from the live one was submitted for, where it has not arrived."""
    live = _config(inventory, endpoint.config_name)
    if live is None or not live.rolled_back:
        return None
    pending = (config for config in inventory.configs if config.outcome.state == "pending")
    return next((config for config in pending if config.outcome.previous == endpoint.config_name), None)


def _after_try(endpoint: Endpoint, tried: EndpointConfig, now: str) -> Plan:
    """The endpoint is where it was: either this look is older than the update, or SageMaker took the update back."""
    if tried.outcome.seen and endpoint.modified <= tried.outcome.seen:
        return Plan((Await(endpoint.name, f"Endpoint {endpoint.name} shows the update it took", tried.outcome.seen),))
    return failed(tried.name, endpoint, now, failures.rollback_rolled_back(endpoint, tried.name))


def _unfit(target: EndpointConfig, there: There, retry_failed: bool) -> Failure | None:
    if target.outcome.state == "failed" and not retry_failed:
        reason = f": {target.outcome.reason}" if target.outcome.reason else ""
        return Failure(
            f"{target.name} failed at {target.outcome.at}{reason}. {_stays(there)}Run again with retry_failed: true to "
            f"try it once more, or name another generation. {LIST}"
        )
    models = {model.name for model in (there.inventory or Inventory()).models}
    gone = sorted(target.model_names - models)
    if gone:
        return Failure(
            f"{target.name} serves {', '.join(gone)}, which somebody deleted. {_stays(there)}Name another generation. "
            f"{LIST}"
        )
    on_instances = any(variant.instance for variant in there.live_variants.values())
    if on_instances and any(variant.serverless for variant in target.spec.variants):
        return Failure(
            f"{target.name} is serverless and the endpoint is instance based. SageMaker has no such update: put the "
            "stage's settings back and deploy with replace: true."
        )
    return None


def _returns_to_itself(config: EndpointConfig) -> bool:
    """Whether an update to what was live already is on its way, as it is out of a mix of generations."""
    return config.outcome.state == "pending" and config.outcome.previous == config.name


def _out_of_the_mix(endpoint: Endpoint, target: EndpointConfig | None, there: There, now: str) -> Plan:
    """Old and new serve side by side: one update to what is live by name, or to another, ends that."""
    if target is None:
        return Plan(failure=failures.mixed(endpoint))
    if _returns_to_itself(target) and endpoint.modified > target.outcome.seen:
        return failed(target.name, endpoint, now, failures.rollback_rolled_back(endpoint, target.name))
    return Plan((*_move(endpoint, target, there, now, "out of a mix of generations"), _proven(target, now)))


def _under_way(inventory: Inventory, live: EndpointConfig | None) -> EndpointConfig | None:
    proven_at = live.outcome.at if live and live.outcome.state == "proven" else ""
    marked = [config for config in inventory.configs if config.rolled_back > proven_at]
    return max(marked, key=lambda config: config.rolled_back, default=None)


def _config(inventory: Inventory, name: str) -> EndpointConfig | None:
    return next((config for config in inventory.configs if config.name == name), None)


def _no_target(name: str, to: str, endpoint: Endpoint) -> Failure:
    if to:
        return Failure(f"Endpoint {name} has no generation {to}. {LIST}")
    return Failure(
        f"Endpoint {name} has no earlier generation that was proven and is kept besides {endpoint.config_name}. "
        "keep_generations says how many are kept."
    )


def _stays(there: There) -> str:
    return f"Live is still {there.endpoint.config_name}. " if there.endpoint else ""
