# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call the cloud answered: kept in memory for /_local_cloud/calls, and in calls.jsonl for later."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REMEMBERED_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call.

    n: its number, from 1, never used twice in one home.
    time: when it was answered, ISO 8601 in UTC.
    access: "read", "write", or "data" for requests that users of the deployed thing make.
    error: AWS's error code, or None.
    ms: milliseconds from the request's arrival to the last byte of the answer.
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


class CallLog:
    """Appends calls, and hands out those after a given number."""

    def __init__(self, path: Path) -> None:
        self._calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self._last = last_number(path)
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
    ) -> None:
        """Record a call that has just been answered."""
        self._last += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        call = Call(self._last, now, service, operation, access, status, error, access_key, round(ms, 1))
        self._calls.append(call)
        self._file.write(json.dumps(asdict(call)) + "\n")
        self._file.flush()

    def since(self, number: int) -> dict[str, Any]:
        """The calls after call `number`, and the number to ask with next time."""
        return {"calls": [asdict(call) for call in self._calls if call.n > number], "next": self._last}

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
