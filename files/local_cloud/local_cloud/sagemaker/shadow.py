# SPDX-License-Identifier: GPL-3.0-or-later
"""Shadow variants: copies of production's requests, whose answers nobody sees."""

from __future__ import annotations

import asyncio
import logging
import random

from ..containers.container import StartupFailed
from ..containers.container_client import Broken, Headers, TimedOut, Unreachable
from ..containers.fleet import Fleet
from .live_endpoint import LiveEndpoint
from .traffic import shadow_share

logger = logging.getLogger("local_cloud.shadow")

# More copies than this at a time are dropped: a slow shadow must not fill the memory.
MAX_COPIES = 64
_PATIENCE_SECONDS = 5.0

_copies: set[asyncio.Task[None]] = set()


def mirror(live: LiveEndpoint, headers: Headers, body: bytes, timeout: float) -> None:
    """Send a copy of a request to each shadow variant, as often as its weight says. Returns at once."""
    deployment = live.deployment
    if not deployment.shadows:
        return
    production = sum(variant.weight for variant in deployment.variants)
    for variant in deployment.shadows:
        fleet = live.blue.running.shadows.get(variant.name)
        # Nothing here keeps a secret: S311 does not apply.
        if fleet is None or random.random() >= shadow_share(variant.weight, production):  # noqa: S311
            continue
        if len(_copies) < MAX_COPIES:
            task = asyncio.create_task(_copy(fleet, headers, body, timeout))
            _copies.add(task)
            task.add_done_callback(_copies.discard)


async def _copy(fleet: Fleet, headers: Headers, body: bytes, timeout: float) -> None:
    try:
        container = await fleet.acquire(_PATIENCE_SECONDS)
        if container is None:
            return
        try:
            await container.client.invoke(headers, body, timeout)
        finally:
            fleet.release(container)
    except (StartupFailed, Unreachable, Broken, TimedOut) as error:
        logger.info("%s: a copy of a request failed: %s", fleet.name, error)
