# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Execute a plan: one pass, up to the first step that has to be waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from . import steps
from .client import SageMakerClient
from .errors import AlreadyExists, Busy, NotFound
from .outcome import RETENTION_TAG, ROLLED_BACK_TAG, Outcome
from .plan import Plan
from .scaling_client import Scaling
from .spec import normalised_image
from .state import Endpoint, There

#: Steps that name what a step before them made.
_PREPARED = (steps.CreateEndpointConfig, steps.CreateEndpoint, steps.UpdateEndpoint)


@dataclass
class Pass:
    """What one pass did. C(awaits) is the step it ended at; None means that nothing is pending.

    C(moved_from): what was live when SageMaker took a create (empty) or an update; None where it took neither.
    C(looked): the endpoint right after an update.
    """

    done: list[steps.Step] = field(default_factory=list)
    awaits: steps.Await | None = None
    moved_from: str | None = None
    looked: Endpoint | None = None


def apply(client: SageMakerClient, scaling: Scaling, plan: Plan, there: There) -> Pass:
    """Execute the steps of C(plan) until one has to be waited for. Each is safe to repeat after an interruption."""
    made = Pass()
    for step in plan.steps:
        if isinstance(step, steps.Await):
            seen = _seen(there.endpoint, made.looked) if made.looked and there.endpoint else step.seen
            made.awaits = replace(step, seen=seen)
            return made
        try:
            if _execute(client, scaling, step, there, made):
                made.moved_from = there.endpoint.config_name if there.endpoint else ""
        except NotFound:
            if not isinstance(step, _PREPARED):
                raise
            # What the step before made is gone, most likely with another run's old generations: plan anew.
            made.awaits = steps.Await(_endpoint_name(plan, there), "SageMaker sees what this run made")
            return made
        made.done.append(step)
    return made


def _endpoint_name(plan: Plan, there: There) -> str:
    if there.endpoint:
        return there.endpoint.name
    return next(step.endpoint_name for step in plan.steps if isinstance(step, steps.CreateEndpoint))


def _execute(client: SageMakerClient, scaling: Scaling, step: steps.Step, there: There, made: Pass) -> bool:
    """Execute one step; return whether it made SageMaker start moving the endpoint to what is wanted."""
    match step:
        case steps.CreateModel():
            _create_model(client, step)
        case steps.CreateEndpointConfig():
            try:
                client.create_endpoint_config(step.name, step.spec, step.tags)
            except AlreadyExists:
                return False
        case steps.CreateEndpoint():
            return _create_endpoint(client, step, there)
        case steps.UpdateEndpoint():
            made.looked = _update_endpoint(client, step, there)
            return made.looked is not None
        case steps.SetInstanceCounts():
            client.set_instance_counts(step.endpoint_name, step.counts)
        case steps.RegisterScalableTarget():
            scaling.register(step.variant_name, step.serverless, step.autoscaling)
        case steps.PutScalingPolicy():
            scaling.put_policy(step.variant_name, step.serverless, step.autoscaling)
        case steps.DeregisterScalableTarget():
            scaling.deregister(step.variant_name, step.dimension)
        case steps.Adopt():
            client.add_tags(step.arn, dict(step.tags))
        case steps.DeleteEndpoint():
            _delete_endpoint(client, step)
        case steps.Remember():
            _remember(client, step.config_name, step.outcome, there)
        case steps.MarkRolledBack():
            _write_tags(client, step.config_name, {ROLLED_BACK_TAG: step.at}, there)
        case steps.Tag():
            _tag(client, step, there)
        case steps.DeleteEndpointConfig():
            client.delete_endpoint_config(step.name)
        case steps.DeleteModel():
            client.delete_model(step.name)
        case steps.ForgetRetention():
            if there.endpoint:
                client.add_tags(there.endpoint.arn, {RETENTION_TAG: "moving"})
        case steps.RecordRetention():
            endpoint = there.endpoint or client.endpoint(step.endpoint_name, with_tags=False)
            if endpoint:
                client.add_tags(endpoint.arn, {RETENTION_TAG: step.mark})
    return False


def _create_model(client: SageMakerClient, step: steps.CreateModel) -> None:
    try:
        client.create_model(step.name, step.spec, step.tags)
    except AlreadyExists as error:
        # A try before got through although its answer was lost. The name says what it holds; trust, and look.
        found = client.model(step.name)
        if found and found.spec and normalised_image(found.spec.image) != normalised_image(step.spec.image):
            error.message = f"Model {step.name} exists and holds another image, {found.spec.image}; delete it first."
            raise


def _create_endpoint(client: SageMakerClient, step: steps.CreateEndpoint, there: There) -> bool:
    try:
        client.create_endpoint(step.endpoint_name, step.config_name, step.tags)
    except AlreadyExists:
        # Ours from a try before, or somebody else's: the next look at AWS tells.
        return False
    _remember(client, step.config_name, step.submitted, there)
    return True


def _update_endpoint(client: SageMakerClient, step: steps.UpdateEndpoint, there: There) -> Endpoint | None:
    """Update and return the endpoint as it is seen then; None where somebody else was faster."""
    try:
        client.update_endpoint(
            step.endpoint_name, step.config_name, retain_counts=step.retain_counts, deployment=step.deployment
        )
    except Busy:
        # Somebody was faster, or our own call got through and only its answer was lost: the next look tells.
        return None
    looked = client.endpoint(step.endpoint_name, with_tags=False)
    seen = _seen(there.endpoint, looked) if there.endpoint and looked else step.submitted.seen
    # Written after the call and not before it: an interruption in between repeats an update, which is harmless, and
    # never makes a generation look as if it had failed.
    _remember(client, step.config_name, replace(step.submitted, seen=seen), there)
    return looked


def _seen(before: Endpoint, looked: Endpoint) -> str:
    """Return up to which LastModifiedTime a look is older than the end of the update that was just taken.

    What is seen right after it is either the update on its way or, where reads lag behind, still what was before; that
    may have been modified once more since the plan was made. An update that SageMaker has already taken back, which
    no account but a local cloud's is quick enough for, gives its reason.
    """
    return looked.modified if looked.moving or looked.failure_reason == before.failure_reason else before.modified


def _delete_endpoint(client: SageMakerClient, step: steps.DeleteEndpoint) -> None:
    try:
        client.delete_endpoint(step.endpoint_name)
    except Busy:
        return


def _remember(client: SageMakerClient, config_name: str, outcome: Outcome, there: There) -> None:
    _write_tags(client, config_name, outcome.to_tags(), there)


def _write_tags(client: SageMakerClient, config_name: str, tags: Mapping[str, str], there: There) -> None:
    looked_at = [there.wanted_config, there.live_config, *(there.inventory.configs if there.inventory else ())]
    known = next((config for config in looked_at if config and config.name == config_name), None)
    config = known or client.endpoint_config(config_name)
    if config is None:
        raise NotFound(message=f"EndpointConfig {config_name} was deleted while the endpoint moved to it.")
    client.add_tags(config.arn, tags)


def _tag(client: SageMakerClient, step: steps.Tag, there: There) -> None:
    # The endpoint last: its tags are what the next run looks at to tell whether all of them are written.
    config = client.endpoint_config(step.config_name)
    models = [client.model(name) for name in step.model_names]
    endpoint = there.endpoint or client.endpoint(step.endpoint_name, with_tags=False)
    for found in (config, *models, endpoint):
        if found is not None:
            client.add_tags(found.arn, dict(step.tags))
            if step.removed:
                client.delete_tags(found.arn, step.removed)
