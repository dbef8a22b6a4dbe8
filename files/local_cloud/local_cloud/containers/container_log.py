# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's output: to a file in home, and to CloudWatch Logs as SageMaker does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from pathlib import Path

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..ministack_backend import Ministack

_TARGET = "Logs_20140328"
_FLUSH_SECONDS = 1.0
_MAX_EVENTS = 1000
# PutLogEvents takes 256 KB an event, 1 MB a call.
_MAX_LINE = 8192
_TAIL_LINES = 20

logger = logging.getLogger("local_cloud.container_log")


class ContainerLog:
    """Takes chunks of output, writes them to a file at once, and ships them to CloudWatch Logs in batches."""

    def __init__(self, path: Path, ministack: Ministack, caller: Caller, group: str, stream: str) -> None:
        self.path = path
        self.group = group
        self.stream = stream
        self._ministack = ministack
        self._caller = caller
        self._file = path.open("ab", buffering=0)
        self._partial = b""
        self._pending: deque[tuple[int, str]] = deque(maxlen=_MAX_EVENTS)
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._shipper = asyncio.create_task(self._ship())

    def write(self, chunk: bytes) -> None:
        """Take some bytes of output."""
        self._file.write(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > _MAX_LINE:
            lines.append(self._partial)
            self._partial = b""
        now = int(time.time() * 1000)
        for line in lines:
            text = line[:_MAX_LINE].decode(errors="replace").rstrip("\r")
            if text:
                self._pending.append((now, text))
                self._tail.append(text)
        self._wake.set()

    def tail(self) -> list[str]:
        """The last lines of output."""
        return list(self._tail)

    async def close(self) -> None:
        """Ship what is left and close the file."""
        if self._closing.is_set():
            return
        if self._partial:
            self.write(b"\n")
        self._closing.set()
        self._wake.set()
        await self._shipper
        self._file.close()

    async def _ship(self) -> None:
        made = False
        while not (self._closing.is_set() and not self._pending):
            await self._wake.wait()
            # Lines that come close together go in one call; the end of the container waits for nothing.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _FLUSH_SECONDS)
            self._wake.clear()
            events = [{"timestamp": when, "message": text} for when, text in self._pending]
            self._pending.clear()
            if not events:
                continue
            try:
                if not made:
                    await self._make_stream()
                    made = True
                await self._call("PutLogEvents", {**self._names(), "logEvents": events})
            except Exception:
                # The file has it all; CloudWatch Logs is a second copy and must never harm the endpoint.
                logger.exception("%s: %d lines did not reach CloudWatch Logs", self.stream, len(events))

    async def _make_stream(self) -> None:
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
