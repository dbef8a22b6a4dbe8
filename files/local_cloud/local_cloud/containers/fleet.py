# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers behind one production variant: found for a request, kept alive, drained and stopped."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from .container import Container, ContainerStarter, StartupFailed

logger = logging.getLogger("local_cloud.fleet")

# A container that ends before its first good /ping is started again, as SageMaker does, but not until the time
# is up: code that fails twice in the same way fails a third time.
STARTUP_ATTEMPTS = 2
# A streamed answer takes eight minutes at most; any other is over in one.
DRAIN_SECONDS = 485.0
# How long whoever takes containers away waits for that; after it they finish in the background.
LEAVING_PATIENCE = 5.0
_RESTART_DELAYS = (0.0, 1.0, 5.0, 15.0, 30.0)
# A container that served this long before it died starts the delays from the beginning.
_SETTLED_SECONDS = 60.0
_RECOVERY_SECONDS = 30.0


class Fleet(ABC):
    """The containers of one production variant in one deployment.

    active: how many of them get requests where a deployment turns traffic on bit by bit; None for all.
    Everything happens in one event loop: what looks at containers and changes them without an await in between
    is never interrupted.
    """

    def __init__(self, name: str, starter: ContainerStarter) -> None:
        self.name = name
        self.starter = starter
        self.containers: list[Container] = []
        self.active: int | None = None
        self.stopping = False
        self._waiters: list[asyncio.Future[None]] = []
        # Cancelled when the fleet stops; those that retire a container are waited for.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._retiring: set[asyncio.Task[Any]] = set()
        self._drain_until = math.inf

    @property
    def staying(self) -> list[Container]:
        """The containers that nobody has asked to leave."""
        return [container for container in self.containers if not container.leaving]

    @property
    def healthy_count(self) -> int:
        return sum(container.answers for container in self.containers)

    @property
    def in_flight(self) -> int:
        return sum(container.in_flight for container in self.containers)

    @property
    def can_answer(self) -> bool:
        """Whether a request finds a container without waiting for one to be replaced."""
        return not self.stopping and bool(self.healthy_count)

    @abstractmethod
    async def start(self, count: int) -> None:
        """Start `count` containers and return when each has answered /ping. Raises StartupFailed; then none is left."""

    @abstractmethod
    async def scale(self, count: int) -> None:
        """Change the number. Raises StartupFailed where new containers do not come up; then none was added."""

    @abstractmethod
    def _choose(self) -> Container | None:
        """The container for the next request, or None where it has to wait."""

    @abstractmethod
    def _misses(self) -> bool:
        """Whether a container that died needs one in its place."""

    async def acquire(self, patience: float, prefer: str | None = None) -> Container | None:
        """The container for a request, which counts as in flight from now until `release`.

        prefer: the id of one that shall have it where it can. Waits up to `patience` seconds for a container. None
        after that, and where the fleet is stopped meanwhile.
        """
        deadline = time.monotonic() + patience
        while not self.stopping:
            if container := self._preferred(prefer) or self._choose():
                container.in_flight += 1
                return container
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            await self._change(remaining)
        return None

    def _preferred(self, container_id: str | None) -> Container | None:
        return next((c for c in self.containers if c.container_id == container_id and c.answers), None)

    def release(self, container: Container) -> None:
        """The request is answered."""
        container.in_flight -= 1
        if container.in_flight == 0:
            container.idle_since = time.monotonic()
            self._notify()

    def suspect(self, container: Container) -> None:
        """Send no more requests to a container that could not be reached, until it answers /ping again."""
        if container.healthy:
            container.healthy = False
            self._spawn(self._recover(container))

    async def stop(self, drain: float = DRAIN_SECONDS) -> None:
        """Stop every container and return when all are gone. drain: seconds that requests in flight may still take."""
        self.stopping = True
        self._notify()
        self._drain_until = min(self._drain_until, time.monotonic() + drain)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for container in self.staying:
            self._retire(container)
        await asyncio.gather(*self._retiring)
        await self.starter.close()

    def hurry(self) -> None:
        """Wait for no request in flight any longer."""
        self._drain_until = 0.0

    async def _start_together(self, count: int) -> None:
        """Bring up `count` containers at once. Raises StartupFailed; then none of them is left."""
        starts = [asyncio.create_task(self.starter.start(STARTUP_ATTEMPTS)) for _ in range(count)]
        try:
            started = await asyncio.gather(*starts)
        except BaseException:
            for task in starts:
                task.cancel()
            ended = await asyncio.gather(*starts, return_exceptions=True)
            up = [container for container in ended if isinstance(container, Container)]
            await asyncio.gather(*(self.starter.discard(container) for container in up))
            raise
        for container in started:
            self._admit(container)

    def _admit(self, container: Container) -> None:
        self.containers.append(container)
        self._spawn(self._keep(container))
        self._notify()

    async def _keep(self, container: Container) -> None:
        """Wait for the container's end, and put another in its place, for as long as the fleet is up."""
        failures = 0
        while True:
            status = await container.running.wait()
            if container.leaving or self.stopping:
                return
            container.healthy = False
            self.containers.remove(container)
            self._notify()
            replace = self._misses()
            then = "replacing it" if replace else "the next request starts another"
            logger.warning("%s: %s ended (status %s); %s", self.name, container.container_id, status, then)
            if time.monotonic() - container.started > _SETTLED_SECONDS:
                failures = 0
            await self.starter.discard(container)
            if not replace:
                return
            while True:
                await asyncio.sleep(_RESTART_DELAYS[min(failures, len(_RESTART_DELAYS) - 1)])
                failures += 1
                if not self._misses():
                    return
                try:
                    container = await self.starter.start(1)
                    break
                except StartupFailed as error:
                    logger.warning("%s: the replacement failed: %s", self.name, error)
            if self.stopping or not self._misses():  # the fleet was made smaller meanwhile
                await self.starter.discard(container)
                return
            self.containers.append(container)
            self._notify()

    async def _recover(self, container: Container) -> None:
        deadline = time.monotonic() + _RECOVERY_SECONDS
        if await self.starter.becomes_healthy(container, deadline):
            container.healthy = container in self.containers
            self._notify()
        else:
            await container.running.stop()  # its keeper puts another in its place

    async def _let_go(self, leaving: list[Container]) -> None:
        """Send containers away, and wait a while for it."""
        retiring = [self._retire(container) for container in leaving]
        if retiring:
            await asyncio.wait(retiring, timeout=LEAVING_PATIENCE)

    def _retire(self, container: Container) -> asyncio.Task[None]:
        """Send no more requests to a container, from this moment, and end it when it has answered those it has."""
        container.leaving = True
        task = asyncio.create_task(self._drain(container))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return task

    async def _drain(self, container: Container) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while container.in_flight and time.monotonic() < min(deadline, self._drain_until):
            await asyncio.sleep(0.02)
        if container in self.containers:
            self.containers.remove(container)
        await self.starter.discard(container)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _change(self, timeout: float) -> None:
        """Return at the next change of the containers, or after `timeout` seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await asyncio.wait({waiter}, timeout=timeout)

    def _notify(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class InstanceFleet(Fleet):
    """A container for each instance, all there all the time."""

    def __init__(self, name: str, starter: ContainerStarter) -> None:
        super().__init__(name, starter)
        self._count = 0

    async def start(self, count: int) -> None:
        self._count = count
        try:
            await self._start_together(count)
        except BaseException:
            await self.stop(drain=0)
            raise

    async def scale(self, count: int) -> None:
        before, self._count = self._count, count
        missing = count - len(self.staying)
        if missing < 0:
            await self._let_go(self.staying[missing:])
            return
        try:
            await self._start_together(missing)
        except BaseException:
            self._count = before
            raise

    def _choose(self) -> Container | None:
        """The one with the fewest requests, SageMaker's LEAST_OUTSTANDING_REQUESTS. Ties are broken by chance."""
        able = [container for container in self.containers if container.answers]
        able = able[: self.active] if self.active else able
        if not able:
            return None
        least = min(container.in_flight for container in able)
        return random.choice([container for container in able if container.in_flight == least])  # noqa: S311

    def _misses(self) -> bool:
        return len(self.staying) < self._count
