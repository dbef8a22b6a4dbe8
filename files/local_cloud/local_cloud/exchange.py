# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request and its answer on their way through the cloud."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from .aws.caller import Scope, parse_scope
from .aws.json_protocol import Response
from .faults.extensions import CLOSE, STOPPING

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]

_KEPT_ERROR = 65536
_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")


@dataclass(frozen=True)
class Request:
    """A request's head.

    path: decoded; raw_path: as it was sent. headers: names in lower case. signed: None for an unsigned request.
    """

    scope: AsgiMessage
    method: str
    path: str
    raw_path: str
    query: str
    headers: dict[str, str]
    signed: Scope | None

    @classmethod
    def of(cls, scope: AsgiMessage) -> Request:
        """The head of an ASGI request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope.get("query_string", b"").decode("latin-1")
        raw_path = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
        signed = parse_scope(headers, query)
        return cls(scope, scope["method"], scope["path"], raw_path, query, headers, signed)

    def about(self, raw_path: str, query: str, length: int) -> Request:
        """The same request for another path and query, with a body of another length."""
        headers = {**self.headers, "content-length": str(length)}
        path = unquote(raw_path)
        scope = {
            **self.scope,
            "path": path,
            "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        return replace(self, scope=scope, path=path, raw_path=raw_path, query=query, headers=headers)


# Answers a request, whoever's it is.
Perform = Callable[[Request, Receive, Send], Awaitable[None]]


class Exchange:
    """A request's body and the answer to it. Remembers what the call log needs to know.

    status: 0 until an answer has begun. struck: the ids of the faults that struck.
    """

    def __init__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        self.arrived = time.perf_counter()
        self.status = 0
        self.struck: list[str] = []
        self._receive = receive
        self._send = send
        self._extensions = scope.get("extensions") or {}
        self._read: deque[AsgiMessage] = deque()
        self._error_type: str | None = None
        self._error_body = bytearray()

    async def receive(self) -> AsgiMessage:
        """ASGI's receive: what has been read ahead comes first."""
        return self._read.popleft() if self._read else await self._receive()

    async def read_ahead(self) -> bytes:
        """The whole body, which receive() will give once more."""
        self._read = deque(await body_messages(self.receive))
        return b"".join(message.get("body", b"") for message in self._read)

    async def drain(self) -> None:
        """Read the body and throw it away."""
        message = await self.receive()
        while message["type"] == "http.request" and message.get("more_body"):
            message = await self.receive()

    async def send(self, message: AsgiMessage) -> None:
        """ASGI's send."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message.get("headers", ()):
                if name.lower() == b"x-amzn-errortype":
                    self._error_type = value.decode("latin-1")
        elif self.status >= 400 and len(self._error_body) < _KEPT_ERROR:
            self._error_body += message.get("body", b"")
        await self._send(message)

    async def close(self) -> None:
        """Send what is written so far and close the connection; returns when it is closed."""
        close = self._extensions.get(CLOSE)
        if close is None:  # another server than ours, as in a test: it will answer with a 500 of its own
            raise ConnectionAbortedError("the connection was to be closed without an answer")
        close()
        await self._until_gone()

    async def wait(self, seconds: float | None, released: asyncio.Event | None = None) -> bool:
        """Wait until the time is up, the client is gone, the cloud stops, or `released` is set; whether it is set.

        With seconds the client's going is not waited for, since the work is still to be done.
        """
        waits = [event.wait() for event in (self._extensions.get(STOPPING), released) if event is not None]
        if seconds is None:
            waits.append(self._until_gone())
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds or 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return released is not None and released.is_set()

    def error(self) -> str | None:
        """AWS's code of the error that was answered, from wherever the protocol keeps it."""
        if self.status < 400:
            return None
        return error_code(self.status, self._error_type, bytes(self._error_body))

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def error_code(status: int, error_type: str | None, body: bytes) -> str:
    """AWS's code in an error's answer; the status where there is none. error_type: the header x-amzn-errortype."""
    if error_type:
        return error_type.partition(":")[0]
    if match := _XML_CODE.search(body):
        return match[1].decode(errors="replace")
    try:
        answer = json.loads(body)
        code = answer.get("__type") or answer.get("code") or answer.get("Code")
    except (ValueError, AttributeError):
        code = None
    return str(code).rpartition("#")[2] if code else str(status)


async def body_messages(receive: Receive) -> list[AsgiMessage]:
    """The messages of a request's body, up to its end or to the client's hanging up."""
    messages = []
    while True:
        messages.append(await receive())
        if messages[-1]["type"] != "http.request" or not messages[-1].get("more_body"):
            return messages


async def read_body(receive: Receive) -> bytes:
    """A request's whole body."""
    return b"".join(message.get("body", b"") for message in await body_messages(receive))


def giving(body: bytes) -> Receive:
    """A receive() that gives this body, of a client that never hangs up."""
    messages: deque[AsgiMessage] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> AsgiMessage:
        if not messages:
            await asyncio.Event().wait()
        return messages.popleft()

    return receive


async def send_response(send: Send, response: Response) -> None:
    """Send a whole answer."""
    headers = {"content-length": str(len(response.body)), **response.headers}
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": response.body})


class Captured:
    """An answer that is kept back: give its `send` to whoever answers."""

    def __init__(self, response: Response | None = None) -> None:
        self.status = response.status if response else 0
        headers = response.headers.items() if response else ()
        self.headers = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        self._body = bytearray(response.body if response else b"")

    async def send(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        else:
            self._body += message.get("body", b"")

    @property
    def body(self) -> bytes:
        return bytes(self._body)

    def code(self) -> str | None:
        """AWS's code where it is an error."""
        kind = next((value.decode("latin-1") for name, value in self.headers if name == b"x-amzn-errortype"), None)
        return error_code(self.status, kind, self.body) if self.status >= 400 else None

    def replaced(self, old: bytes, new: bytes) -> Captured:
        """The same answer with other words in it."""
        other = Captured()
        other.status = self.status
        other.headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        other._body = bytearray(self.body.replace(old, new))
        return other

    async def send_on(self, send: Send, upto: int | None = None) -> None:
        """Send it on: all of it, or the head and so many bytes of the body, which then lacks its end."""
        await send({"type": "http.response.start", "status": self.status, "headers": self._sized()})
        body = self.body if upto is None else self.body[:upto]
        await send({"type": "http.response.body", "body": body, "more_body": upto is not None})

    def _sized(self) -> list[tuple[bytes, bytes]]:
        # A HEAD's length is that of a body which is not there.
        if any(name.lower() == b"content-length" for name, _ in self.headers):
            return self.headers
        kept = [(name, value) for name, value in self.headers if name.lower() != b"transfer-encoding"]
        return [*kept, (b"content-length", str(len(self._body)).encode())]
