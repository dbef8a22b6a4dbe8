# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: /ping, /invocations and /metrics, limits, and one shape for every error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving import log, metrics
from serving.errors import RequestError
from serving.handler import RawAnswer, Request, Row
from serving.jobs import Job
from serving.metrics import Metrics
from serving.protocol import check_content_encoding, check_content_type, encode_error, parse_request
from serving.scheduler import Scheduler
from serving.settings import Settings
from serving.streaming import Pieces

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ROUTES = {"/ping": ("GET", "HEAD"), "/invocations": ("POST",), "/metrics": ("GET",)}

# Of a request's headers, those that are looked at.
_HEADERS = frozenset((b"content-type", b"content-encoding", b"content-length", b"accept"))

# A body up to this size is read and tokenised on the event loop at once: that takes less than handing it to a thread.
_SMALL_BODY = 4096

# How many bodies of the largest size may be in memory at a time.
_LARGE_BODIES = 16

# Seconds until somebody looks whether the caller of a waiting request is still there. Most are answered before.
_LOOK_FOR_CALLER = 1.0


class _Exchange:
    """One request while it is handled: what was read of it so far, and what the log will say."""

    __slots__ = ("body_read", "bytes_in", "bytes_out", "disconnected", "fields", "headers", "method", "path", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS}
        self.receive = receive
        self.bytes_in = 0
        self.bytes_out = 0
        self.body_read = False
        self.disconnected = False
        self.fields: dict[str, Any] = {}

    def header(self, name: bytes) -> str:
        return self.headers.get(name, "")


class _Answer:
    __slots__ = ("body", "content_type", "headers", "job", "pieces", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
        pieces: Pieces | None = None,
    ) -> None:
        self.status = status
        # With `pieces` this is the first of them.
        self.body = body
        self.headers = headers
        self.content_type = content_type
        self.pieces = pieces


