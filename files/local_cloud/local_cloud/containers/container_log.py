# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's output: to a file in home, and to CloudWatch Logs as SageMaker does."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from ..aws.caller import Caller
from ..ministack_backend import Ministack
from .log_stream import LogStream

if TYPE_CHECKING:
    from ..iam.execution_role import ExecutionRole

# PutLogEvents takes 256 KB an event; a line of output that long is no line.
_MAX_LINE = 8192
_TAIL_LINES = 20


class ContainerLog:
    """Takes chunks of output, writes them to a file at once, and hands whole lines to CloudWatch Logs.

    role: the Model's execution role; where it may not write the log, the file alone has the lines.
    """

    def __init__(
        self,
        path: Path,
        ministack: Ministack,
        caller: Caller,
        group: str,
        stream: str,
        role: ExecutionRole | None = None,
    ) -> None:
        self.path = path
        self.group = group
        self.stream = stream
        self._file = path.open("ab", buffering=0)
        self._partial = b""
        self._closed = False
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        allowed = role is None or role.may_write_log(caller.account, group, stream)
        self._log_stream = LogStream(ministack, caller, group, stream) if allowed else None

    def write(self, chunk: bytes) -> None:
        """Take some bytes of output."""
        self._file.write(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > _MAX_LINE:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            text = line[:_MAX_LINE].decode(errors="replace").rstrip("\r")
            if text:
                if self._log_stream is not None:
                    self._log_stream.add(text)
                self._tail.append(text)

    def tail(self) -> list[str]:
        """The last lines of output."""
        return list(self._tail)

    async def close(self) -> None:
        """Ship what is left and close the file."""
        if self._closed:
            return
        self._closed = True
        if self._partial:
            self.write(b"\n")
        if self._log_stream is not None:
            await self._log_stream.close()
        self._file.close()
