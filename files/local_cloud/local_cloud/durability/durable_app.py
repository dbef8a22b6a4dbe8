# SPDX-License-Identifier: GPL-3.0-or-later
"""ministack's application with answers that hold: a change is on disk before anybody hears of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..aws.caller import parse_scope
from ..operation_names import Operation, name_operation
from .keeper import StateKeeper
from .touched import When, services_changed, when_to_write

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
AsgiApp = Callable[[AsgiMessage, Receive, Send], Awaitable[None]]

_FORM = "application/x-www-form-urlencoded"
_FORM_START = 65536

logger = logging.getLogger("local_cloud.durability")


class DurableApp:
    """An ASGI application around ministack's. The first byte of a successful write's answer waits for the disk."""

    def __init__(self, app: AsgiApp, keeper: StateKeeper, registry: MutableMapping[str, Any]) -> None:
        self._app = app
        self._keeper = keeper
        self._registry = registry

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, self._stopping(receive), self._started(send))
        elif scope["type"] == "http" and _may_write(scope):
            await _Write(self._app, self._keeper, self._registry, scope, receive, send).run()
        else:
            await self._app(scope, receive, send)

    def _started(self, send: Send) -> Send:
        async def forward(message: AsgiMessage) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._keeper.open()
            await send(message)

        return forward

    def _stopping(self, receive: Receive) -> Receive:
        async def forward() -> AsgiMessage:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._keeper.close()
            return message

        return forward


class _Write:
    """One request that may change something."""

    def __init__(
        self,
        app: AsgiApp,
        keeper: StateKeeper,
        registry: MutableMapping[str, Any],
        scope: AsgiMessage,
        receive: Receive,
        send: Send,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._registry = registry
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        self._is_form = self._headers.get("content-type", "").startswith(_FORM)
        self._form = bytearray()
        self._refused_by_disk = False
        self._named: Operation | None = None

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._receive_and_look, self._send_when_written)
        finally:
            if when_to_write(self._operation()) is not When.NEVER:
                self._keeper.changed()

    async def _receive_and_look(self) -> AsgiMessage:
        message = await self._receive()
        if self._is_form and message["type"] == "http.request" and len(self._form) < _FORM_START:
            self._form += message.get("body", b"")
        return message

    async def _send_when_written(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            operation = self._operation()
            if when_to_write(operation) is When.BEFORE_THE_ANSWER:
                try:
                    await self._keeper.commit(services_changed(operation.service, self._registry))
                except Exception:
                    logger.exception("%s %s could not be written", operation.service, operation.operation)
                    self._refused_by_disk = True
                    await self._say_that_it_failed()
        if not self._refused_by_disk:
            await self._send(message)

    def _operation(self) -> Operation:
        """What the request asks for. Known once its body has been read."""
        if self._named is None:
            self._named = self._name()
        return self._named

    def _name(self) -> Operation:
        query = self._scope.get("query_string", b"").decode("latin-1")
        raw = self._scope.get("raw_path")
        path = raw.decode("latin-1") if raw else self._scope["path"]
        signed = parse_scope(self._headers, query)
        return name_operation(
            signed.service if signed else None, self._scope["method"], path, query, self._headers, bytes(self._form)
        )

    async def _say_that_it_failed(self) -> None:
        message = "The local cloud could not write its state to disk; the reason is in its log."
        body = json.dumps({"__type": "InternalFailure", "message": message}).encode()
        headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": 500, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _may_write(scope: AsgiMessage) -> bool:
    # Services of the query protocol take their operations with GET as well.
    return scope["method"] not in ("GET", "HEAD", "OPTIONS") or b"Action=" in scope.get("query_string", b"")
