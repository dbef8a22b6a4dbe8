# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide: what is wanted and what is there, to steps and, where the run cannot succeed, a failure that says why.

Pure. Check mode prints a plan, the real run executes it. A pass executes it up to its first C(Await); then AWS is
looked at again and planned again, so a run that was interrupted anywhere is continued by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import absent, changes
from .outcome import OWNER_TAG, Outcome, retention_mark
from .retention import collection, kept_configs, with_outcome
from .spec import Pairs, Wanted
from .state import Endpoint, Inventory, There
from .steps import (
    Await,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    RecordRetention,
    Remember,
    Step,
    Tag,
    UpdateEndpoint,
    writes,
)

_CONSENT = (
    "every request fails from the delete until the new endpoint is InService, usually some minutes. Run again with "
    "replace: true to agree."
)
_LOST = "the endpoint serves it, but it was deleted"
_NEXT = "Change the specification, or run again with retry_failed: true."


@dataclass(frozen=True)
class Failure:
    """Why the run ends without success. C(shows_log): the container's last lines may say more."""

    message: str
    shows_log: bool = False


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...] = ()
    failure: Failure | None = None

    @property
    def sentences(self) -> list[str]:
        return [step.sentence for step in self.steps]

    @property
    def changes_something(self) -> bool:
        return any(writes(step) for step in self.steps)


def plan_present(wanted: Wanted, there: There, now: str) -> Plan:
    """Return the steps from C(there) to C(wanted). C(now) is the time written into outcomes."""
    endpoint = there.endpoint
    if endpoint is None:
        return _create(wanted, there, now)
    if endpoint.foreign:
        return Plan(failure=not_ours(endpoint))
    if endpoint.status == "Deleting":
        return _then(Await(wanted.name, f"Endpoint {wanted.name} is deleted"), _create(wanted, there, now))
    if endpoint.moving:
        return _in_flight(wanted, there, endpoint, now)
    if endpoint.status == "InService":
        return _in_service(wanted, there, endpoint, now)
    if endpoint.status == "Failed":
        return _after_failed_create(wanted, there, endpoint, now)
    return _degraded(wanted, there, endpoint, now)


def plan_absent(name: str, there: There) -> Plan:
    """Return the steps that remove an endpoint and every generation made for it."""
    endpoint = there.endpoint
    if endpoint is not None and endpoint.foreign:
        return Plan(failure=not_ours(endpoint))
    return Plan(tuple(absent.steps(name, endpoint, there.inventory or Inventory())))


def not_ours(endpoint: Endpoint) -> Failure:
    return Failure(
        f"Endpoint {endpoint.name} exists and was not made by this module: it has no tag {OWNER_TAG}={endpoint.name}. "
        f"Choose another name, or set that tag on {endpoint.arn} to hand it over."
    )


def _create(wanted: Wanted, there: There, now: str) -> Plan:
    """The endpoint is missing, or will be once the steps before have run."""
    remembered = _remembered_failure(wanted, there)
    if remembered:
        return Plan(failure=remembered)
    submitted = Outcome("pending", at=now)
    return Plan(
        (
            *_parts(wanted, there),
            CreateEndpoint(wanted.name, _config_name(wanted), _all_tags(wanted), submitted),
            *_until_proven(wanted, there, now),
        )
    )


def _recreate(wanted: Wanted, there: There, why: str, now: str) -> Plan:
    # The endpoint goes last of all that is prepared, so that it is away for as short as can be.
    created = _create(wanted, there, now)
    if created.failure:
        return created
    parts = tuple(step for step in created.steps if isinstance(step, (CreateModel, CreateEndpointConfig)))
    gone = Await(wanted.name, f"Endpoint {wanted.name} is deleted")
    return Plan((*parts, DeleteEndpoint(wanted.name, why), gone, *created.steps[len(parts) :]))


