# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP answer whose body is sent as it is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

AsgiMessage = MutableMapping[str, Any]


@dataclass(frozen=True)
class StreamingResponse:
    """An HTTP answer without a length. Header names are lower case.

    chunks: the body, made while it is read. close: awaited once, whether or not the body was read to its end.
    """

    status: int
    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]
    headers: dict[str, str] = field(default_factory=dict)


async def send_streaming(
    response: StreamingResponse,
    receive: Callable[[], Awaitable[AsgiMessage]],
    send: Callable[[AsgiMessage], Awaitable[None]],
) -> None:
    """Send a response chunk by chunk. The request's body must have been read; a client that hangs up ends it."""
    hung_up = asyncio.create_task(_disconnected(receive))
    sending = asyncio.create_task(_send_chunks(response, send))
    try:
        await asyncio.wait({hung_up, sending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hung_up.cancel()
        sending.cancel()
        await asyncio.gather(hung_up, sending, return_exceptions=True)
        await response.close()
    if not sending.cancelled():
        sending.result()


async def _send_chunks(response: StreamingResponse, send: Callable[[AsgiMessage], Awaitable[None]]) -> None:
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    async for chunk in response.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Callable[[], Awaitable[AsgiMessage]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
