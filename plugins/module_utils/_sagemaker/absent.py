# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that remove an endpoint and every generation made for it."""

from __future__ import annotations

from collections.abc import Iterator

from .retention import collection
from .state import Endpoint, Inventory
from .steps import Await, DeleteEndpoint, Step


def steps(name: str, endpoint: Endpoint | None, inventory: Inventory) -> Iterator[Step]:
    """Yield the endpoint first, then EndpointConfigs, then Models: a delete never cascades, and nothing in use goes.

    SageMaker deletes no endpoint while it moves, so a moving one is waited for.
    """
    if endpoint is not None:
        if endpoint.status != "Deleting":
            if endpoint.moving:
                yield Await(name, f"Endpoint {name} is no longer {endpoint.status}")
            yield DeleteEndpoint(name, "it is to be absent")
        yield Await(name, f"Endpoint {name} is deleted")
    yield from collection(inventory, kept=(), wanted_models=(), why="its endpoint is to be absent")
