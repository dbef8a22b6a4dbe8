# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide: what is wanted and what is there, to steps and, where the run cannot succeed, a failure that says why.

Pure. Check mode prints a plan, the real run executes it. A pass executes it up to its first C(Await); then AWS is
looked at again and planned again, so a run that was interrupted anywhere is continued by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import absent, changes, failures, scaling_plan
from .failures import CONSENT, Failure
from .outcome import OWNER_TAG, RESERVED_TAGS, Outcome, retention_mark
from .retention import collection, kept_configs, with_outcome
from .spec import ModelSpec, Pairs, Wanted
from .state import MIXED, Endpoint, Inventory, There
from .steps import (
    Adopt,
    Await,
    CreateEndpoint,
    CreateEndpointConfig,
    CreateModel,
    DeleteEndpoint,
    ForgetRetention,
    RecordRetention,
    Remember,
    SetInstanceCounts,
    Step,
    Tag,
    UpdateEndpoint,
    writes,
)

_LOST = "the endpoint serves it, but it was deleted"


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
    if endpoint is None and wanted.moved_from:
        return Plan(failure=failures.deleted_meanwhile(wanted.name))
    if endpoint is None:
        return _create(wanted, there, now)
    if endpoint.foreign and not wanted.adopt:
        return Plan(failure=failures.not_ours(endpoint))
    if endpoint.foreign:
        return _adopt(wanted, there, endpoint, now)
    if endpoint.status == "Deleting":
        if wanted.moved_from or (wanted.moved_from == "" and endpoint.config_name == wanted.config_name):
            return Plan(failure=failures.deleted_meanwhile(wanted.name))
        return _then(Await(wanted.name, f"Endpoint {wanted.name} is deleted"), _create(wanted, there, now))
    if endpoint.moving:
        return _in_flight(wanted, there, endpoint, now)
    if endpoint.status in ("InService", MIXED):
        return _in_service(wanted, there, endpoint, now)
    if endpoint.status == "Failed":
        return _after_failed_create(wanted, there, endpoint, now)
    return _degraded(wanted, there, endpoint, now)


def plan_absent(name: str, there: There) -> Plan:
    """Return the steps that remove an endpoint and every generation made for it."""
    endpoint = there.endpoint
    if endpoint is not None and endpoint.foreign:
        return Plan(failure=failures.not_ours(endpoint))
    return Plan(tuple(absent.steps(name, endpoint, there.inventory or Inventory(), there.scaling)))