class Application:
    """Routes requests to the scheduler."""

    def __init__(self, scheduler: Scheduler, settings: Settings, counted: Metrics) -> None:
        self._scheduler = scheduler
        self._settings = settings
        self._metrics = counted
        self._summary = metrics.Summary(counted)
        self._last_ping = 0
        self._bytes_held = 0
        self._readers = ThreadPoolExecutor(settings.threads, thread_name_prefix="read")
        # One more than may stream, so that the end of one is never behind a piece of another.
        self._streams = ThreadPoolExecutor(settings.max_streams + 1, thread_name_prefix="stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request (ASGI 3). Other kinds of scope are not offered by `__main__`."""
        if scope["type"] != "http":
            raise ValueError(f"scope {scope['type']!r} is not served")
        started = time.monotonic()
        exchange = _Exchange(scope, receive)
        status = 500
        try:
            status = await self._respond(exchange, send)
        finally:
            seconds = time.monotonic() - started
            if exchange.path == "/invocations":
                self._metrics.request(status, seconds)
                self._summary.wanted()
            self._log(exchange, status, seconds)

    async def _respond(self, exchange: _Exchange, send: Send) -> int:
        """Answer, and return the status that was answered with."""
        try:
            allowed = _ROUTES.get(exchange.path)
            if allowed is None:
                raise RequestError(404, "NotFound", "There is nothing here; the paths are /ping and /invocations.")
            if exchange.method not in allowed:
                allow = (("allow", ", ".join(allowed)),)
                raise RequestError(405, "MethodNotAllowed", f"{exchange.path} takes {allowed[0]}.", allow)
            if exchange.path == "/invocations":
                return await self._invocations(exchange, send)
            answer = self._ping() if exchange.path == "/ping" else self._show_metrics()
        except RequestError as error:
            exchange.fields["error"] = error.code
            headers = (*error.headers, ("connection", "close")) if error.close else error.headers
            answer = _Answer(error.status, encode_error(error.code, error.message), headers)
        except Exception as error:
            log.error("server_failed", **log.describe(error))
            answer = _Answer(500, encode_error("InternalError", "The server failed; the log has the reason."))
        if not exchange.disconnected:
            await _send(send, exchange, answer)
        return answer.status

    def _ping(self) -> _Answer:
        health = self._scheduler.health()
        if health.healthy:
            return _Answer(200, b'{"status":"healthy","requests_in_progress":%d}' % self._scheduler.in_progress)
        return _Answer(503, encode_error(health.code, health.reason))

    def _show_metrics(self) -> _Answer:
        return _Answer(200, self._metrics.text(self._scheduler.gauges), content_type=metrics.CONTENT_TYPE)

    async def _invocations(self, exchange: _Exchange, send: Send) -> int:
        seconds = self._settings.request_timeout
        job: Job | None = None
        pieces: Pieces | None = None
        try:
            async with asyncio.timeout(seconds):
                self._check_head(exchange)
                body = await self._read_body(exchange)
                self._scheduler.check_admission()
                if len(body) <= _SMALL_BODY:
                    request, rows = self._prepare(exchange, body)
                else:
                    loop = asyncio.get_running_loop()
                    request, rows = await loop.run_in_executor(self._readers, self._prepare, exchange, body)
                exchange.fields["inputs"] = request.count
                job = self._scheduler.submit(request, rows)
                found = await self._wait(exchange, job)
                if isinstance(found, bytes):
                    answer = _Answer(200, found)
                elif found.chunks is None:
                    answer = _Answer(found.status, found.body, content_type=found.content_type)
                else:
                    # The first piece comes before the status, so that a failure at once is an ordinary error.
                    pieces = Pieces(found.chunks, self._streams)
                    first = await pieces.next()
                    answer = _Answer(found.status, first or b"", content_type=found.content_type, pieces=pieces)
            if pieces is None:
                self._scheduler.finish(job)
                job = None
                await _send(send, exchange, answer)
            else:
                await self._stream(exchange, send, answer, pieces)
        except TimeoutError:
            raise _timed_out(exchange, seconds) from None
        finally:
            if pieces is not None:
                pieces.close()
            if job is not None:
                self._scheduler.finish(job)
            self._bytes_held -= exchange.bytes_in
        return answer.status

    def _check_head(self, exchange: _Exchange) -> None:
        """Refuse what the headers alone tell, before a body is waited for."""
        check_content_encoding(exchange.header(b"content-encoding"))
        self._scheduler.check_admission()
        handler = self._scheduler.handler
        if not getattr(handler, "raw", False):
            check_content_type(exchange.header(b"content-type"), handler.content_types)
        limit = self._settings.max_payload_bytes
        declared = exchange.header(b"content-length")
        if declared.isdecimal() and int(declared[:20]) > limit:
            raise _too_large(limit)

    async def _read_body(self, exchange: _Exchange) -> bytes:
        """Read the body. What is not read of a refused one, uvicorn reads and forgets.

        Raises:
            RequestError: 413 where it is longer than the limit, as soon as that is known; 429 where all bodies together
                are; 400 where the caller left.
        """
        limit = self._settings.max_payload_bytes
        pieces: list[bytes] = []
        while not exchange.body_read:
            message = await exchange.receive()
            if message["type"] == "http.disconnect":
                exchange.disconnected = True
                raise RequestError(400, "ClientDisconnected", "The caller left before the body had arrived.")
            piece: bytes = message.get("body", b"")
            pieces.append(piece)
            exchange.bytes_in += len(piece)
            self._bytes_held += len(piece)
            exchange.body_read = not message.get("more_body", False)
            if exchange.bytes_in > limit:
                raise _too_large(limit)
            if self._bytes_held > _LARGE_BODIES * limit:
                what = "The bodies of the waiting requests fill the memory set aside for them; try again in a moment."
                raise RequestError(429, "TooManyRequests", what, (("retry-after", "1"),))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _prepare(self, exchange: _Exchange, body: bytes) -> tuple[Request, Sequence[Row]]:
        """Read a body and cut it into rows. Raises RequestError where the caller made a mistake."""
        handler = self._scheduler.handler
        content_type, accept = exchange.header(b"content-type"), exchange.header(b"accept")
        if getattr(handler, "raw", False):
            request = Request(None, content_type=content_type, accept=accept, body=body)
        else:
            request = parse_request(body, content_type, accept, self._settings.max_inputs)
        try:
            return request, handler.preprocess(request)
        except RequestError:
            raise
        except Exception as error:
            log.error("preprocess_failed", **log.describe(error))
            raise RequestError(500, "ModelError", "The model failed at this request; the log has the reason.") from None

    async def _wait(self, exchange: _Exchange, job: Job) -> bytes | RawAnswer:
        """Wait for the model's answer; give up where the caller has left."""
        watchers: list[asyncio.Task[None]] = []

        async def watch() -> None:
            message = await exchange.receive()
            if message["type"] == "http.disconnect" and not job.answer.done():
                exchange.disconnected = True
                job.answer.set_exception(
                    RequestError(400, "ClientDisconnected", "The caller left before the answer was there.")
                )

        loop = asyncio.get_running_loop()
        look = loop.call_later(_LOOK_FOR_CALLER, lambda: watchers.append(loop.create_task(watch())))
        try:
            return await job.answer
        finally:
            look.cancel()
            for watcher in watchers:
                watcher.cancel()

    async def _stream(self, exchange: _Exchange, send: Send, answer: _Answer, pieces: Pieces) -> None:
        """Send an answer piece by piece, each as soon as it is there, until the end or until the caller leaves."""
        gone = asyncio.ensure_future(exchange.receive())
        try:
            await _send_head(send, exchange, answer)
            piece: bytes | None = answer.body
            while piece is not None:
                if piece:
                    exchange.bytes_out += len(piece)
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                asked = asyncio.ensure_future(pieces.next())
                done, _ = await asyncio.wait(
                    (asked, gone), timeout=self._settings.request_timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if asked not in done:
                    asked.cancel()
                    exchange.disconnected = gone in done
                    exchange.fields["error"] = "ClientDisconnected" if gone in done else "ModelTimeout"
                    return
                piece = asked.result()
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            # The status is sent; a connection that ends without the last piece says that something is missing.
            exchange.fields["error"] = "ModelError"
            log.error("stream_failed", **log.describe(error))
        finally:
            gone.cancel()

    def _log(self, exchange: _Exchange, status: int, seconds: float) -> None:
        if exchange.path == "/ping":
            # SageMaker asks every few seconds: a line for each would bury the others.
            if status == self._last_ping:
                return
            self._last_ping = status
        fields = exchange.fields
        if exchange.disconnected:
            fields["disconnected"] = True
        log.info(
            "request",
            method=exchange.method[:16],
            path=exchange.path[:100],
            status=status,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
            milliseconds=round(seconds * 1000, 1),
            **fields,
        )


def _too_large(limit: int) -> RequestError:
    return RequestError(413, "PayloadTooLarge", f"The body is larger than {limit / 1024 / 1024:g} MB.")


def _timed_out(exchange: _Exchange, seconds: float) -> RequestError:
    if not exchange.body_read:
        return RequestError(408, "RequestTimeout", f"The body did not arrive within {seconds:g} seconds.", close=True)
    return RequestError(503, "ModelTimeout", f"The model did not answer within {seconds:g} seconds.")


async def _send_head(send: Send, exchange: _Exchange, answer: _Answer) -> None:
    headers = [(b"content-type", answer.content_type.encode("latin-1"))]
    if answer.pieces is None:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    headers += [(name.encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _send(send: Send, exchange: _Exchange, answer: _Answer) -> None:
    exchange.bytes_out = len(answer.body)
    await _send_head(send, exchange, answer)
    await send({"type": "http.response.body", "body": answer.body if exchange.method != "HEAD" else b""})
