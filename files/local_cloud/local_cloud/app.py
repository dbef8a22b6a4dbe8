# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: decides whose a request is, and writes every answered call to the call log."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from . import admin
from .aws.caller import Caller, Scope, parse_scope
from .aws.errors import AwsError
from .aws.json_protocol import Response, failure
from .cloud import Cloud
from .operation_names import EXECUTE_API_PREFIX, name_operation
from .routing import AUTOSCALING_TARGET, ECR_TARGET, SAGEMAKER_TARGET, Destination, route

logger = logging.getLogger("local_cloud.app")

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]

_FORM = "application/x-www-form-urlencoded"
_KEPT_BODY = 65536
_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")


class LocalCloudApp:
    """One port for all of it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope.get("query_string", b"").decode("latin-1")
        if path.startswith(admin.PREFIX):
            await _send(send, admin.answer(self._cloud, scope["method"], path, query))
            return
        signed = parse_scope(headers, query)
        watched = _Watched(receive, send, headers.get("content-type", "").startswith(_FORM))
        try:
            await self._serve(scope, headers, signed, watched)
        finally:
            raw_path = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else path
            name = name_operation(
                signed.service if signed else None, scope["method"], raw_path, query, headers, bytes(watched.form)
            )
            self._cloud.calls.add(
                service=name.service,
                operation=name.operation,
                access=name.access,
                status=watched.status,
                error=watched.error(),
                access_key=signed.access_key if signed else None,
                ms=(time.perf_counter() - watched.arrived) * 1000,
            )

    async def _serve(self, scope: AsgiMessage, headers: dict[str, str], signed: Scope | None, call: _Watched) -> None:
        path, target = scope["path"], headers.get("x-amz-target", "")
        destination = route(path, target, signed.service if signed else None)
        if destination is Destination.MINISTACK:
            if signed is None and path.startswith(EXECUTE_API_PREFIX):
                self._cloud.act_for_owner_of_api(path.removeprefix(EXECUTE_API_PREFIX).partition("/")[0])
            await self._cloud.ministack.app(scope, call.receive, call.send)
            return
        if destination is Destination.UNKNOWN:
            service = signed.service if signed else "of that name"
            error = AwsError("UnknownOperationException", f"The local cloud has no service {service}.")
            await _send(call.send, failure(error))
            return
        if signed is None:
            error = AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
            await _send(call.send, failure(error))
            return
        body = await call.read_body()
        caller = Caller(self._cloud.account_of(signed.access_key), signed.region)
        # A task of its own: what a client that hangs up interrupts must not be a half-made change.
        try:
            response = await asyncio.shield(self._answer(destination, caller, path, target, headers, body))
        except Exception:
            logger.exception("%s %s failed", target or path, destination.value)
            response = failure(AwsError("InternalFailure", "The local cloud failed; the reason is in its log.", 500))
        await _send(call.send, response)

    async def _answer(
        self, destination: Destination, caller: Caller, path: str, target: str, headers: dict[str, str], body: bytes
    ) -> Response:
        if destination is Destination.SAGEMAKER_RUNTIME:
            return await self._cloud.runtime.handle(caller, path, headers, body)
        if destination is Destination.SAGEMAKER:
            return await self._cloud.sagemaker.handle(caller, target.removeprefix(SAGEMAKER_TARGET), body)
        if destination is Destination.AUTOSCALING:
            return await self._cloud.autoscaling.handle(caller, target.removeprefix(AUTOSCALING_TARGET), body)
        return await self._cloud.ecr_layers.handle(caller, target.removeprefix(ECR_TARGET), body)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """ministack's own start and stop happen inside ours, so that what we start finds it there."""
        inner_in: asyncio.Queue[AsgiMessage] = asyncio.Queue()
        inner_out: asyncio.Queue[AsgiMessage] = asyncio.Queue()
        inner = asyncio.create_task(self._cloud.ministack.app({"type": "lifespan"}, inner_in.get, inner_out.put))
        await inner_in.put(await receive())
        started = await inner_out.get()
        if started["type"] == "lifespan.startup.complete":
            self._cloud.open()
        await send(started)
        message = await receive()
        await self._cloud.close()
        await inner_in.put(message)
        await send(await inner_out.get())
        await inner


@dataclass
class _Watched:
    """One request on its way through: remembers what the call log needs to know of it."""

    _receive: Receive
    _send: Send
    is_form: bool

    def __post_init__(self) -> None:
        self.arrived = time.perf_counter()
        self.status = 0
        self.form = bytearray()
        self._error_type: str | None = None
        self._error_body = bytearray()

    async def receive(self) -> AsgiMessage:
        message = await self._receive()
        if self.is_form and message["type"] == "http.request" and len(self.form) < _KEPT_BODY:
            self.form += message.get("body", b"")
        return message

    async def send(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message.get("headers", ()):
                if name.lower() == b"x-amzn-errortype":
                    self._error_type = value.decode("latin-1")
        elif self.status >= 400 and len(self._error_body) < _KEPT_BODY:
            self._error_body += message.get("body", b"")
        await self._send(message)

    async def read_body(self) -> bytes:
        chunks = []
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                break
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        return b"".join(chunks)

    def error(self) -> str | None:
        """AWS's code of the error that was answered, from wherever the protocol keeps it."""
        if self.status < 400:
            return None
        if self._error_type:
            return self._error_type.partition(":")[0]
        body = bytes(self._error_body)
        if match := _XML_CODE.search(body):
            return match[1].decode(errors="replace")
        try:
            answer = json.loads(body)
            code = answer.get("__type") or answer.get("code") or answer.get("Code")
        except (ValueError, AttributeError):
            code = None
        return str(code).rpartition("#")[2] if code else str(self.status)


async def _send(send: Send, response: Response) -> None:
    headers = {"content-length": str(len(response.body)), **response.headers}
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": response.body})
