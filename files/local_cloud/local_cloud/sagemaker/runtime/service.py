# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's runtime: one place for its operations, and for what they share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from ...aws.caller import Caller
from ...aws.errors import AwsError
from ...aws.json_protocol import Response
from ...aws.streaming import StreamingResponse
from ...ministack_backend import Ministack
from ...store import Store
from ..endpoint_manager import EndpointManager
from ..live_endpoint import LiveEndpoint
from .async_invoke import InvokeEndpointAsync
from .async_worker import AsyncWorker
from .concurrency import ConcurrencySampler
from .data_capture import DataCapture
from .errors import endpoint_not_found, failure
from .exchange import Exchange
from .invoke import InvokeEndpoint
from .latest import REMEMBERED, LatestRequests, Request
from .metric_recorder import MetricRecorder
from .metrics import EndpointMetrics
from .requests import RequestParser, RuntimeRequest
from .roles import ExecutionRoles
from .s3 import S3
from .sessions import Sessions
from .stream import InvokeEndpointWithResponseStream
from .utilization import UtilizationReporter

_KINDS = {
    "InvokeEndpoint": "invoke",
    "InvokeEndpointWithResponseStream": "stream",
    "InvokeEndpointAsync": "async",
}


class SageMakerRuntime:
    """Answers the operations of sagemaker-runtime."""

    def __init__(self, manager: EndpointManager, store: Store, ministack: Ministack, enforce_iam: bool) -> None:
        self._manager = manager
        self._parser = RequestParser()
        self._latest = LatestRequests()
        self._recorder = MetricRecorder(ministack)
        metrics = EndpointMetrics(self._recorder)
        s3, roles = S3(ministack), ExecutionRoles(enforce_iam)
        self._capture = DataCapture(s3, roles)
        self._utilization = UtilizationReporter(manager, self._recorder, metrics, roles)
        self._concurrency = ConcurrencySampler(manager, metrics)
        sessions = Sessions()
        self._invoke = InvokeEndpoint(metrics, self._capture, sessions)
        self._stream = InvokeEndpointWithResponseStream(metrics, sessions)
        worker = AsyncWorker(ministack, s3, roles, metrics, self._latest)
        self._async = InvokeEndpointAsync(store, manager, worker, metrics)

    def open(self) -> None:
        """Go on with the asynchronous requests that were waiting when the cloud ended."""
        self._async.open()
        self._utilization.open()

    async def close(self) -> None:
        """Write what is held back: captured data, metrics, logs. Queued requests are on disk."""
        await self._async.close()
        await self._utilization.close()
        await self._concurrency.close()
        await self._capture.close()
        await self._recorder.close()

    def latest(self, count: int = REMEMBERED) -> list[Request]:
        """The latest requests, the newest first, those that were refused among them."""
        return self._latest.newest(count)

    async def handle(
        self, caller: Caller, path: str, headers: Mapping[str, str], body: bytes, method: str = "POST"
    ) -> Response | StreamingResponse:
        """Answer a request of the runtime's REST protocol.

        path: with its percent signs. headers: names in lower case.
        """
        request_id = str(uuid.uuid4())
        try:
            request = self._parser.parse(caller, method, path, headers, body, request_id)
        except AwsError as error:
            return failure(error, request_id)
        exchange = Exchange(caller, request.endpoint_name, _KINDS[request.operation], len(body))
        try:
            live = self._found(request)
            self._concurrency.watch()
            if request.operation == "InvokeEndpointWithResponseStream":
                return await self._stream(
                    request, live, exchange, lambda: self._latest.add(exchange.summary(200, _cut_short(exchange)))
                )
            if request.operation == "InvokeEndpointAsync":
                response = await self._async(request, live, exchange)
            else:
                response = await self._invoke(request, live, exchange)
        except AwsError as error:
            self._latest.add(exchange.summary(error.status, error.code or str(error.status)))
            return failure(error, request_id)
        self._latest.add(exchange.summary(response.status, None))
        return response

    def _found(self, request: RuntimeRequest) -> LiveEndpoint:
        live = self._manager.find(request.caller, request.endpoint_name)
        if live is None:
            raise endpoint_not_found(request.caller, request.endpoint_name)
        return live


def _cut_short(exchange: Exchange) -> str | None:
    return "ModelStreamError" if exchange.broke_mid_stream else None
