# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that remove an endpoint and every generation made for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import scaling_plan
from .retention import collection
from .scaling import ScalableTarget
from .state import Endpoint, Inventory
from .steps import Await, DeleteEndpoint, Step


def steps(
    name: str, endpoint: Endpoint | None, inventory: Inventory, scaling: Sequence[ScalableTarget] = ()
) -> Iterator[Step]:
    """Yield the endpoint first, then EndpointConfigs, then Models: a delete never cascades, and nothing in use goes.

    SageMaker deletes no endpoint while it moves, so a moving one is waited for. Registrations for scaling go before it:
    the delete leaves them behind, and an endpoint made later under that name would be scaled by them.
    """
    if endpoint is not None:
        if endpoint.status != "Deleting":
            if endpoint.moving:
                yield Await(name, f"Endpoint {name} is no longer {endpoint.status}")
            yield from scaling_plan.stops(name, scaling, "its endpoint is to be absent")
            yield DeleteEndpoint(name, "it is to be absent")
        yield Await(name, f"Endpoint {name} is deleted")
    if endpoint is None or endpoint.status == "Deleting":
        yield from scaling_plan.stops(name, scaling, "its endpoint is to be absent")
    yield from collection(inventory, kept=(), wanted_models=(), why="its endpoint is to be absent")
