# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks HTTP to one container: /ping and /invocations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
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


@dataclass(frozen=True)
class StreamedAnswer:
    """A container's answer whose body is still coming. Header names are lower case.

    chunks: the body as it arrives, to be read once and while the answer is open. Raises Broken or TimedOut.
    """

    status: int
    headers: dict[str, str]
    chunks: AsyncIterator[bytes]


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

    @asynccontextmanager
    async def invoke_stream(self, headers: Headers, body: bytes, timeout: float) -> AsyncIterator[StreamedAnswer]:
        """POST /invocations, and hand over the answer when its head has come.

        timeout: seconds from sending the request to the end of the body. Leaving the context before the body's end
        hangs up on the container. Raises Unreachable, Broken or TimedOut on entry; the chunks raise the latter two.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        request = self._request("POST", "/invocations", headers, body, timeout)
        with _explained():
            async with asyncio.timeout_at(deadline):
                response = await self._pool.handle_async_request(request)
        try:
            yield StreamedAnswer(response.status, _headers_of(response.headers), _chunks(response, deadline))
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._pool.aclose()

    async def _send(self, method: str, path: str, headers: Headers, body: bytes, timeout: float) -> Answer:
        with _explained():
            # httpcore's limits are for each read; this one is for all of them.
            async with asyncio.timeout(timeout):
                response = await self._pool.handle_async_request(self._request(method, path, headers, body, timeout))
                try:
                    content = await response.aread()
                finally:
                    await response.aclose()
        return Answer(response.status, _headers_of(response.headers), content)

    def _request(self, method: str, path: str, headers: Headers, body: bytes, timeout: float) -> httpcore.Request:
        named = [("Host", BIND_HOST), *headers]
        if method == "POST":
            named.append(("Content-Length", str(len(body))))
        # As bytes: of text, httpcore takes ASCII alone.
        all_headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in named]
        limits = {"connect": PING_SECONDS, "read": timeout, "write": timeout, "pool": timeout}
        return httpcore.Request(
            method, self._base + path, headers=all_headers, content=body, extensions={"timeout": limits}
        )


async def _chunks(response: httpcore.Response, deadline: float) -> AsyncIterator[bytes]:
    chunks = response.aiter_stream()
    while True:
        with _explained():
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk


def _headers_of(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


@contextmanager
def _explained() -> Iterator[None]:
    """Turn httpcore's exceptions into ours."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        raise Unreachable(str(error)) from error
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise TimedOut(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Broken(str(error)) from error
