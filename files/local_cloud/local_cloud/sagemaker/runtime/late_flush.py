# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what has been gathered some moments later, together, and what is left at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class LateFlush:
    """Runs `flush` every `seconds` while `pending` says that there is something, and not at all while there is not."""

    def __init__(self, seconds: float, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]) -> None:
        self._seconds = seconds
        self._pending = pending
        self._flush = flush
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def gathered(self) -> None:
        """Say that there is something to flush."""
        if self._task is None and not self._closing.is_set():
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Flush what is left, and nothing after."""
        self._closing.set()
        if self._task is not None:
            await self._task
        await self._flush()

    async def _run(self) -> None:
        try:
            while self._pending() and not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), self._seconds)
                await self._flush()
        finally:
            self._task = None
