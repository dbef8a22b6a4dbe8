# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers behind one production variant: started together, kept alive, drained and stopped."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from dataclasses import dataclass
from typing import Protocol

from .container_client import ContainerClient
from .container_log import ContainerLog
from .image import ImageError
from .runner import STOP_GRACE_SECONDS, RunningContainer

logger = logging.getLogger("local_cloud.fleet")

_PING_INTERVAL = 0.1
# A container that ends before its first good /ping is started again, as SageMaker does, but not until the time
# is up: code that fails twice in the same way fails a third time.
_STARTUP_ATTEMPTS = 2
_RESTART_DELAYS = (0.0, 1.0, 5.0, 15.0, 30.0)
# A container that served this long before it died starts the delays from the beginning.
_SETTLED_SECONDS = 60.0
_RECOVERY_SECONDS = 30.0
DRAIN_SECONDS = 65.0


class StartupFailed(Exception):
    """A container was not healthy in time. The message is for people; `log` has what it wrote, where it ran at all."""

    def __init__(self, message: str, log: ContainerLog | None = None) -> None:
        super().__init__(message)
        self.log = log


@dataclass
class Container:
    """One serving container, and how many requests it is answering."""

    container_id: str
    running: RunningContainer
    client: ContainerClient
    log: ContainerLog
    started: float
    healthy: bool = False
    leaving: bool = False
    in_flight: int = 0


class ContainerLauncher(Protocol):
    """Starts one container under an id, tidies up after it, and after all of them."""

    async def launch(self, container_id: str) -> tuple[RunningContainer, ContainerLog]: ...

    def dispose(self, container_id: str) -> None: ...

    def close(self) -> None: ...


