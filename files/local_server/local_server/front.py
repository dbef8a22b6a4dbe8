# SPDX-License-Identifier: GPL-3.0-or-later
"""The port that people know: it hands each connection to the live server, so that servers can change behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json

_CHUNK = 64 * 1024


class Front:
    """Listens on the loopback address and passes bytes on unread: what arrives is what the server sent."""

    def __init__(self) -> None:
        # The port of the live server; None while there is none.
        self.target: int | None = None
        # What a caller is told meanwhile.
        self.reason = "The server is starting."
        self._listener: asyncio.Server | None = None

    async def listen(self, port: int) -> int:
        """Listen; port 0 lets the system choose. Returns the port.

        Raises:
            OSError: the port is taken.
        """
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", port)
        return self._listener.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no longer."""
        if self._listener is not None:
            self._listener.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if self.target is None:
                await self._refuse(reader, writer)
                return
            try:
                back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.target)
            except OSError:
                await self._refuse(reader, writer)
                return
            await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closed with the request unread, the connection would be reset before the caller has read the answer.
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"error": {"code": "ModelNotReady", "message": self.reason}}).encode()
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
