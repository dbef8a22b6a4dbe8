# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling deployment: instances are replaced batch by batch, so that few more than before are there at a time."""

from __future__ import annotations

from .endpoint_update import EndpointUpdate, UpdateFailed, launching, scaled
from .guardrails import WAIT_INTERVAL, rolling_counts


async def replace_batches(update: EndpointUpdate) -> None:
    """Return with all instances replaced. Raises UpdateFailed, with the fleets as they are at that moment.

    In each step a batch is launched, gets its part of the traffic, and is watched; then as many old instances go.
    """
    name = update.wanted.variants[0].name
    old = update.live.blue.running.fleets[name]
    before = len(old.staying)
    for number, (staying, there) in enumerate(rolling_counts(before, update.plan.batches)):
        if number == 0:
            await update.provision({name: there})
        else:
            update.report("Updating", launching(update.plan.batches[number]))
            await update.grow(update.green, name, there)
        last = number == len(update.plan.batches) - 1
        words = f"full capacity of {there}" if last else f"canary capacity of {there}"
        update.report("ActivatingTraffic", f"Activating traffic on {words} instance(s).")
        _share_by_capacity(update, name)
        await update.bake(update.plan.wait, WAIT_INTERVAL, words)
        if not last:
            await old.scale(staying)
            _share_by_capacity(update, name)
        update.step_done()
    update.green.share = 1.0


async def put_back(update: EndpointUpdate) -> None:
    """Bring the old instances back, a rollback batch at a time, and take as many new ones away.

    Raises DeploymentFailed where the old fleet does not come back.
    """
    (variant,) = update.live.deployment.variants
    old = update.live.blue.running.fleets[variant.name]
    new = update.green.running.fleets.get(variant.name)  # None where not even the first batch was launched
    while (there := len(old.staying)) < variant.instance_count:
        step = min(update.plan.rollback_batch, variant.instance_count - there)
        await scaled(update.live.blue, variant.name, there + step)
        if new is not None:
            await new.scale(max(0, len(new.staying) - step))
            _share_by_capacity(update, variant.name)
    update.green.share = 0.0


def _share_by_capacity(update: EndpointUpdate, name: str) -> None:
    new, old = (len(side.running.fleets[name].staying) for side in (update.green, update.live.blue))
    if new + old == 0:
        raise UpdateFailed("No instance is left.")
    update.green.share = new / (new + old)
