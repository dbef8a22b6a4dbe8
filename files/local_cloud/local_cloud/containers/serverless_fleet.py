# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a serverless variant: started on demand, warm for a while after their last request, then gone."""

from __future__ import annotations

import asyncio
import time

from .container import Container, ContainerStarter, StartupFailed
from .fleet import Fleet, logger


class ServerlessFleet(Fleet):
    """At most `maximum` containers; a request that finds none idle has another started while there are fewer.

    Beyond that, requests share. On AWS each concurrent request has a container of its own, up to MaxConcurrency.
    idle_seconds: how long a container stays warm without a request. `start` and `scale` say how many stay warm for
    good: provisioned concurrency.
    """

    def __init__(self, name: str, starter: ContainerStarter, maximum: int, idle_seconds: float) -> None:
        super().__init__(name, starter)
        self.maximum = maximum
        self.idle_seconds = idle_seconds
        self.warm = 0
        self._waiting = 0
        self._launching = 0
        self._failure: StartupFailed | None = None

    @property
    def can_answer(self) -> bool:
        return not self.stopping

    async def start(self, count: int) -> None:
        """Prove that a container gets healthy, and bring up as many as are to stay warm (`count`)."""
        self.warm = min(count, self.maximum)
        try:
            await self._start_together(max(1, self.warm))
        except BaseException:
            await self.stop(drain=0)
            raise
        self._spawn(self._go_cold())

    async def scale(self, count: int) -> None:
        """Keep `count` containers warm from now on. Raises StartupFailed; then it is as it was."""
        before, self.warm = self.warm, min(count, self.maximum)
        try:
            await self._start_together(max(0, self.warm - len(self.staying) - self._launching))
        except BaseException:
            self.warm = before
            raise

    async def acquire(self, patience: float, prefer: str | None = None) -> Container | None:
        """As any fleet's. Raises StartupFailed where the container that the request waited for did not come up."""
        self._waiting += 1
        self._failure = None if self._waiting == 1 else self._failure
        try:
            return await super().acquire(patience, prefer)
        finally:
            self._waiting -= 1

    def _choose(self) -> Container | None:
        able = [container for container in self.containers if container.answers]
        idle = [container for container in able if not container.in_flight]
        if idle:
            # The one that was used last, so that the others can go cold.
            return max(idle, key=lambda container: container.idle_since)
        if len(self.staying) + self._launching < self.maximum:
            if self._failure and not able and not self._launching:
                raise self._failure
            if not self._failure and self._launching < self._waiting:
                self._launching += 1
                self._spawn(self._launch())
                return None
            if not self._failure:
                return None
        return min(able, key=lambda container: container.in_flight, default=None)

    def _misses(self) -> bool:
        return len(self.staying) + self._launching < self.warm

    async def _launch(self) -> None:
        try:
            container = await self.starter.start(1)
        except StartupFailed as error:
            logger.warning("%s: the cold start failed: %s", self.name, error)
            self._failure = error
        else:
            self._admit(container)
        finally:
            self._launching -= 1
            self._notify()

    async def _go_cold(self) -> None:
        """End containers that have had no request for a while, down to those that stay warm."""
        while True:
            await asyncio.sleep(max(0.02, self.idle_seconds / 8))
            long_ago = time.monotonic() - self.idle_seconds
            idle = [c for c in self.staying if c.answers and not c.in_flight and c.idle_since <= long_ago]
            idle.sort(key=lambda container: container.idle_since)
            # No await between this look and the retiring: a request that comes now finds another or starts one.
            for container in idle[: max(0, len(self.staying) - self.warm)]:
                self._retire(container)