class Fleet:
    """The containers of one production variant in one deployment."""

    def __init__(self, name: str, launcher: ContainerLauncher, startup_timeout: float) -> None:
        self.name = name
        self.startup_timeout = startup_timeout
        self._launcher = launcher
        self._containers: list[Container] = []
        self._keepers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._stopping = False

    @property
    def healthy_count(self) -> int:
        return sum(container.healthy and not container.leaving for container in self._containers)

    @property
    def in_flight(self) -> int:
        return sum(container.in_flight for container in self._containers)

    async def start(self, count: int) -> None:
        """Start `count` containers and return when each has answered /ping. Raises StartupFailed; then none is left."""
        starts = [asyncio.create_task(self._add()) for _ in range(count)]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for task in starts:
                task.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.stop(drain=False)
            raise

    async def scale(self, count: int) -> None:
        """Add containers, or drain and stop some, until there are `count`.

        Raises StartupFailed where new ones do not come up; then none was added.
        """
        staying = [container for container in self._containers if not container.leaving]
        if count > len(staying):
            before = set(map(id, staying))
            starts = [asyncio.create_task(self._add()) for _ in range(count - len(staying))]
            results = await asyncio.gather(*starts, return_exceptions=True)
            for failure in results:
                if isinstance(failure, BaseException):
                    added = [c for c in self._containers if id(c) not in before and not c.leaving]
                    await asyncio.gather(*(self._retire(container, drain=False) for container in added))
                    raise failure
        else:
            await asyncio.gather(*(self._retire(container, drain=True) for container in staying[count:]))

    async def pick(self, patience: float) -> Container | None:
        """The healthy container with the fewest requests. Waits up to `patience` seconds for one, then None."""

        def candidates() -> list[Container]:
            return [c for c in self._containers if c.healthy and not c.leaving]

        if not candidates():
            try:
                async with self._changed:
                    await asyncio.wait_for(self._changed.wait_for(lambda: bool(candidates())), patience)
            except TimeoutError:
                return None
        least = min(container.in_flight for container in candidates())
        idlest = [container for container in candidates() if container.in_flight == least]
        return random.choice(idlest)  # noqa: S311 - spreads load, keeps no secret

    def suspect(self, container: Container) -> None:
        """Send no more requests to a container that could not be reached, until it answers /ping again."""
        if container.healthy:
            container.healthy = False
            task = asyncio.create_task(self._recover(container))
            self._keepers.add(task)
            task.add_done_callback(self._keepers.discard)

    async def stop(self, drain: bool = True) -> None:
        """Let requests in flight finish (where `drain`), stop every container, and return when all are gone."""
        self._stopping = True
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(self._retire(container, drain) for container in list(self._containers)))
        self._launcher.close()

    async def _add(self) -> None:
        container = await self._start_healthy(_STARTUP_ATTEMPTS)
        keeper = asyncio.create_task(self._keep(container))
        self._keepers.add(keeper)
        keeper.add_done_callback(self._keepers.discard)

    async def _start_healthy(self, attempts: int) -> Container:
        deadline = time.monotonic() + self.startup_timeout
        while True:
            attempts -= 1
            container = await self._start_one()
            try:
                if await self._becomes_healthy(container, deadline):
                    async with self._changed:
                        self._containers.append(container)
                        container.healthy = True
                        self._changed.notify_all()
                    return container
            except BaseException:
                await self._discard(container)
                raise
            timed_out = time.monotonic() >= deadline
            await self._discard(container)
            if timed_out or attempts == 0:
                limit = f"did not answer /ping within {self.startup_timeout:g} s"
                raise StartupFailed(f"The container {limit if timed_out else 'ended while starting'}", container.log)

    async def _start_one(self) -> Container:
        container_id = "i-" + uuid.uuid4().hex[:17]
        try:
            running, log = await self._launcher.launch(container_id)
        except (ImageError, OSError) as error:
            self._launcher.dispose(container_id)
            raise StartupFailed(str(error)) from error
        return Container(container_id, running, ContainerClient(running.port), log, time.monotonic())

    async def _becomes_healthy(self, container: Container, deadline: float) -> bool:
        ended = asyncio.create_task(container.running.wait())
        try:
            while time.monotonic() < deadline:
                if ended.done():
                    return False
                if await container.client.ping():
                    return True
                await asyncio.wait({ended}, timeout=_PING_INTERVAL)
            return False
        finally:
            ended.cancel()

    async def _keep(self, container: Container) -> None:
        """Wait for the container's end, and put another in its place, for as long as the fleet is up."""
        failures = 0
        while True:
            status = await container.running.wait()
            if container.leaving or self._stopping:
                return
            async with self._changed:
                container.healthy = False
                self._containers.remove(container)
            logger.warning("%s: %s ended (status %s); replacing it", self.name, container.container_id, status)
            await self._discard(container)
            if time.monotonic() - container.started > _SETTLED_SECONDS:
                failures = 0
            while True:
                await asyncio.sleep(_RESTART_DELAYS[min(failures, len(_RESTART_DELAYS) - 1)])
                failures += 1
                try:
                    container = await self._start_healthy(1)
                    break
                except StartupFailed as error:
                    logger.warning("%s: the replacement failed: %s", self.name, error)

    async def _recover(self, container: Container) -> None:
        deadline = time.monotonic() + _RECOVERY_SECONDS
        if await self._becomes_healthy(container, deadline):
            async with self._changed:
                container.healthy = container in self._containers
                self._changed.notify_all()
        else:
            await container.running.stop()  # its keeper puts another in its place

    async def _retire(self, container: Container, drain: bool) -> None:
        container.leaving = True
        if drain:
            deadline = time.monotonic() + DRAIN_SECONDS
            while container.in_flight and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        if container in self._containers:
            self._containers.remove(container)
        await self._discard(container)

    async def _discard(self, container: Container) -> None:
        await container.client.close()  # first, so that idle connections do not keep a server from ending
        await container.running.stop(STOP_GRACE_SECONDS)
        await container.log.close()
        self._launcher.dispose(container.container_id)
