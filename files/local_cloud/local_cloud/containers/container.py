# SPDX-License-Identifier: GPL-3.0-or-later
"""One serving container, and how one is brought up: launched, and asked with /ping until it is healthy."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import Protocol

from .container_client import ContainerClient
from .container_log import ContainerLog
from .image import ImageError
from .runner import STOP_GRACE_SECONDS, RunningContainer

_PING_INTERVAL = 0.1


class StartupFailed(Exception):
    """A container was not healthy in time. The message is for people; `log` has what it wrote, where it ran at all."""

    def __init__(self, message: str, log: ContainerLog | None = None) -> None:
        super().__init__(message)
        self.log = log


@dataclass
class Container:
    """One serving container, and how many requests it is answering.

    started, idle_since: monotonic seconds; started_at: seconds since 1970.
    leaving: it gets no more requests, and ends when it has answered those it has.
    """

    container_id: str
    running: RunningContainer
    client: ContainerClient
    log: ContainerLog
    started: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.time)
    healthy: bool = False
    leaving: bool = False
    in_flight: int = 0
    idle_since: float = 0.0

    @property
    def answers(self) -> bool:
        """Whether it may get the next request."""
        return self.healthy and not self.leaving


class ContainerLauncher(Protocol):
    """Starts one container under an id, tidies up after it, and after all of them."""

    async def launch(self, container_id: str) -> tuple[RunningContainer, ContainerLog]: ...

    async def dispose(self, container_id: str) -> None: ...

    async def close(self) -> None: ...


class ContainerStarter:
    """Brings containers up, one at a time or several at once, and takes them away again.

    starting: those that have been launched and were not healthy yet. startup_timeout: seconds to the first good /ping.
    provisioning: seconds before each launch, for the instance to be there.
    never_healthy: seconds after which the start is given up whatever /ping says, for a fault; None without one.
    """

    def __init__(self, launcher: ContainerLauncher, startup_timeout: float, provisioning: float = 0.0) -> None:
        self.starting: list[Container] = []
        self.startup_timeout = startup_timeout
        self.provisioning = provisioning
        self.never_healthy: float | None = None
        self._launcher = launcher

    async def start(self, attempts: int) -> Container:
        """Launch a container and return it healthy. Raises StartupFailed; then it is gone."""
        await asyncio.sleep(self.provisioning)
        limit = self.startup_timeout if self.never_healthy is None else self.never_healthy
        deadline = time.monotonic() + limit
        while True:
            attempts -= 1
            container = await self._launch()
            self.starting.append(container)
            try:
                healthy = await self.becomes_healthy(container, deadline)
            except BaseException:
                await self.discard(container)
                raise
            finally:
                self.starting.remove(container)
            if healthy:
                container.healthy = True
                container.idle_since = time.monotonic()
                return container
            timed_out = time.monotonic() >= deadline
            await self.discard(container)
            if timed_out or attempts == 0:
                why = f"did not answer /ping within {self.startup_timeout:g} s" if timed_out else "ended while starting"
                raise StartupFailed(f"The container {why}", container.log)

    async def becomes_healthy(self, container: Container, deadline: float) -> bool:
        """Ask /ping until it is good. False where the container ends, or `deadline` (monotonic seconds) passes."""
        ended = asyncio.create_task(container.running.wait())
        try:
            while time.monotonic() < deadline:
                if ended.done():
                    return False
                if self.never_healthy is None and await container.client.ping():
                    return True
                await asyncio.wait({ended}, timeout=_PING_INTERVAL)
            return False
        finally:
            ended.cancel()

    async def discard(self, container: Container) -> None:
        """Stop a container and remove what it leaves behind, all but its log."""
        await container.client.close()  # first, so that idle connections do not keep a server from ending
        await container.running.stop(STOP_GRACE_SECONDS)
        await container.log.close()
        await self._launcher.dispose(container.container_id)

    async def close(self) -> None:
        """Remove what the containers shared. None of them may be running."""
        await self._launcher.close()

    async def _launch(self) -> Container:
        container_id = "i-" + uuid.uuid4().hex[:17]
        try:
            running, log = await self._launcher.launch(container_id)
        except (ImageError, OSError) as error:
            await self._launcher.dispose(container_id)
            raise StartupFailed(str(error)) from error
        return Container(container_id, running, ContainerClient(running.port), log)
