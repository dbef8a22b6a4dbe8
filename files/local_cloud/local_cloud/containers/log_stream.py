# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of CloudWatch Logs: lines are taken at once and shipped in batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..ministack_backend import Ministack

_TARGET = "Logs_20140328"
_FLUSH_SECONDS = 1.0
# Waiting to be shipped; beyond that the oldest are dropped.
_MAX_WAITING = 10_000
# PutLogEvents takes 1 MB and 10,000 events a call, each event with 26 bytes on top.
_MAX_CALL_BYTES = 1_000_000
_EVENT_OVERHEAD = 26

logger = logging.getLogger("local_cloud.log_stream")


class LogStream:
    """Ships lines while there are any, and is idle without."""

    def __init__(self, ministack: Ministack, caller: Caller, group: str, stream: str) -> None:
        self.group = group
        self.stream = stream
        self._ministack = ministack
        self._caller = caller
        self._waiting: deque[tuple[int, str]] = deque(maxlen=_MAX_WAITING)
        self._closing = asyncio.Event()
        self._shipper: asyncio.Task[None] | None = None
        self._made = False

    def add(self, line: str) -> None:
        """Take a line."""
        self._waiting.append((int(time.time() * 1000), line))
        if self._shipper is None and not self._closing.is_set():
            self._shipper = asyncio.create_task(self._ship_soon())

    async def close(self) -> None:
        """Ship what is left."""
        self._closing.set()
        if self._shipper is not None:
            await self._shipper
        await self._ship()

    async def _ship_soon(self) -> None:
        try:
            while self._waiting and not self._closing.is_set():
                # Lines that come close together go in one call; the end of the stream waits for nothing.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), _FLUSH_SECONDS)
                await self._ship()
        finally:
            self._shipper = None

    async def _ship(self) -> None:
        while events := self._next_batch():
            try:
                if not self._made:
                    await self._make()
                    self._made = True
                await self._call("PutLogEvents", {**self._names(), "logEvents": events})
            except Exception:
                # The lines are a second copy and must never harm the endpoint.
                logger.exception("%s: %d lines did not reach CloudWatch Logs", self.stream, len(events))

    def _next_batch(self) -> list[dict[str, object]]:
        events: list[dict[str, object]] = []
        size = 0
        while self._waiting:
            when, line = self._waiting[0]
            size += len(line.encode()) + _EVENT_OVERHEAD
            if events and size > _MAX_CALL_BYTES:
                break
            self._waiting.popleft()
            events.append({"timestamp": when, "message": line})
        return events

    async def _make(self) -> None:
        steps: tuple[tuple[str, dict[str, object]], ...] = (
            ("CreateLogGroup", {"logGroupName": self.group}),
            ("CreateLogStream", self._names()),
        )
        for operation, parameters in steps:
            try:
                await self._call(operation, parameters)
            except AwsError as error:
                if error.code != "ResourceAlreadyExistsException":
                    raise

    async def _call(self, operation: str, parameters: dict[str, object]) -> None:
        await self._ministack.json_call(self._caller, "logs", f"{_TARGET}.{operation}", parameters)

    def _names(self) -> dict[str, object]:
        return {"logGroupName": self.group, "logStreamName": self.stream}
