# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpoint: a request to a container and its answer back."""

from __future__ import annotations

from ...aws.json_protocol import Response
from ...containers.container_client import Answer
from .. import dispatch
from ..deployment import Variant
from ..live_endpoint import LiveEndpoint
from .data_capture import DataCapture
from .endpoint_rules import check_headers, check_kind, check_payload, instances_of, payload_limit
from .errors import described, lost, model_error, too_large
from .exchange import Exchange
from .limits import INVOCATION_SECONDS
from .metrics import EndpointMetrics
from .requests import RuntimeRequest
from .sessions import Sessions

# What of a container's headers reaches the caller, by its name there and here.
_ANSWERED = (
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-new-session-id",
    "x-amzn-sagemaker-closed-session-id",
)


class InvokeEndpoint:
    """Answers InvokeEndpoint."""

    def __init__(self, metrics: EndpointMetrics, capture: DataCapture, sessions: Sessions) -> None:
        self._metrics = metrics
        self._capture = capture
        self._sessions = sessions

    async def __call__(self, request: RuntimeRequest, live: LiveEndpoint, exchange: Exchange) -> Response:
        check_kind(request, live)
        check_headers(request, live)
        check_payload(request, live)
        dispatched = await self._send(request, live, exchange)
        self._sessions.follow(request, dispatched.answer.headers, dispatched.container_id)
        self._capture.add(request, live, dispatched.variant, dispatched.answer)
        return response(dispatched.answer, dispatched.variant, request.request_id)

    async def _send(self, request: RuntimeRequest, live: LiveEndpoint, exchange: Exchange) -> dispatch.Dispatched:
        target = request.parameters.get("TargetVariant")
        headers, prefer = request.container_headers(), self._sessions.container_of(request)
        try:
            dispatched = await dispatch.send(live, target, headers, request.body, INVOCATION_SECONDS, prefer=prefer)
        except dispatch.ContainerFailed as failed:
            note_failure(exchange, live, failed)
            self._metrics.invoked(exchange)
            raise model_error(exchange, 0, "", lost(failed)) from failed
        note_answer(exchange, live, dispatched)
        self._metrics.invoked(exchange)
        answer, limit = dispatched.answer, payload_limit(live)
        exchange.bytes_out = len(answer.body)
        if answer.status // 100 != 2:
            text = answer.body.decode(errors="replace")
            raise model_error(exchange, answer.status, text, described(answer.status, text))
        if len(answer.body) > limit:
            raise model_error(exchange, 0, "", too_large(len(answer.body), limit))
        return dispatched


def response(answer: Answer, variant: Variant, request_id: str) -> Response:
    """A container's good answer, as the caller gets it. Pure."""
    headers = {
        "content-type": answer.headers.get("content-type", "application/octet-stream"),
        "x-amzn-invoked-production-variant": variant.name,
        "x-amzn-requestid": request_id,
    }
    headers |= {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
    return Response(200, answer.body, headers)


def note_answer(exchange: Exchange, live: LiveEndpoint, dispatched: dispatch.Dispatched) -> None:
    """Write down who answered, and how fast."""
    exchange.variant, exchange.container_id = dispatched.variant, dispatched.container_id
    exchange.model_status, exchange.model_ms = dispatched.answer.status, dispatched.container_ms
    exchange.overhead_ms = max(exchange.elapsed_ms() - dispatched.container_ms, 0.0)
    exchange.setup_ms = dispatched.cold_start_ms
    exchange.concurrent = live.concurrent[dispatched.variant.name] + 1
    exchange.instances = instances_of(live, dispatched.variant.name)


def note_failure(exchange: Exchange, live: LiveEndpoint, failed: dispatch.ContainerFailed) -> None:
    """Write down who was asked and gave no answer. All of the time counts as the model's."""
    exchange.variant, exchange.container_id = failed.variant, failed.container_id
    exchange.model_status, exchange.model_ms = 0, exchange.elapsed_ms()
    exchange.concurrent = live.concurrent[failed.variant.name] + 1
    exchange.instances = instances_of(live, failed.variant.name)
