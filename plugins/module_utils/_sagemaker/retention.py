# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which generations are kept, and which may be collected."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from .outcome import Outcome
from .state import EndpointConfig, Inventory
from .steps import DeleteEndpointConfig, DeleteModel, Step


def with_outcome(inventory: Inventory, name: str, outcome: Outcome) -> Inventory:
    """Return the inventory as it is once C(outcome) is written on the EndpointConfig C(name)."""
    tags = outcome.to_tags()
    return replace(
        inventory,
        configs=tuple(
            replace(config, tags={**(config.tags or {}), **tags}) if config.name == name else config
            for config in inventory.configs
        ),
    )


def kept_configs(inventory: Inventory, live: str, proven_at: str, keep_generations: int) -> frozenset[str]:
    """Return the names of the EndpointConfigs that stay: the live one and the last C(keep_generations) proven ones.

    A failed generation is no place to go back to. It stays only as the memory of its failure, until a later
    generation is proven; C(proven_at) is when the live one was.
    """
    others = [config for config in inventory.configs if config.name != live]
    proven = [config for config in others if config.outcome.state == "proven"]
    proven.sort(key=lambda config: (config.outcome.at, config.created, config.name), reverse=True)
    failed_since = [config for config in others if config.outcome.state == "failed" and config.outcome.at > proven_at]
    return frozenset({live, *(config.name for config in proven[:keep_generations] + failed_since)})


def collection(inventory: Inventory, kept: Collection[str], wanted_models: Collection[str], why: str) -> Iterator[Step]:
    """Yield deletes, EndpointConfigs before the Models they name, of what is not kept and serves no endpoint.

    The inventory holds only what is tagged as made for this endpoint, so nothing else can be named here.
    """
    stays = {config.name for config in inventory.configs if config.name in kept} | set(inventory.used_configs)
    for config in inventory.configs:
        if config.name not in stays:
            yield DeleteEndpointConfig(config.name, _why(config, why))
    referred = set(wanted_models) | set(inventory.used_models)
    for config in inventory.configs:
        if config.name in stays:
            referred |= config.model_names
    for model in inventory.models:
        if model.name not in referred:
            yield DeleteModel(model.name, "no kept EndpointConfig names it")


def _why(config: EndpointConfig, why: str) -> str:
    return {"failed": "it failed and a later one is live", "unknown": "it was never live"}.get(
        config.outcome.state, why
    )