def _in_flight(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    target = endpoint.pending_config_name or endpoint.config_name
    what = f"Endpoint {wanted.name} is no longer {endpoint.status}"
    if endpoint.pending_config_name:
        what += f" (on its way to {target})"
    settled = replace(endpoint, status="InService", config_name=target, pending_config_name="", failure_reason="")
    if wanted.known and (target == wanted.config_name or _submitted(there, endpoint)):
        there = replace(there, live_config=there.wanted_config, live_model=there.wanted_model)
        return _then(Await(wanted.name, what), Plan((*_finish(wanted, there, settled, now),)))
    return _then(Await(wanted.name, what), _in_service(wanted, there, settled, now))


def _submitted(there: There, endpoint: Endpoint) -> bool:
    """Whether the change in flight is our own, where SageMaker does not say which EndpointConfig it leads to."""
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    unsaid = endpoint.status == "Updating" and not endpoint.pending_config_name
    return unsaid and outcome.state == "pending" and outcome.previous == endpoint.config_name


def _in_service(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    if wanted.known and endpoint.config_name == wanted.config_name:
        return Plan((*_parts(wanted, there, missing=True), *_finish(wanted, there, endpoint, now)))
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    if outcome.state == "pending" and outcome.previous == endpoint.config_name:
        if outcome.seen and endpoint.modified <= outcome.seen:
            shown = Await(wanted.name, f"Endpoint {wanted.name} shows the update it took", outcome.seen)
            return Plan((shown, *_finish(wanted, there, endpoint, now)))
        if not wanted.retry_failed:
            return _rolled_back(wanted, endpoint, now)
    remembered = _remembered_failure(wanted, there)
    if remembered:
        return Plan(failure=remembered)
    obstacle = _obstacle(wanted, there, endpoint)
    if obstacle and not wanted.replace:
        return Plan(failure=Failure(f"{obstacle}, so the endpoint would be deleted and created again: {_CONSENT}"))
    if obstacle:
        there, memory = _live_is_proven(there, now)
        replaced = _recreate(wanted, there, "consent is given to replace it", now)
        return replace(replaced, steps=(*memory, *replaced.steps))
    return _update(wanted, there, endpoint, now)


def _update(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    submitted = Outcome("pending", at=now, previous=endpoint.config_name, seen=endpoint.modified)
    there, memory = _live_is_proven(there, now)
    reused = there.wanted_config is not None
    back = (*_model_changes(wanted, there), *changes.variant_changes(there.live_config, wanted.variants))
    return Plan(
        (
            *memory,
            *_parts(wanted, there),
            UpdateEndpoint(
                wanted.name,
                _config_name(wanted),
                submitted,
                reused=reused,
                retain_variant_properties=bool(there.scalable_variants),
                reasons=back if reused else (),
            ),
            *_until_proven(wanted, there, now, seen=endpoint.modified),
            *_tags_missing(wanted, endpoint),
        )
    )


def _rolled_back(wanted: Wanted, endpoint: Endpoint, now: str) -> Plan:
    reason = endpoint.failure_reason or "SageMaker gave no reason"
    failed = Outcome("failed", at=now, reason=endpoint.failure_reason)
    return Plan(
        (Remember(wanted.config_name, failed),),
        Failure(
            f"The update of Endpoint {wanted.name} to {wanted.config_name} did not hold: {reason}. Live and InService "
            f"is still {endpoint.config_name}. {_NEXT}",
            shows_log=True,
        ),
    )


def _after_failed_create(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    same = wanted.known and endpoint.config_name == wanted.config_name
    if not same or wanted.retry_failed:
        return _recreate(wanted, there, "it is Failed, and SageMaker lets a Failed endpoint only be deleted", now)
    reason = endpoint.failure_reason or "SageMaker gave no reason"
    known = there.wanted_config is None or there.wanted_config.outcome.state == "failed"
    memory = () if known else (Remember(wanted.config_name, Outcome("failed", at=now, reason=endpoint.failure_reason)),)
    return Plan(
        memory,
        Failure(
            f"Endpoint {wanted.name} is Failed with {wanted.config_name}: {reason}. Nothing is live. {_NEXT}",
            shows_log=True,
        ),
    )


def _degraded(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    """UpdateRollbackFailed, OutOfService, and any state that SageMaker adds later."""
    if wanted.replace:
        return _recreate(wanted, there, f"it is {endpoint.status}, and consent is given to replace it", now)
    says = {
        "UpdateRollbackFailed": "a mix of the old and the new generation answers requests",
        "OutOfService": "it answers no requests",
    }.get(endpoint.status, "this module does not know that state")
    reason = f" SageMaker says: {endpoint.failure_reason}." if endpoint.failure_reason else ""
    tried = there.wanted_config.outcome.state if there.wanted_config else "unknown"
    options = "replace: true and retry_failed: true" if tried in ("pending", "failed") else "replace: true"
    failed = Outcome("failed", at=now, reason=endpoint.failure_reason)
    return Plan(
        (Remember(wanted.config_name, failed),) if tried == "pending" else (),
        Failure(
            f"Endpoint {wanted.name} is {endpoint.status}: {says}. It takes no update in that state.{reason} Run again "
            f"with {options} to delete it and create it anew; requests fail from the delete until the new endpoint is "
            "InService.",
            shows_log=True,
        ),
    )


def _remembered_failure(wanted: Wanted, there: There) -> Failure | None:
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    if wanted.retry_failed or outcome.state != "failed":
        return None
    reason = f": {outcome.reason}" if outcome.reason else ""
    live = there.endpoint
    stays = f" Live is still {live.config_name}." if live and live.status == "InService" else ""
    return Failure(
        f"{wanted.config_name} failed at {outcome.at}{reason}. The same specification is not submitted again.{stays} "
        f"{_NEXT}",
        shows_log=True,
    )


def _obstacle(wanted: Wanted, there: There, endpoint: Endpoint) -> str:
    """Return why SageMaker has no update from what is live to what is wanted, or nothing where it has one."""
    if there.live_config is None:
        return (
            f"Endpoint {wanted.name} serves {endpoint.config_name}, which somebody deleted. SageMaker takes no update "
            "of an endpoint whose EndpointConfig is gone"
        )
    live = {variant.variant_name: variant for variant in there.live_config.variants}
    for variant in wanted.variants:
        was = live.get(variant.variant_name) or next(iter(live.values()), None)
        if was and was.kind != variant.kind:
            return (
                f"Endpoint {wanted.name} is {was.kind} and is wanted {variant.kind}. SageMaker cannot update one into "
                "the other"
            )
    return ""


def _config_name(wanted: Wanted) -> str:
    return wanted.config_name if wanted.known else ""


def _model_name(wanted: Wanted) -> str:
    return wanted.model_name if wanted.known else ""


def _all_tags(wanted: Wanted) -> Pairs:
    return tuple(sorted({**dict(wanted.tags), OWNER_TAG: wanted.name}.items()))


def _parts(wanted: Wanted, there: There, missing: bool = False) -> tuple[Step, ...]:
    """The Model and the EndpointConfig where they are not there yet; names carry the content, so a name is enough.

    C(missing): the endpoint serves them already, so somebody deleted them under it; it could no longer scale.
    """
    steps: list[Step] = []
    if there.wanted_model is None:
        why = [_LOST] if missing else _model_changes(wanted, there)
        steps.append(CreateModel(_model_name(wanted), wanted.model, _all_tags(wanted), tuple(why)))
    if there.wanted_config is None:
        why = [_LOST] if missing else _why_new_config(wanted, there)
        variants = wanted.named_variants if wanted.known else wanted.variants
        steps.append(CreateEndpointConfig(_config_name(wanted), variants, _all_tags(wanted), tuple(why)))
    return tuple(steps)


def _model_changes(wanted: Wanted, there: There) -> list[str]:
    if there.live_model and there.live_model.name == _model_name(wanted):
        return []
    return changes.model_changes(there.live_model, wanted.model)


def _why_new_config(wanted: Wanted, there: There) -> list[str]:
    reasons = changes.variant_changes(there.live_config, wanted.variants)
    if there.live_config and there.wanted_model is None:
        reasons.append("new Model")
    elif _model_changes(wanted, there):
        reasons.append(f"retained Model {wanted.model_name}")
    return reasons


def _live_is_proven(there: There, now: str) -> tuple[There, tuple[Step, ...]]:
    """What serves now was proven by serving; an interrupted run may not have written that down."""
    live = there.live_config.name if there.live_config else ""
    inventory = there.inventory or Inventory()
    if all(config.name != live or config.outcome.state == "proven" for config in inventory.configs):
        return there, ()
    proven = Outcome("proven", at=now)
    return replace(there, inventory=with_outcome(inventory, live, proven)), (Remember(live, proven),)


def _until_proven(wanted: Wanted, there: There, now: str, seen: str = "") -> tuple[Step, ...]:
    name = _config_name(wanted)
    what = f"Endpoint {wanted.name} is InService on {name or 'it'}"
    proven = Remember(name, Outcome("proven", at=now))
    return (Await(wanted.name, what, seen), proven, *_collect(wanted, there, now))


def _finish(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> tuple[Step, ...]:
    """The endpoint is InService on what is wanted: prove it once, collect what is old, tag it."""
    tags = _tags_missing(wanted, endpoint)
    if endpoint.retention == retention_mark(wanted.config_name, wanted.keep_generations):
        return tags
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    if outcome.state == "proven":
        return (*_collect(wanted, there, outcome.at), *tags)
    return (Remember(wanted.config_name, Outcome("proven", at=now)), *_collect(wanted, there, now), *tags)


def _collect(wanted: Wanted, there: There, proven_at: str) -> tuple[Step, ...]:
    live, keep = _config_name(wanted), wanted.keep_generations
    inventory = there.inventory or Inventory()
    kept = kept_configs(inventory, live, proven_at, keep)
    gone = collection(inventory, kept, {_model_name(wanted)}, f"older than the last {keep}")
    return (*gone, RecordRetention(wanted.name, retention_mark(live, keep), keep))


def _tags_missing(wanted: Wanted, endpoint: Endpoint) -> tuple[Step, ...]:
    tags = _all_tags(wanted)
    changed = tuple(f"{key}={value}" for key, value in tags if endpoint.tags.get(key) != value)
    if not changed:
        return ()
    models = (_model_name(wanted),)
    return (Tag(wanted.name, _config_name(wanted), models, tags, changed),)


def _then(first: Await, plan: Plan) -> Plan:
    return Plan((first, *plan.steps), plan.failure)
