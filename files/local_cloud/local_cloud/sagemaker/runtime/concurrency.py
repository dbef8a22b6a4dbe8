# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests are being answered, looked at every second while there are any.

A request is measured when it is done; of one that takes a minute, CloudWatch would hear too late to scale by it.
"""

from __future__ import annotations

import asyncio
import logging

from ..endpoint_manager import EndpointManager
from .metrics import EndpointMetrics, concurrency_measurements

_TURN_SECONDS = 1.0

logger = logging.getLogger("local_cloud.metrics")


class ConcurrencySampler:
    """Samples every endpoint's requests in flight, and sleeps when there are none."""

    def __init__(self, manager: EndpointManager, metrics: EndpointMetrics) -> None:
        self._manager = manager
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """A request has come."""
        if self._task is None:
            self._task = asyncio.create_task(self._sample())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sample(self) -> None:
        try:
            busy = True
            while busy:
                await asyncio.sleep(_TURN_SECONDS)
                busy = self._record()
        except Exception:
            logger.exception("the requests in flight are not known")
        finally:
            self._task = None

    def _record(self) -> bool:
        """Record what is in flight at this moment, and say whether anything is."""
        busy = False
        for live in self._manager.live_endpoints():
            instances = live.healthy()
            for variant in live.deployment.variants:
                if concurrent := live.concurrent[variant.name]:
                    busy = True
                    found = concurrency_measurements(variant, concurrent, instances.get(variant.name, 0))
                    for name, value, unit in found:
                        self._metrics.variant(live.caller, live.name, variant.name, name, value, unit)
        return busy