def _adopt(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    """Take over what somebody else made, then go on as with our own. What it was made of stays theirs."""
    tags = _all_tags(wanted)
    ours = replace(endpoint, tags={**endpoint.tags, **dict(tags)})
    plan = plan_present(wanted, replace(there, endpoint=ours), now)
    if plan.failure:
        return plan
    return Plan((Adopt(wanted.name, endpoint.arn, tags), *plan.steps))


def _create(wanted: Wanted, there: There, now: str) -> Plan:
    """The endpoint is missing, or will be once the steps before have run."""
    remembered = _remembered_failure(wanted, there)
    if remembered:
        return Plan(failure=remembered)
    submitted = Outcome("pending", at=now)
    return Plan(
        (
            *_parts(wanted, there),
            *scaling_plan.stops(wanted.name, there.scaling, "an earlier endpoint of that name left it"),
            CreateEndpoint(wanted.name, wanted.config_name, _all_tags(wanted), submitted),
            *_until_proven(wanted, replace(there, scaling=()), now),
        )
    )


def _recreate(wanted: Wanted, there: There, why: str, now: str) -> Plan:
    # The endpoint goes last of all that is prepared, so that it is away for as short as can be.
    unscaled = tuple(scaling_plan.stops(wanted.name, there.scaling, "its endpoint goes"))
    created = _create(wanted, replace(there, scaling=()), now)
    if created.failure:
        return created
    parts = tuple(step for step in created.steps if isinstance(step, (CreateModel, CreateEndpointConfig)))
    gone = Await(wanted.name, f"Endpoint {wanted.name} is deleted")
    return Plan((*parts, *unscaled, DeleteEndpoint(wanted.name, why), gone, *created.steps[len(parts) :]))


def _in_flight(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    target = endpoint.pending_config_name or endpoint.config_name
    what = f"Endpoint {wanted.name} is no longer {endpoint.status}"
    if endpoint.pending_config_name:
        what += f" (on its way to {target})"
    settled = replace(endpoint, status="InService", config_name=target, pending_config_name="", failure_reason="")
    if wanted.known and (target == wanted.config_name or _submitted(there, endpoint)):
        there = replace(there, live_config=there.wanted_config, live_models=there.wanted_models)
        return _then(Await(wanted.name, what), Plan((*_finish(wanted, there, settled, now),)))
    return _then(Await(wanted.name, what), _in_service(wanted, there, settled, now))


def _submitted(there: There, endpoint: Endpoint) -> bool:
    """Whether the change in flight is our own, where SageMaker does not say which EndpointConfig it leads to."""
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    unsaid = endpoint.status == "Updating" and not endpoint.pending_config_name
    return unsaid and outcome.state == "pending" and outcome.previous == endpoint.config_name


def _in_service(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    if wanted.known and endpoint.config_name == wanted.config_name and endpoint.status != MIXED:
        stranger = _other_image(wanted, endpoint)
        if stranger:
            return Plan(failure=stranger)
        return Plan((*_parts(wanted, there, missing=True), *_finish(wanted, there, endpoint, now)))
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    if outcome.state == "pending" and outcome.previous == endpoint.config_name:
        if outcome.seen and endpoint.modified <= outcome.seen:
            shown = Await(wanted.name, f"Endpoint {wanted.name} shows the update it took", outcome.seen)
            return Plan((shown, *_finish(wanted, there, endpoint, now)))
        if not wanted.retry_failed:
            return _rolled_back(wanted, endpoint, now)
    if wanted.moved_from not in (None, endpoint.config_name):
        return Plan(failure=failures.overtaken(endpoint, wanted.config_name))
    remembered = _remembered_failure(wanted, there)
    if remembered:
        return Plan(failure=remembered)
    taken = scaling_plan.obstacle(wanted, there)
    if taken:
        return Plan(failure=Failure(taken))
    obstacle = _obstacle(wanted, there, endpoint)
    if obstacle and not wanted.replace:
        return Plan(failure=Failure(f"{obstacle}, so the endpoint would be deleted and created again: {CONSENT}"))
    if obstacle:
        there, memory = _live_is_proven(there, now)
        replaced = _recreate(wanted, there, "consent is given to replace it", now)
        return replace(replaced, steps=(*memory, *replaced.steps))
    return _update(wanted, there, endpoint, now)


def _update(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    submitted = Outcome("pending", at=now, previous=endpoint.config_name, seen=endpoint.modified)
    there, memory = _live_is_proven(there, now)
    reused = there.wanted_config is not None
    back = (*_model_changes(wanted, there), *changes.config_changes(there.live_config, wanted.named_config))
    retain = scaling_plan.counts_are_scaled(wanted, there)
    stale = endpoint.retention == retention_mark(wanted.config_name, wanted.keep_generations)
    return Plan(
        (
            *memory,
            *((ForgetRetention(wanted.name),) if stale else ()),
            *_parts(wanted, there),
            *scaling_plan.before_update(wanted, there),
            UpdateEndpoint(
                wanted.name,
                wanted.config_name,
                submitted,
                reused=reused,
                retain_counts=retain,
                deployment=wanted.deployment,
                reasons=(*_left(there), *back) if reused else (),
            ),
            *_until_proven(wanted, there, now, seen=endpoint.modified),
            *_tags_missing(wanted, endpoint),
        )
    )


def _left(there: There) -> tuple[str, ...]:
    """A person went back from what is wanted again: the plan says so."""
    left = there.wanted_config.rolled_back if there.wanted_config else ""
    return (f"forward again to what a rollback left at {left}",) if left else ()


def _other_image(wanted: Wanted, endpoint: Endpoint) -> Failure | None:
    """SageMaker tells which digest it deployed (DeployedImages); one that is not ours is no success."""
    digests = {model.image.rpartition("@")[2] for model in wanted.models}
    deployed = {image.rpartition("@")[2] for image in endpoint.resolved_images}
    strangers = deployed - digests
    return failures.other_image(wanted, strangers, digests) if strangers else None


def _rolled_back(wanted: Wanted, endpoint: Endpoint, now: str) -> Plan:
    told = failures.mixed(endpoint) if endpoint.status == MIXED else failures.update_rolled_back(wanted, endpoint)
    return failed(wanted.config_name, endpoint, now, told)


def failed(config_name: str, endpoint: Endpoint, now: str, failure: Failure) -> Plan:
    """Remember on an EndpointConfig that it failed, for the reason SageMaker gives, and say so."""
    return Plan((Remember(config_name, Outcome("failed", at=now, reason=endpoint.failure_reason)),), failure)


def _after_failed_create(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    same = wanted.known and endpoint.config_name == wanted.config_name
    if not same or wanted.retry_failed:
        return _recreate(wanted, there, "it is Failed, and SageMaker lets a Failed endpoint only be deleted", now)
    known = there.wanted_config is None or there.wanted_config.outcome.state == "failed"
    told = failures.create_failed(wanted, endpoint)
    return Plan(failure=told) if known else failed(wanted.config_name, endpoint, now, told)


def _degraded(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> Plan:
    """OutOfService, and any state that SageMaker adds later."""
    if wanted.replace:
        return _recreate(wanted, there, f"it is {endpoint.status}, and consent is given to replace it", now)
    tried = there.wanted_config.outcome.state if there.wanted_config else "unknown"
    told = failures.degraded(endpoint, tried_before=tried in ("pending", "failed"))
    return failed(wanted.config_name, endpoint, now, told) if tried == "pending" else Plan(failure=told)


def _remembered_failure(wanted: Wanted, there: There) -> Failure | None:
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    if wanted.retry_failed or outcome.state != "failed":
        return None
    return failures.remembered(wanted, outcome, there.endpoint)


def _obstacle(wanted: Wanted, there: There, endpoint: Endpoint) -> str:
    """Return why SageMaker has no update from what is live to what is wanted, or nothing where it has one.

    A serverless endpoint is updated to instances, and never back (developer guide, Serverless Inference).
    """
    if there.live_config is None:
        return (
            f"Endpoint {wanted.name} serves {endpoint.config_name}, which somebody deleted. SageMaker takes no update "
            "of an endpoint whose EndpointConfig is gone"
        )
    live = there.live_variants
    for variant in wanted.config.variants:
        was = live.get(variant.variant_name) or next(iter(live.values()), None)
        if was and was.instance and variant.serverless:
            return f"Endpoint {wanted.name} is {was.kind} and is wanted {variant.kind}. SageMaker has no such update"
    return ""


def _all_tags(wanted: Wanted) -> Pairs:
    return tuple(sorted({**dict(wanted.tags), OWNER_TAG: wanted.name}.items()))


def _parts(wanted: Wanted, there: There, missing: bool = False) -> tuple[Step, ...]:
    """The Model and the EndpointConfig where they are not there yet; names carry the content, so a name is enough.

    C(missing): the endpoint serves them already, so somebody deleted them under it; it could no longer scale.
    """
    steps: list[Step] = []
    for model in _missing_models(wanted, there):
        why = [_LOST] if missing else _changes_of(model, wanted, there)
        steps.append(CreateModel(wanted.model_name(model), model, _all_tags(wanted), tuple(why)))
    if there.wanted_config is None:
        why = [_LOST] if missing else _why_new_config(wanted, there)
        steps.append(CreateEndpointConfig(wanted.config_name, wanted.named_config, _all_tags(wanted), tuple(why)))
    return tuple(steps)


def _missing_models(wanted: Wanted, there: There) -> tuple[ModelSpec, ...]:
    found = {model.name for model in there.wanted_models}
    return tuple(model for model in wanted.models if wanted.model_name(model) not in found)


def _changes_of(model: ModelSpec, wanted: Wanted, there: There) -> list[str]:
    """What is new in a model, compared with what the first variant that is to serve it serves now."""
    name = next(each.variant_name for each in wanted.config.all_variants if each.model == model)
    live = there.live_model(name) or next(iter(there.live_models), None)
    if live and live.name == wanted.model_name(model):
        return []
    return changes.model_changes(live, model)


def _model_changes(wanted: Wanted, there: There) -> list[str]:
    return [phrase for model in wanted.models for phrase in _changes_of(model, wanted, there)]


def _why_new_config(wanted: Wanted, there: There) -> list[str]:
    reasons = changes.config_changes(there.live_config, wanted.named_config)
    if there.live_config and _missing_models(wanted, there):
        reasons.append("new Model")
    elif _model_changes(wanted, there):
        reasons.append(f"retained Model {', '.join(wanted.model_names)}")
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
    name = wanted.config_name
    what = f"Endpoint {wanted.name} is InService on {name or 'it'}"
    proven = Remember(name, Outcome("proven", at=now))
    arrived = Await(wanted.name, what, seen)
    counts = _fixed_counts(wanted, there, there.endpoint) if seen and there.endpoint else ()
    return (arrived, *counts, proven, *scaling_plan.after_update(wanted, there), *_collect(wanted, there, now))


def _finish(wanted: Wanted, there: There, endpoint: Endpoint, now: str) -> tuple[Step, ...]:
    """The endpoint is InService on what is wanted: prove it once, scale it, collect what is old, tag it."""
    counts = _fixed_counts(wanted, there, endpoint)
    if counts:
        return counts
    last = tuple(scaling_plan.settled(wanted, there))
    tags = _tags_missing(wanted, endpoint)
    if endpoint.retention == retention_mark(wanted.config_name, wanted.keep_generations):
        return (*last, *tags)
    outcome = there.wanted_config.outcome if there.wanted_config else Outcome()
    if outcome.state == "proven":
        return (*last, *_collect(wanted, there, outcome.at), *tags)
    return (Remember(wanted.config_name, Outcome("proven", at=now)), *last, *_collect(wanted, there, now), *tags)


def _fixed_counts(wanted: Wanted, there: There, endpoint: Endpoint) -> tuple[Step, ...]:
    """An update that keeps the scaled variants' counts keeps the others' as well; those get theirs here."""
    if not scaling_plan.counts_are_scaled(wanted, there):
        return ()
    counts = {
        variant.variant_name: variant.instance.initial_instance_count
        for variant in wanted.config.variants
        if variant.instance
        and variant.variant_name not in scaling_plan.scaled(wanted, there)
        and endpoint.desired_counts.get(variant.variant_name) not in (None, variant.instance.initial_instance_count)
    }
    if not counts:
        return ()
    return (
        SetInstanceCounts(wanted.name, counts),
        Await(wanted.name, f"Endpoint {wanted.name} has these instance counts", endpoint.modified),
    )


def _collect(wanted: Wanted, there: There, proven_at: str) -> tuple[Step, ...]:
    live, keep = wanted.config_name, wanted.keep_generations
    inventory = there.inventory or Inventory()
    kept = kept_configs(inventory, live, proven_at, keep)
    gone = collection(inventory, kept, set(wanted.model_names), f"older than the last {keep}")
    return (*gone, RecordRetention(wanted.name, retention_mark(live, keep), keep))


def _tags_missing(wanted: Wanted, endpoint: Endpoint) -> tuple[Step, ...]:
    tags = _all_tags(wanted)
    changed = tuple(f"{key}={value}" for key, value in tags if endpoint.tags.get(key) != value)
    extra = sorted(endpoint.tags.keys() - dict(tags).keys() - RESERVED_TAGS) if wanted.purge_tags else []
    removed = tuple(key for key in extra if not key.startswith("aws:"))
    if not changed and not removed:
        return ()
    return (Tag(wanted.name, wanted.config_name, wanted.model_names, tags, changed, removed),)


def _then(first: Await, plan: Plan) -> Plan:
    return Plan((first, *plan.steps), plan.failure)
