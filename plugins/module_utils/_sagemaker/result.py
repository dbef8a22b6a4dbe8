# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person gets back: the endpoint's facts and the difference between before and after.

The keys of an environment and of tags are written as they are; only names of our own choosing are in snake case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .aws_names import document
from .outcome import RESERVED_TAGS
from .plan import Plan
from .scaling import Autoscaling, ScalableTarget
from .spec import ConfigSpec, ModelSpec, Wanted
from .state import Endpoint, EndpointConfig, Inventory, Model, There
from .steps import DeleteEndpoint, DeleteEndpointConfig, UpdateEndpoint, plan_text
from .validate import is_secret

HIDDEN = "(hidden: its name or value looks like a secret)"


def endpoint_facts(there: There) -> dict[str, Any]:
    """Return the endpoint as a module's result shows it; empty where there is none."""
    endpoint = there.endpoint
    if endpoint is None:
        return {}
    models = {model.name: model for model in there.live_models}
    live = there.live_config.spec if there.live_config else ConfigSpec(())
    first = models.get(live.variants[0].model_name) if live.variants else None
    return {
        **endpoint_sight(endpoint),
        "model_name": first.name if first else "",
        "image": first.spec.image if first and first.spec else "",
        "images": {name: model.spec.image for name, model in sorted(models.items()) if model.spec},
        "production_variants": [variant.document() for variant in live.variants],
        "shadow_production_variants": [variant.document() for variant in live.shadow_variants],
        "autoscaling": [
            {"variant_name": each.variant_name, "min_capacity": each.min_capacity, "max_capacity": each.max_capacity}
            for each in there.scaling
        ],
        "tags": dict(endpoint.tags),
        **({"generations": generations(there.inventory, endpoint)} if there.inventory else {}),
    }


def endpoint_sight(endpoint: Endpoint) -> dict[str, Any]:
    """Return what one DescribeEndpoint tells."""
    return {
        "endpoint_name": endpoint.name,
        "endpoint_arn": endpoint.arn,
        "endpoint_status": endpoint.status,
        "endpoint_config_name": endpoint.config_name,
        "pending_endpoint_config_name": endpoint.pending_config_name,
        "failure_reason": endpoint.failure_reason,
        "creation_time": endpoint.created,
        "last_modified_time": endpoint.modified,
    }


def generations(inventory: Inventory, endpoint: Endpoint | None) -> list[dict[str, Any]]:
    """Return the generations, the newest first."""
    live = endpoint.config_name if endpoint else ""
    newest_first = sorted(inventory.configs, key=lambda config: (config.created, config.name), reverse=True)
    return [_generation(config, live) for config in newest_first]


def _generation(config: EndpointConfig, live: str) -> dict[str, Any]:
    outcome = config.outcome
    return {
        "endpoint_config_name": config.name,
        "model_names": sorted(config.model_names),
        "creation_time": config.created,
        "live": config.name == live,
        "outcome": outcome.state,
        "outcome_time": outcome.at,
        "reason": outcome.reason,
        "rolled_back": config.rolled_back,
    }


def diff_present(wanted: Wanted, there: There, plan: Plan) -> dict[str, Any]:
    """Return Ansible's diff for a plan that ends with what is wanted."""
    before = _described(there.endpoint, there.live_config, there.live_models, there)
    if not plan.changes_something and not plan.failure:
        return _diff(before, before, plan)
    after = {
        "endpoint_name": wanted.name,
        "endpoint_config_name": wanted.config_name or "(known after the build)",
        **_config(wanted.named_config),
        "models": {each.variant_name: _model(each.model) for each in wanted.config.all_variants if each.model},
        "tags": _tags_after(wanted, there.endpoint),
        **_scaling({each.variant_name: each.autoscaling for each in wanted.config.variants if each.autoscaling}),
    }
    if there.inventory is not None:
        gone = {step.name for step in plan.steps if isinstance(step, DeleteEndpointConfig)}
        kept = {config.name for config in there.inventory.configs} - gone
        after["generations"] = sorted(kept | {str(after["endpoint_config_name"])})
    return _diff(before, before if plan.failure else after, plan)


