# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at AWS: what the plan needs to know, in as few calls as it takes.

An endpoint that is InService on what is wanted, with its old generations collected, costs four reading calls however
many generations there were: DescribeEndpoint, ListTags, DescribeEndpointConfig, DescribeModel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from .client import SageMakerClient
from .naming import name_prefix
from .outcome import retention_mark
from .scaling_client import Scaling
from .spec import Variant, Wanted
from .state import Endpoint, EndpointConfig, Inventory, Model, There

#: A clock that is a little off must not hide an endpoint that was pointed at a candidate right after it was made.
_CLOCK_SKEW = timedelta(minutes=5)


def read_present(client: SageMakerClient, wanted: Wanted, scaling: Scaling) -> There:
    """Look at the endpoint, what it serves, what it is to serve, and, where anything moves, all its generations."""
    endpoint = client.endpoint(wanted.name)
    settled = _is_settled(wanted, endpoint)
    config = client.endpoint_config(wanted.config_name, with_tags=not settled) if wanted.known else None
    models = _models(client, wanted.model_names) if wanted.known else ()
    there = There(endpoint=endpoint, wanted_config=config, wanted_models=models)
    if endpoint is not None and endpoint.config_name:
        there = _with_live(client, wanted, there, endpoint)
    if _may_be_scaled(wanted, there):
        there = replace(there, scaling=scaling.targets(_variant_names(wanted, there)))
    if settled or (endpoint is not None and endpoint.foreign and not wanted.adopt):
        return there
    return replace(there, inventory=read_inventory(client, wanted.name, known=config))


def _may_be_scaled(wanted: Wanted, there: There) -> bool:
    """Whether a variant can be registered at all: a serverless one without provisioned concurrency cannot."""
    return any(_scales(variant) for variant in (*wanted.config.variants, *there.live_variants.values()))


def _scales(variant: Variant) -> bool:
    warm = variant.serverless.provisioned_concurrency if variant.serverless else None
    return bool(variant.instance or variant.autoscaling or warm)


def _variant_names(wanted: Wanted, there: There) -> list[str]:
    return sorted({variant.variant_name for variant in wanted.config.variants} | there.live_variants.keys())


def read_absent(client: SageMakerClient, name: str, scaling: Scaling) -> There:
    """Look at the endpoint, its registrations for scaling, and all its generations."""
    endpoint = client.endpoint(name)
    if endpoint is not None and endpoint.foreign:
        return There(endpoint=endpoint)
    inventory = read_inventory(client, name)
    config = client.endpoint_config(endpoint.config_name) if endpoint and endpoint.config_name else None
    variants = {variant.variant_name for each in (*inventory.configs, config) if each for variant in each.spec.variants}
    return There(endpoint=endpoint, inventory=inventory, scaling=scaling.targets(sorted(variants)))


def read_info(client: SageMakerClient, name: str, scaling: Scaling) -> There:
    """Look at the endpoint, what it serves, what scales it, and its generations, whatever is wanted."""
    there = There(endpoint=client.endpoint(name), inventory=_listed(client, name))
    if there.endpoint is None or not there.endpoint.config_name:
        return there
    config = client.endpoint_config(there.endpoint.config_name)
    variants = config.spec.variants if config else ()
    targets = scaling.targets(sorted(variant.variant_name for variant in variants if _scales(variant)))
    models = _models(client, sorted(config.model_names) if config else ())
    return replace(there, live_config=config, live_models=models, scaling=targets)


def read_inventory(client: SageMakerClient, name: str, known: EndpointConfig | None = None) -> Inventory:
    """List what is tagged as made for the endpoint, and find which of it other endpoints serve.

    C(known) is an EndpointConfig that was described with its tags moments ago.
    """
    return _with_users(client, name, _listed(client, name, known))


def _listed(client: SageMakerClient, name: str, known: EndpointConfig | None = None) -> Inventory:
    names = client.config_names(name_prefix(name, "CONFIG"))
    found = (known if known and known.name == each else client.endpoint_config(each, with_tags=True) for each in names)
    configs = tuple(config for config in found if config is not None and config.made_for(name))
    return Inventory(configs=configs, models=tuple(client.models(name_prefix(name, "MODEL"), owner=name)))


def _is_settled(wanted: Wanted, endpoint: Endpoint | None) -> bool:
    return (
        endpoint is not None
        and wanted.known
        and endpoint.status == "InService"
        and endpoint.config_name == wanted.config_name
        and endpoint.retention == retention_mark(wanted.config_name, wanted.keep_generations)
    )


def _with_live(client: SageMakerClient, wanted: Wanted, there: There, endpoint: Endpoint) -> There:
    if wanted.known and endpoint.config_name == wanted.config_name:
        return replace(there, live_config=there.wanted_config, live_models=there.wanted_models)
    config = client.endpoint_config(endpoint.config_name)
    names = config.model_names if config else frozenset()
    known = {model.name: model for model in there.wanted_models}
    unknown = _models(client, sorted(names - known.keys()))
    return replace(
        there, live_config=config, live_models=(*(known[name] for name in sorted(names & known.keys())), *unknown)
    )


def _models(client: SageMakerClient, names: Iterable[str]) -> tuple[Model, ...]:
    found = (client.model(name) for name in names)
    return tuple(model for model in found if model is not None)


def _with_users(client: SageMakerClient, name: str, inventory: Inventory) -> Inventory:
    """Find other endpoints on our generations: each was created or changed after the generation it names was made."""
    oldest = min((config.created for config in inventory.configs if config.created), default="")
    if not oldest:
        return inventory
    since = datetime.strptime(oldest, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) - _CLOCK_SKEW
    used_configs: dict[str, str] = {}
    used_models: dict[str, str] = {}
    for other in client.endpoints_modified_since(since):
        if other == name:
            continue
        for config in _configs_of(client, other):
            used_configs[config.name] = other
            used_models |= dict.fromkeys(config.model_names, other)
    return replace(inventory, used_configs=used_configs, used_models=used_models)


def _configs_of(client: SageMakerClient, endpoint_name: str) -> list[EndpointConfig]:
    endpoint = client.endpoint(endpoint_name, with_tags=False)
    names = {endpoint.config_name, endpoint.pending_config_name} - {""} if endpoint else set()
    found = (client.endpoint_config(name) for name in sorted(names))
    return [config for config in found if config is not None]
