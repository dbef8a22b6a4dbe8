# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets of containers that are little HTTP servers in this process, so that their ends and starts can be timed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from local_cloud.containers.container import Container, ContainerStarter, StartupFailed
from local_cloud.containers.container_client import Unreachable
from local_cloud.containers.fleet import Fleet, InstanceFleet
from local_cloud.containers.serverless_fleet import ServerlessFleet


class Log:
    path = Path("container.log")

    def write(self, chunk: bytes) -> None: ...

    async def close(self) -> None: ...


class InProcess:
    """A container that answers 200 to everything until it is stopped."""

    pid = docker_id = None

    def __init__(self) -> None:
        self.port = 0
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"POST" in head:
                await asyncio.sleep(0.002)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def stop(self, grace: float = 30.0) -> None:
        await self.kill()

    async def kill(self) -> None:
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.close()
        if not self.ended.done():
            self.ended.set_result(-9)


class Launcher:
    """Launches containers in `delay` seconds; `broken` ones do not come up at all."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.broken = False
        self.launched: list[InProcess] = []
        self.disposed = 0
        self.closed = False

    async def launch(self, container_id: str) -> Any:
        await asyncio.sleep(self.delay)
        if self.broken:
            raise OSError("no room left")
        running = InProcess()
        await running.serve()
        self.launched.append(running)
        return running, Log()

    async def dispose(self, container_id: str) -> None:
        self.disposed += 1

    async def close(self) -> None:
        self.closed = True

    @property
    def alive(self) -> int:
        return sum(not running.ended.done() for running in self.launched)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def request(fleet: Fleet, patience: float = 20.0) -> Container:
    """Have a container answer, as dispatch does."""
    while True:
        container = await fleet.acquire(patience)
        assert container is not None
        try:
            await container.client.invoke([], b"", 5.0)
            return container
        except Unreachable:
            fleet.suspect(container)
        finally:
            fleet.release(container)


def instances(launcher: Launcher) -> InstanceFleet:
    return InstanceFleet("demo/A", ContainerStarter(launcher, startup_timeout=5))


def serverless(launcher: Launcher, maximum: int = 2, idle_seconds: float = 60.0) -> ServerlessFleet:
    return ServerlessFleet("demo/A", ContainerStarter(launcher, startup_timeout=5), maximum, idle_seconds)


def test_a_request_goes_to_the_container_with_the_fewest() -> None:
    async def test() -> None:
        fleet = instances(Launcher())
        await fleet.start(3)
        taken = [await fleet.acquire(1) for _ in range(3)]
        assert len({container.container_id for container in taken if container}) == 3
        await fleet.stop(drain=0)

    run(test)


def test_only_the_active_part_of_a_fleet_gets_requests() -> None:
    async def test() -> None:
        fleet = instances(Launcher())
        await fleet.start(3)
        fleet.active = 1
        assert len({(await request(fleet)).container_id for _ in range(10)}) == 1
        await fleet.stop()

    run(test)


def test_a_container_that_dies_is_replaced_and_no_more_than_that() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = instances(launcher)
        await fleet.start(2)
        await launcher.launched[0].kill()
        await until(lambda: len(launcher.launched) == 3 and fleet.healthy_count == 2)
        await request(fleet)
        await fleet.stop()
        assert (launcher.alive, launcher.disposed, launcher.closed) == (0, 3, True)

    run(test)


def test_a_fleet_that_is_made_smaller_replaces_nobody() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = instances(launcher)
        await fleet.start(3)
        await fleet.scale(1)
        assert (fleet.healthy_count, launcher.alive) == (1, 1)
        await asyncio.sleep(0.05)
        assert len(launcher.launched) == 3
        await fleet.stop()

    run(test)


def test_a_fleet_that_cannot_grow_stays_what_it_was() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = instances(launcher)
        await fleet.start(1)
        launcher.broken = True
        with pytest.raises(StartupFailed, match="no room left"):
            await fleet.scale(3)
        assert (fleet.healthy_count, launcher.alive) == (1, 1)
        await fleet.stop()

    run(test)


def test_a_container_that_leaves_answers_its_last_request_first() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = instances(launcher)
        await fleet.start(1)
        container = await fleet.acquire(1)
        assert container is not None
        stop = asyncio.create_task(fleet.stop())
        await asyncio.sleep(0.1)
        assert launcher.alive == 1
        await container.client.invoke([], b"", 5.0)
        fleet.release(container)
        await stop
        assert launcher.alive == 0

    run(test)


def test_whoever_waits_for_a_fleet_that_is_stopped_is_told_at_once() -> None:
    async def test() -> None:
        fleet = serverless(Launcher(delay=60))
        waiting = asyncio.create_task(fleet.acquire(60))
        await asyncio.sleep(0.02)
        await fleet.stop()
        assert await waiting is None

    run(test)


def test_a_container_that_is_never_healthy_is_given_up_and_leaves_nothing() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = instances(launcher)
        fleet.starter.never_healthy = 0.05
        with pytest.raises(StartupFailed, match="did not answer /ping within 5 s"):
            await fleet.start(2)
        assert (launcher.alive, launcher.disposed, launcher.closed) == (0, 2, True)

    run(test)


def test_an_instance_takes_its_time_to_be_there() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = instances(launcher)
        fleet.starter.provisioning = 0.2
        start = asyncio.create_task(fleet.start(2))
        await asyncio.sleep(0.05)
        assert launcher.launched == []
        await start
        assert fleet.healthy_count == 2
        await fleet.stop()

    run(test)


def test_a_container_is_preferred_where_it_can_answer() -> None:
    async def test() -> None:
        fleet = instances(Launcher())
        await fleet.start(3)
        wanted = fleet.containers[1]
        taken = [await fleet.acquire(1, prefer=wanted.container_id) for _ in range(4)]
        assert taken == [wanted] * 4
        wanted.leaving = True
        other = await fleet.acquire(1, prefer=wanted.container_id)
        assert other is not None
        assert other is not wanted
        await fleet.stop(drain=0)

    run(test)


def test_a_serverless_container_goes_cold_and_the_next_request_starts_another() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = serverless(launcher, idle_seconds=0.1)
        await fleet.start(0)
        assert launcher.alive == 1, "creation proves that one gets healthy"
        await until(lambda: launcher.alive == 0)
        await request(fleet)
        assert len(launcher.launched) == 2
        await fleet.stop()

    run(test)


def test_requests_at_the_same_time_have_containers_of_their_own_up_to_the_limit() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = serverless(launcher, maximum=3)
        await fleet.start(0)
        taken = [await fleet.acquire(5) for _ in range(5)]
        assert len({id(container) for container in taken}) == launcher.alive == 3
        await fleet.stop(drain=0)

    run(test)


def test_a_burst_on_a_cold_endpoint_starts_no_more_containers_than_it_may() -> None:
    async def test() -> None:
        launcher = Launcher(delay=0.05)
        fleet = serverless(launcher, maximum=2)
        await asyncio.gather(*(request(fleet) for _ in range(30)))
        assert len(launcher.launched) == 2
        await fleet.stop()

    run(test)


def test_provisioned_concurrency_stays_warm() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = serverless(launcher, maximum=3, idle_seconds=0.05)
        await fleet.start(2)
        await asyncio.gather(*(request(fleet) for _ in range(20)))
        await until(lambda: launcher.alive == 2)
        await asyncio.sleep(0.2)
        assert launcher.alive == 2
        await fleet.scale(3)
        assert launcher.alive == 3
        await fleet.scale(0)
        await until(lambda: launcher.alive == 0)
        await fleet.stop()

    run(test)


def test_a_warm_container_that_dies_is_replaced_and_a_cold_one_is_not() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = serverless(launcher, maximum=2)
        await fleet.start(1)
        await launcher.launched[0].kill()
        await until(lambda: launcher.alive == 1)
        await fleet.scale(0)
        await launcher.launched[1].kill()
        await until(lambda: not fleet.containers)
        await asyncio.sleep(0.05)
        assert len(launcher.launched) == 2
        await fleet.stop()

    run(test)


def test_a_cold_start_that_fails_is_told_and_the_next_request_tries_again() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = serverless(launcher)
        launcher.broken = True
        with pytest.raises(StartupFailed, match="no room left"):
            await fleet.acquire(5)
        launcher.broken = False
        await request(fleet)
        await fleet.stop()

    run(test)


def test_no_request_fails_where_containers_go_cold_all_the_time() -> None:
    async def test() -> None:
        launcher = Launcher()
        fleet = serverless(launcher, idle_seconds=0.02)
        await fleet.start(0)
        pauses = itertools.cycle([0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06])
        # Requests come just before, just while and just after a container goes.
        while len(launcher.launched) < 20:
            await asyncio.gather(*(request(fleet) for _ in range(3)))
            await asyncio.sleep(next(pauses))
        await fleet.stop()
        assert launcher.alive == 0

    run(test)