def diff_absent(there: There, plan: Plan) -> dict[str, Any]:
    """Return Ansible's diff for a plan that removes the endpoint and its generations."""
    inventory = there.inventory or Inventory()
    gone = {step.name for step in plan.steps if isinstance(step, DeleteEndpointConfig)}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if there.endpoint:
        before["endpoint_name"] = there.endpoint.name
        if not any(isinstance(step, DeleteEndpoint) for step in plan.steps) and there.endpoint.status != "Deleting":
            after["endpoint_name"] = there.endpoint.name
    if inventory.configs:
        before["generations"] = sorted(config.name for config in inventory.configs)
        kept = sorted(config.name for config in inventory.configs if config.name not in gone)
        if kept:
            after["generations"] = kept
    return _diff(before, after, plan)


def shown_environment(environment: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return an environment fit to be shown: nothing that looks like a secret."""
    return {key: HIDDEN if is_secret(key, value) else value for key, value in environment}


def _diff(before: Mapping[str, Any], after: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    diff: dict[str, Any] = {"before": dict(before), "after": dict(after)}
    if plan.sentences:
        diff["prepared"] = plan_text(plan.sentences)
    return diff


def diff_rollback(there: There, plan: Plan) -> dict[str, Any]:
    """Return Ansible's diff for a plan that goes back to an earlier generation."""
    before = {"endpoint_config_name": there.endpoint.config_name} if there.endpoint else {}
    goes = next((step.config_name for step in plan.steps if isinstance(step, UpdateEndpoint)), None)
    return _diff(before, {"endpoint_config_name": goes} if goes and not plan.failure else before, plan)


def _described(
    endpoint: Endpoint | None, config: EndpointConfig | None, models: Sequence[Model], there: There
) -> dict[str, Any]:
    if endpoint is None:
        return {}
    described: dict[str, Any] = {
        "endpoint_name": endpoint.name,
        "endpoint_config_name": endpoint.config_name,
        **_config(config.spec if config else ConfigSpec(())),
        "models": _models(config.spec if config else ConfigSpec(()), models),
        "tags": _user_tags(endpoint),
        **_scaling({each.variant_name: each for each in there.scaling}),
    }
    if there.inventory is not None:
        described["generations"] = sorted(each.name for each in there.inventory.configs)
    return described


def _config(spec: ConfigSpec) -> dict[str, Any]:
    document = spec.document()
    document["production_variants"] = document.pop("variants")
    return document


def _models(spec: ConfigSpec, models: Sequence[Model]) -> dict[str, Any]:
    """What each variant serves, by the variant's name: a Model's own name changes with every change."""
    known = {model.name: model.spec for model in models if model.spec}
    served = {variant.variant_name: known.get(variant.model_name) for variant in spec.all_variants}
    return {name: _model(model) for name, model in served.items() if model}


def _scaling(scaled: Mapping[str, Autoscaling | ScalableTarget]) -> dict[str, Any]:
    bounds = {name: f"{each.min_capacity} to {each.max_capacity}" for name, each in sorted(scaled.items())}
    return {"autoscaling": bounds} if bounds else {}


def _tags_after(wanted: Wanted, endpoint: Endpoint | None) -> dict[str, str]:
    return dict(wanted.tags) if wanted.purge_tags else {**_user_tags(endpoint), **dict(wanted.tags)}


def _model(spec: ModelSpec) -> dict[str, Any]:
    return {
        "image": spec.image,
        "model_data_url": spec.model_data_url or "",
        "environment": shown_environment(spec.environment),
        "execution_role_arn": spec.execution_role_arn,
        **({"vpc": document(spec.vpc)} if spec.vpc else {}),
        **({"enable_network_isolation": True} if spec.enable_network_isolation else {}),
    }


def _user_tags(endpoint: Endpoint | None) -> dict[str, str]:
    return {key: value for key, value in (endpoint.tags if endpoint else {}).items() if key not in RESERVED_TAGS}
