# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: /ping and /invocations, limits, and one shape for every error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from serving import log
from serving.errors import RequestError
from serving.protocol import check_content_encoding, check_content_type, encode_error, parse_request
from serving.settings import Settings
from serving.worker import Worker

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ROUTES = {"/ping": ("GET", "HEAD"), "/invocations": ("POST",)}


@dataclass
class _Exchange:
    """One request while it is handled: what was read of it so far, and what the log will say."""

    method: str
    path: str
    headers: dict[str, str]
    receive: Receive
    bytes_in: int = 0
    body_read: bool = False
    disconnected: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Application:
    """Routes requests to the worker. It holds no state of its own but what /ping said last, for the log."""

    def __init__(self, worker: Worker, settings: Settings) -> None:
        self._worker = worker
        self._settings = settings
        self._last_ping = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request (ASGI 3). Other kinds of scope are not offered by `__main__`."""
        if scope["type"] != "http":
            raise ValueError(f"scope {scope['type']!r} is not served")
        started = time.monotonic()
        exchange = _Exchange(
            scope["method"],
            scope["path"],
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            receive,
        )
        answer = await self._handle(exchange)
        if not exchange.disconnected:
            await _send(send, answer, with_body=exchange.method != "HEAD")
        self._log(exchange, answer, time.monotonic() - started)

    async def _handle(self, exchange: _Exchange) -> _Answer:
        try:
            allowed = _ROUTES.get(exchange.path)
            if allowed is None:
                raise RequestError(404, "NotFound", "There is nothing here; the paths are /ping and /invocations.")
            if exchange.method not in allowed:
                allow = (("allow", ", ".join(allowed)),)
                raise RequestError(405, "MethodNotAllowed", f"{exchange.path} takes {allowed[0]}.", allow)
            return self._ping() if exchange.path == "/ping" else await self._invocations(exchange)
        except RequestError as error:
            exchange.fields["error"] = error.code
            headers = (*error.headers, ("connection", "close")) if error.close else error.headers
            return _Answer(error.status, encode_error(error.code, error.message), headers)
        except Exception as error:
            log.error("server_failed", **log.describe(error))
            return _Answer(500, encode_error("InternalError", "The server failed; the log has the reason."))

    def _ping(self) -> _Answer:
        health = self._worker.health()
        if health.healthy:
            return _Answer(200, b'{"status":"healthy","requests_in_progress":%d}' % self._worker.requests_in_progress)
        return _Answer(503, encode_error(health.code, health.reason))

    async def _invocations(self, exchange: _Exchange) -> _Answer:
        check_content_type(exchange.headers.get("content-type"))
        check_content_encoding(exchange.headers.get("content-encoding"))
        self._worker.admit()
        try:
            try:
                async with asyncio.timeout(self._settings.request_timeout):
                    body = await _read_body(exchange, self._settings.max_payload_bytes)
                    request = parse_request(body, self._settings.max_inputs)
                    exchange.fields["inputs"] = request.count
                    return _Answer(200, await self._worker.answer(request))
            except TimeoutError:
                raise _timed_out(exchange, self._settings.request_timeout) from None
        finally:
            self._worker.release()

    def _log(self, exchange: _Exchange, answer: _Answer, seconds: float) -> None:
        if exchange.path == "/ping":
            # SageMaker asks every few seconds: a line for each would bury the others.
            if answer.status == self._last_ping:
                return
            self._last_ping = answer.status
        fields: dict[str, Any] = {
            "method": exchange.method[:16],
            "path": exchange.path[:100],
            "status": answer.status,
            "bytes_in": exchange.bytes_in,
            "bytes_out": len(answer.body),
            "milliseconds": round(seconds * 1000, 1),
            **exchange.fields,
        }
        if exchange.disconnected:
            fields["disconnected"] = True
        log.info("request", **fields)


async def _read_body(exchange: _Exchange, limit: int) -> bytes:
    """Read the body. What is not read of a refused one, uvicorn reads and forgets.

    Raises:
        RequestError: 413 where it is longer than the limit, as soon as that is known; 400 where the caller left.
    """
    declared = exchange.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    while not exchange.body_read:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            exchange.disconnected = True
            raise RequestError(400, "ClientDisconnected", "The caller left before the body had arrived.")
        body += message.get("body", b"")
        exchange.bytes_in = len(body)
        exchange.body_read = not message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> RequestError:
    return RequestError(413, "PayloadTooLarge", f"The body is larger than {limit / 1024 / 1024:g} MB.")


def _timed_out(exchange: _Exchange, seconds: float) -> RequestError:
    if not exchange.body_read:
        return RequestError(408, "RequestTimeout", f"The body did not arrive within {seconds:g} seconds.", close=True)
    return RequestError(503, "ModelTimeout", f"The model did not answer within {seconds:g} seconds.")


async def _send(send: Send, answer: _Answer, with_body: bool) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        *((name.encode(), value.encode()) for name, value in answer.headers),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
