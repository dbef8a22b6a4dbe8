# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Execute a plan: one pass, up to the first step that has to be waited for."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import steps
from .client import SageMakerClient
from .errors import AlreadyExists, Busy, NotFound
from .outcome import RETENTION_TAG, Outcome
from .plan import Plan
from .spec import normalised_image
from .state import There


@dataclass
class Pass:
    """What one pass did. C(awaits) is the step it ended at; None means that nothing is pending.

    C(submitted): SageMaker has taken a CreateEndpoint or UpdateEndpoint, so retrying is no longer asked for.
    """

    done: list[steps.Step] = field(default_factory=list)
    awaits: steps.Await | None = None
    submitted: bool = False


def apply(client: SageMakerClient, plan: Plan, there: There) -> Pass:
    """Execute the steps of C(plan) until one has to be waited for. Each is safe to repeat after an interruption."""
    made = Pass()
    for step in plan.steps:
        if isinstance(step, steps.Await):
            made.awaits = step
            return made
        made.submitted |= _execute(client, step, there)
        made.done.append(step)
    return made


def _execute(client: SageMakerClient, step: steps.Step, there: There) -> bool:
    """Execute one step; return whether it made SageMaker start moving the endpoint to what is wanted."""
    match step:
        case steps.CreateModel():
            _create_model(client, step)
        case steps.CreateEndpointConfig():
            try:
                client.create_endpoint_config(step.name, step.variants, step.tags)
            except AlreadyExists:
                return False
        case steps.CreateEndpoint():
            return _create_endpoint(client, step, there)
        case steps.UpdateEndpoint():
            return _update_endpoint(client, step, there)
        case steps.DeleteEndpoint():
            _delete_endpoint(client, step)
        case steps.Remember():
            _remember(client, step.config_name, step.outcome, there)
        case steps.Tag():
            _tag(client, step, there)
        case steps.DeleteEndpointConfig():
            client.delete_endpoint_config(step.name)
        case steps.DeleteModel():
            client.delete_model(step.name)
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


def _update_endpoint(client: SageMakerClient, step: steps.UpdateEndpoint, there: There) -> bool:
    try:
        client.update_endpoint(
            step.endpoint_name, step.config_name, retain_variant_properties=step.retain_variant_properties
        )
    except Busy:
        # Somebody was faster, or our own call got through and only its answer was lost: the next look tells.
        return False
    # Written after the call and not before it: an interruption in between repeats an update, which is harmless, and
    # never makes a generation look as if it had failed.
    _remember(client, step.config_name, step.submitted, there)
    return True


def _delete_endpoint(client: SageMakerClient, step: steps.DeleteEndpoint) -> None:
    try:
        client.delete_endpoint(step.endpoint_name)
    except Busy:
        return


def _remember(client: SageMakerClient, config_name: str, outcome: Outcome, there: There) -> None:
    looked_at = [there.wanted_config, there.live_config, *(there.inventory.configs if there.inventory else ())]
    known = next((config for config in looked_at if config and config.name == config_name), None)
    config = known or client.endpoint_config(config_name)
    if config is None:
        raise NotFound(message=f"EndpointConfig {config_name} was deleted while the endpoint moved to it.")
    client.add_tags(config.arn, outcome.to_tags())


def _tag(client: SageMakerClient, step: steps.Tag, there: There) -> None:
    # The endpoint last: its tags are what the next run looks at to tell whether all of them are written.
    config = client.endpoint_config(step.config_name)
    models = [client.model(name) for name in step.model_names]
    endpoint = there.endpoint or client.endpoint(step.endpoint_name, with_tags=False)
    for found in (config, *models, endpoint):
        if found is not None:
            client.add_tags(found.arn, dict(step.tags))
