# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks HTTP to one container: /ping and /invocations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpcore

from ..settings import BIND_HOST

PING_SECONDS = 2.0
# A server may close a connection that has been idle; uvicorn does after five seconds. Ours go first.
_KEEPALIVE_SECONDS = 3.0

Headers = Sequence[tuple[str, str]]


class Unreachable(Exception):
    """No connection could be made: the container has not seen the request."""


class Broken(Exception):
    """The connection broke, or the answer made no sense, after the request was sent."""


class TimedOut(Exception):
    """The container did not answer in time."""


@dataclass(frozen=True)
class Answer:
    """A container's answer. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class ContainerClient:
    """A pool of connections to one container."""

    def __init__(self, port: int) -> None:
        self._base = f"http://{BIND_HOST}:{port}"
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None, max_keepalive_connections=64, keepalive_expiry=_KEEPALIVE_SECONDS
        )

    async def ping(self) -> bool:
        """Whether GET /ping is 200 within two seconds."""
        try:
            answer = await self._send("GET", "/ping", [], b"", PING_SECONDS)
        except (Unreachable, Broken, TimedOut):
            return False
        return answer.status == 200

    async def invoke(self, headers: Headers, body: bytes, timeout: float) -> Answer:
        """POST /invocations. Raises Unreachable, Broken or TimedOut."""
        return await self._send("POST", "/invocations", headers, body, timeout)

    async def close(self) -> None:
        await self._pool.aclose()

    async def _send(self, method: str, path: str, headers: Headers, body: bytes, timeout: float) -> Answer:
        all_headers = [("Host", BIND_HOST), *headers]
        if method == "POST":
            all_headers.append(("Content-Length", str(len(body))))
        limits = {"connect": PING_SECONDS, "read": timeout, "write": timeout, "pool": timeout}
        try:
            response = await self._pool.request(
                method, self._base + path, headers=all_headers, content=body, extensions={"timeout": limits}
            )
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise Unreachable(str(error)) from error
        except httpcore.TimeoutException as error:
            raise TimedOut(str(error)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Broken(str(error)) from error
        return Answer(
            response.status,
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers},
            response.content,
        )
