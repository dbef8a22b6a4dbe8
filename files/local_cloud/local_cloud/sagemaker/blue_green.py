# SPDX-License-Identifier: GPL-3.0-or-later
"""A blue/green deployment: the whole new fleet first, then the traffic, at once or step by step."""

from __future__ import annotations

from .endpoint_update import EndpointUpdate


async def shift(update: EndpointUpdate) -> None:
    """Return with all the traffic on the new fleets and the old ones still there. Raises UpdateFailed."""
    await update.provision()
    for step in update.plan.shifts:
        update.report("ActivatingTraffic", f"Activating traffic on {step.capacity} instance(s).")
        _turn_on(update, step.share, step.instances)
        update.step_done()
        await update.bake(step.wait, step.wait_name, step.capacity)


async def shift_back(update: EndpointUpdate) -> None:
    """Put all the traffic on the old fleets again, which are whole."""
    _turn_on(update, 0.0, 0)


def _turn_on(update: EndpointUpdate, share: float, instances: int) -> None:
    """Give the new fleets their share, on so many of their instances, and the old ones the rest on as many fewer."""
    guarded = 0 < share < 1 and len(update.wanted.variants) == 1
    update.green.share = share
    for fleet in update.green.running.fleets.values():
        fleet.active = instances if guarded and instances else None
    for variant in update.live.deployment.variants:
        left = variant.instance_count - instances
        if (old := update.live.blue.running.fleets.get(variant.name)) is not None:
            old.active = left if guarded and left > 0 else None
