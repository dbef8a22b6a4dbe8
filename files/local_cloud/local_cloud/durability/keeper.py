# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes state to disk: at once for whoever waits for it, and soon after anything else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from .ministack_state import MinistackState, Source

SOON_SECONDS = 1.0
# Writing what changed by itself may take this share of the time, however much there is of it.
_SHARE_OF_TIME = 0.05
# ministack's schedulers and pollers change things without being called.
_UNASKED_SECONDS = 60.0

logger = logging.getLogger("local_cloud.durability")


class StateKeeper:
    """Keeps ministack's files as they would be if it were stopped now."""

    def __init__(self, state: MinistackState, directory: Path) -> None:
        self._state = state
        self._directory = directory
        self._digests: dict[str, bytes] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to write what changes without anybody waiting for it."""
        self._sweeper = asyncio.create_task(self._sweep_now_and_then())

    async def close(self) -> None:
        """Write everything, and stop."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await self._write_all()

    def changed(self) -> None:
        """Something may have changed that nobody waits for."""
        self._changed.set()

    async def commit(self, services: Iterable[str] | None = None) -> None:
        """Return when the state of these services (of all, without any named) is on disk as it is now.

        Raises OSError where it cannot be written.
        """
        sources = self._state.sources()
        wanted = [name for name in (sources if services is None else services) if name in sources]
        await asyncio.gather(*(self._written(name, sources[name]) for name in wanted))

    def _written(self, name: str, source: Source) -> asyncio.Future[None]:
        """Done after a write that begins later than now. Callers that arrive before it begins share it."""
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._write_for_waiting(name, source))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # One caller who gives up must not take the others' answer away.
        return asyncio.shield(waiting)

    async def _write_for_waiting(self, name: str, source: Source) -> None:
        waiting = self._waiting.pop(name)
        try:
            # In the event loop's own thread, where no call is half done.
            self._write(name, source)
        except Exception as error:
            waiting.set_exception(error)
            waiting.exception()  # it is theirs to handle; asyncio shall not say that nobody did
        else:
            waiting.set_result(None)

    def _write(self, name: str, source: Source) -> None:
        try:
            self._state.append(source)
            content = self._state.encode(name, source)
        except TypeError:
            logger.exception("the state of %s cannot be written down, and will not survive", name)
            return
        if content is None:
            return
        digest = hashlib.blake2b(content, digest_size=16).digest()
        path = self._directory / f"{name}.json"
        if self._digests.get(name) == digest and path.exists():
            return
        replace(path, content)
        self._digests[name] = digest
        source.written()

    async def _sweep_now_and_then(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _UNASKED_SECONDS)
            await asyncio.sleep(SOON_SECONDS)
            self._changed.clear()
            began = time.perf_counter()
            await self._write_all()
            await asyncio.sleep((time.perf_counter() - began) * (1 / _SHARE_OF_TIME - 1))

    async def _write_all(self) -> None:
        for name, source in self._state.sources().items():
            try:
                await self._written(name, source)
            except Exception:
                logger.exception("the state of %s could not be written", name)
            await asyncio.sleep(0)


def replace(path: Path, content: bytes) -> None:
    """Give a file new content: whoever reads it, even after a kill, finds all of the old or all of the new."""
    staging = path.with_name(path.name + ".tmp")
    try:
        with open(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        staging.replace(path)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise
