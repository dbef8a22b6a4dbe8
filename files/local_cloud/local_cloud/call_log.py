# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call the cloud answered: kept in memory for /_local_cloud/calls, and in calls.jsonl for later.

What a call carried is not kept: of its parameters there is a digest, which tells whether two calls were the same.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

REMEMBERED_CALLS = 20_000
# The file is put aside as calls.jsonl.1 at this size, in place of the one that was put aside before.
FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One answered call.

    n: its number, from 1, never used twice in one home.
    time: when it was answered, ISO 8601 in UTC.
    access: "read", "write", or "data" for requests that users of the deployed thing make.
    status: the HTTP status; 0 where no answer was given, because a fault closed the connection.
    error: AWS's error code, or None.
    ms: milliseconds from the request's arrival to the last byte of the answer.
    resource: the name of what the call was about, where it can be told.
    digest: the beginning of the SHA-256 of the parameters.
    caller: the ARN of who signed it, where that is known.
    fault: the id of the fault that struck the call; several are separated by commas.
    """

    n: int
    time: str
    service: str
    operation: str
    access: str
    status: int
    error: str | None
    access_key: str | None
    ms: float
    resource: str | None = None
    digest: str | None = None
    account: str | None = None
    region: str | None = None
    caller: str | None = None
    fault: str | None = None


class CallLog:
    """Appends calls, and hands out those after a given number."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        self._calls: deque[LoggedCall] = deque(maxlen=REMEMBERED_CALLS)
        self._path = path
        self._file_bytes = file_bytes
        self._last = max(last_number(path), last_number(_aside(path)))
        self._file = path.open("a", encoding="utf-8")

    def add(
        self,
        *,
        service: str,
        operation: str,
        access: str,
        status: int,
        error: str | None,
        access_key: str | None,
        ms: float,
        **more: str | None,
    ) -> None:
        """Record a call that has just been answered. more: LoggedCall's other members."""
        self._last += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        call = LoggedCall(self._last, now, service, operation, access, status, error, access_key, round(ms, 1), **more)
        self._calls.append(call)
        if self._file.tell() >= self._file_bytes:
            self._file.close()
            self._path.replace(_aside(self._path))
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps(asdict(call)) + "\n")
        self._file.flush()

    def since(self, number: int) -> dict[str, Any]:
        """The calls after call `number`, and the number to ask with next time."""
        return {"calls": self.latest(self._last - number), "next": self._last}

    def latest(self, count: int) -> list[dict[str, Any]]:
        """The last `count` calls, the newest at the end."""
        start = max(0, len(self._calls) - max(0, count))
        return [asdict(call) for call in islice(self._calls, start, None)]

    def close(self) -> None:
        self._file.close()


def last_number(path: Path) -> int:
    """The number of the last call in calls.jsonl, or 0."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        for line in reversed(file.read().splitlines()):
            try:
                return int(json.loads(line)["n"])
            except (ValueError, KeyError, TypeError):  # a line cut short by a kill, or by our seek
                continue
    return 0


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".1")
