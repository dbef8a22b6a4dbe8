# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the person gets back: the endpoint's facts and the difference between before and after.

The keys of an environment and of tags are written as they are; only names of our own choosing are in snake case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .outcome import RESERVED_TAGS
from .plan import Plan
from .spec import ModelSpec, Variant, Wanted
from .state import Endpoint, EndpointConfig, Inventory, Model, There
from .steps import DeleteEndpoint, DeleteEndpointConfig, plan_text
from .validate import is_secret

HIDDEN = "(hidden: its name or value looks like a secret)"


def endpoint_facts(there: There) -> dict[str, Any]:
    """Return the endpoint as a module's result shows it; empty where there is none."""
    endpoint = there.endpoint
    if endpoint is None:
        return {}
    model = there.live_model
    return {
        **endpoint_sight(endpoint),
        "model_name": model.name if model else "",
        "image": model.spec.image if model and model.spec else "",
        "production_variants": [variant.document() for variant in there.live_config.variants]
        if there.live_config
        else [],
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
    }


def diff_present(wanted: Wanted, there: There, plan: Plan) -> dict[str, Any]:
    """Return Ansible's diff for a plan that ends with what is wanted."""
    before = _described(there.endpoint, there.live_config, there.live_model, there)
    if not plan.changes_something and not plan.failure:
        return _diff(before, before, plan)
    after = {
        "endpoint_name": wanted.name,
        "endpoint_config_name": wanted.config_name if wanted.known else "(known after the build)",
        "model_name": wanted.model_name if wanted.known else "(known after the build)",
        **_model(wanted.model),
        "production_variants": [_variant(variant) for variant in wanted.variants],
        "tags": {**_user_tags(there.endpoint), **dict(wanted.tags)},
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


def _described(
    endpoint: Endpoint | None, config: EndpointConfig | None, model: Model | None, there: There
) -> dict[str, Any]:
    if endpoint is None:
        return {}
    described: dict[str, Any] = {
        "endpoint_name": endpoint.name,
        "endpoint_config_name": endpoint.config_name,
        "model_name": model.name if model else "",
        **(_model(model.spec) if model and model.spec else {}),
        "production_variants": [_variant(variant) for variant in config.variants] if config else [],
        "tags": _user_tags(endpoint),
    }
    if there.inventory is not None:
        described["generations"] = sorted(each.name for each in there.inventory.configs)
    return described


def _model(spec: ModelSpec) -> dict[str, Any]:
    return {
        "image": spec.image,
        "model_data_url": spec.model_data_url or "",
        "environment": shown_environment(spec.environment),
        "execution_role_arn": spec.execution_role_arn,
    }


def _variant(variant: Variant) -> dict[str, Any]:
    return {key: value for key, value in variant.document().items() if key != "model_name"}


def _user_tags(endpoint: Endpoint | None) -> dict[str, str]:
    return {key: value for key, value in (endpoint.tags if endpoint else {}).items() if key not in RESERVED_TAGS}
