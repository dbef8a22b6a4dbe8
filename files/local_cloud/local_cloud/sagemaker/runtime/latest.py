# SPDX-License-Identifier: GPL-3.0-or-later
"""The latest requests, for people who look at the status page: who, when, how long, how it went, and no bodies."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered or refused.

    time: seconds since 1970, when it came. kind: "invoke", "stream", "async" (its acceptance), or "async-run".
    status: what the caller got; for "async-run" the container's, 0 where it gave none. error: AWS's code, or None.
    ms: until the last byte of the answer. model_ms: what the container took of that, where it was asked.
    """

    time: float
    account: str
    region: str
    endpoint_name: str
    variant: str | None
    container_id: str | None
    kind: str
    status: int
    error: str | None
    ms: float
    model_ms: float | None
    bytes_in: int
    bytes_out: int


class LatestRequests:
    """A short memory. It starts empty with the cloud."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=REMEMBERED)

    def add(self, request: Request) -> None:
        self._requests.append(request)

    def newest(self, count: int) -> list[Request]:
        """At most `count` requests, the newest first."""
        return list(reversed(self._requests))[:count]
