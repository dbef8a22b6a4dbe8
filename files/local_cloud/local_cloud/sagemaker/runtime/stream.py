# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpointWithResponseStream: a container's answer in the pieces in which it comes, as events."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

from ...aws.streaming import StreamingResponse
from ...containers.container_client import Broken, TimedOut
from .. import dispatch
from ..live_endpoint import LiveEndpoint
from . import event_stream
from .endpoint_rules import check_headers, check_kind, check_payload, instances_of, stream_seconds
from .errors import described, lost, model_error
from .exchange import Exchange
from .invoke import note_failure
from .metrics import EndpointMetrics
from .requests import RuntimeRequest
from .sessions import Sessions

logger = logging.getLogger("local_cloud.runtime")


class InvokeEndpointWithResponseStream:
    """Answers InvokeEndpointWithResponseStream."""

    def __init__(self, metrics: EndpointMetrics, sessions: Sessions) -> None:
        self._metrics = metrics
        self._sessions = sessions

    async def __call__(
        self, request: RuntimeRequest, live: LiveEndpoint, exchange: Exchange, done: Callable[[], None]
    ) -> StreamingResponse:
        """The answer once its head is there. done: called when its last byte has gone or the caller has."""
        check_kind(request, live)
        check_headers(request, live)
        check_payload(request, live)
        stack = AsyncExitStack()
        try:
            streamed = await self._open(stack, request, live, exchange)
        except BaseException:
            await stack.aclose()
            raise

        closed = False

        async def close() -> None:
            nonlocal closed
            if closed:
                return
            closed = True
            await stack.aclose()
            exchange.overhead_ms = max(exchange.elapsed_ms() - (exchange.model_ms or 0), 0.0)
            self._metrics.invoked(exchange)
            done()

        headers = {
            "content-type": event_stream.CONTENT_TYPE,
            "x-amzn-sagemaker-content-type": streamed.headers.get("content-type", "application/octet-stream"),
            "x-amzn-invoked-production-variant": streamed.variant.name,
            "x-amzn-requestid": request.request_id,
        }
        if attributes := streamed.headers.get("x-amzn-sagemaker-custom-attributes"):
            headers["x-amzn-sagemaker-custom-attributes"] = attributes
        return StreamingResponse(200, events(streamed.chunks, exchange), close, headers)

    async def _open(
        self, stack: AsyncExitStack, request: RuntimeRequest, live: LiveEndpoint, exchange: Exchange
    ) -> dispatch.Streamed:
        target = request.parameters.get("TargetVariant")
        seconds, prefer = stream_seconds(live), self._sessions.container_of(request)
        try:
            opened = dispatch.stream(live, target, request.container_headers(), request.body, seconds, prefer=prefer)
            streamed = await stack.enter_async_context(opened)
        except dispatch.ContainerFailed as failed:
            note_failure(exchange, live, failed)
            self._metrics.invoked(exchange)
            raise model_error(exchange, 0, "", lost(failed)) from failed
        exchange.variant, exchange.container_id = streamed.variant, streamed.container_id
        exchange.model_status, exchange.model_ms = streamed.status, exchange.elapsed_ms()
        exchange.setup_ms = streamed.cold_start_ms
        exchange.concurrent = live.concurrent[streamed.variant.name]
        exchange.instances = instances_of(live, streamed.variant.name)
        if streamed.status // 100 != 2:
            text = (await _whole(streamed.chunks)).decode(errors="replace")
            self._metrics.invoked(exchange)
            raise model_error(exchange, streamed.status, text, described(streamed.status, text))
        return streamed


async def events(chunks: AsyncIterator[bytes], exchange: Exchange) -> AsyncIterator[bytes]:
    """The encoded events of a container's answer, and the one that tells why it ends early."""
    try:
        async for chunk in chunks:
            exchange.model_ms = exchange.elapsed_ms()
            if exchange.first_chunk_ms is None:
                exchange.first_chunk_ms = exchange.first_chunk_model_ms = exchange.model_ms
            exchange.bytes_out += len(chunk)
            if chunk:
                yield event_stream.payload_part(chunk)
    except (TimedOut, Broken, dispatch.ContainerFailed) as error:
        exchange.model_ms = exchange.elapsed_ms()
        exchange.model_status, exchange.broke_mid_stream = 0, True
        timed_out = isinstance(error, TimedOut) or getattr(error, "kind", "") == "timeout"
        yield _broken_off(timed_out)
    except Exception:
        logger.exception("a streamed answer of %s broke off", exchange.endpoint_name)
        exchange.broke_mid_stream = True
        yield event_stream.exception(
            "InternalStreamFailure", "The stream processing failed because of an unknown error. Try your request again."
        )


def _broken_off(timed_out: bool) -> bytes:
    # The codes are the API reference's; the sentences are its descriptions of them.
    if timed_out:
        return event_stream.exception(
            "ModelStreamError",
            "The model failed to finish sending the response within the timeout period allowed by Amazon SageMaker.",
            ErrorCode="ModelInvocationTimeExceeded",
        )
    return event_stream.exception(
        "ModelStreamError",
        "The Transmission Control Protocol (TCP) connection between the client and the model was reset or closed.",
        ErrorCode="StreamBroken",
    )


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    content = b""
    try:
        async for chunk in chunks:
            content += chunk
    except (TimedOut, Broken, dispatch.ContainerFailed):
        pass  # what came of it says more than that it was cut short
    return content
