# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpointAsync: requests are queued, and workers bring them to the endpoint as it has room."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid

from ...aws.caller import Caller
from ...aws.json_protocol import Response
from ...store import Document, Store
from ..arns import key_of
from ..endpoint_manager import KIND as ENDPOINT_KIND
from ..endpoint_manager import EndpointManager
from ..live_endpoint import LiveEndpoint
from .async_queue import AsyncQueue, EndpointKey
from .async_result import result_locations
from .async_worker import AsyncWorker
from .endpoint_rules import async_config, check_async_input, check_headers, check_kind, instances_of
from .exchange import Exchange
from .limits import ASYNC_CONCURRENCY_PER_INSTANCE
from .metrics import EndpointMetrics
from .requests import RuntimeRequest

# How often a queue that nothing happens to is looked at again: for capacity, for what expired, for its metrics.
_TURN_SECONDS = 1.0

logger = logging.getLogger("local_cloud.async_inference")


class InvokeEndpointAsync:
    """Answers InvokeEndpointAsync, and works the queues off."""

    def __init__(self, store: Store, manager: EndpointManager, worker: AsyncWorker, metrics: EndpointMetrics) -> None:
        self._store = store
        self._manager = manager
        self._worker = worker
        self._metrics = metrics
        self._queue = AsyncQueue(store)
        self._pumps: dict[EndpointKey, asyncio.Task[None]] = {}
        self._wake: dict[EndpointKey, asyncio.Event] = {}

    def open(self) -> None:
        """Go on with what was waiting when the cloud ended."""
        for endpoint in self._queue.load():
            self._ensure_pump(endpoint)

    async def close(self) -> None:
        """Stop working. What is not done stays on disk."""
        pumps = list(self._pumps.values())
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await self._worker.close()

    async def __call__(self, request: RuntimeRequest, live: LiveEndpoint, exchange: Exchange) -> Response:
        """Queue a request."""
        check_kind(request, live)
        check_headers(request, live)
        check_async_input(request)
        config = async_config(live) or {}
        inference_id = request.parameters.get("InferenceId") or str(uuid.uuid4())
        output, failure = result_locations(config["OutputConfig"], request.parameters, str(uuid.uuid4()))
        variant = live.deployment.variants[0]
        endpoint = EndpointKey(request.caller, live.name, self._created(request.caller, live.name) or 0.0)
        document: Document = {
            "inference_id": inference_id,
            "received": exchange.arrived,
            "parameters": {**request.parameters, "InferenceId": inference_id},
            "output_location": output.url if output else None,
            "failure_location": failure.url if failure else None,
            "trace_id": request.trace_id,
            # As they are now: an update in the meantime changes neither where a result goes nor who is told.
            "output_config": config["OutputConfig"],
            "variant": variant.name,
            "role_arn": variant.model["ExecutionRoleArn"],
        }
        self._queue.put(endpoint, document, request.body)
        self._ensure_pump(endpoint)
        headers = {"content-type": "application/json", "x-amzn-requestid": request.request_id}
        if output:
            headers["x-amzn-sagemaker-outputlocation"] = output.url
        if failure:
            headers["x-amzn-sagemaker-failurelocation"] = failure.url
        return Response(202, json.dumps({"InferenceId": inference_id}).encode(), headers)

    def _created(self, caller: Caller, name: str) -> float | None:
        document = self._store.get(ENDPOINT_KIND, caller, key_of(name))
        return float(document["CreationTime"]) if document and document["EndpointName"] == name else None

    def _ensure_pump(self, endpoint: EndpointKey) -> None:
        if endpoint not in self._pumps:
            self._wake[endpoint] = asyncio.Event()
            self._pumps[endpoint] = asyncio.create_task(self._pump(endpoint))
        self._wake[endpoint].set()

    async def _pump(self, endpoint: EndpointKey) -> None:
        """Give an endpoint's requests to its containers until none is left."""
        running: set[asyncio.Task[bool]] = set()
        try:
            while self._queue.waiting(endpoint) or running:
                try:
                    await self._turn(endpoint, running)
                except Exception:
                    logger.exception("%s: its queue is in trouble", endpoint.name)
                    await asyncio.sleep(_TURN_SECONDS)
            self._report(endpoint, None, 0)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            del self._pumps[endpoint], self._wake[endpoint]
            self._queue.forget_empty(endpoint)

    async def _turn(self, endpoint: EndpointKey, running: set[asyncio.Task[bool]]) -> None:
        waiting, wake = self._queue.waiting(endpoint), self._wake[endpoint]
        wake.clear()
        if self._created(endpoint.caller, endpoint.name) != endpoint.created:
            self._queue.drop(endpoint)
            waiting.clear()
            for task in running:
                task.cancel()
        live = self._manager.find(endpoint.caller, endpoint.name)
        room = _room(live) - len(running)
        now = time.time()
        while waiting and (waiting[0].is_expired(now) or room > 0):
            entry = waiting.popleft()
            if not entry.is_expired(now):
                room -= 1
            running.add(asyncio.create_task(self._worker.run(self._queue, endpoint, entry, live)))
        self._report(endpoint, live, len(waiting))
        woken = asyncio.create_task(wake.wait())
        try:
            await asyncio.wait({woken, *running}, timeout=_TURN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        finished = {task for task in running if task.done()}
        running -= finished
        if any(not task.cancelled() and task.exception() is None and not task.result() for task in finished):
            await asyncio.sleep(_TURN_SECONDS)  # the endpoint has no room after all; the request waits again

    def _report(self, endpoint: EndpointKey, live: LiveEndpoint | None, backlog: int) -> None:
        waiting = self._queue.waiting(endpoint)
        instances = _instances(live)
        for name, value, unit in backlog_measurements(backlog, waiting[0].received if waiting else None, instances):
            self._metrics.endpoint(endpoint.caller, endpoint.name, name, value, unit)


def backlog_measurements(backlog: int, oldest: float | None, instances: int) -> list[tuple[str, float, str]]:
    """What is told of a queue. oldest: when its first request came, seconds since 1970. Pure but for the clock."""
    return [
        ("ApproximateBacklogSize", backlog, "Count"),
        ("ApproximateBacklogSizePerInstance", backlog / max(instances, 1), "Count"),
        ("ApproximateAgeOfOldestRequest", max(time.time() - oldest, 0.0) if oldest else 0.0, "Seconds"),
        ("HasBacklogWithoutCapacity", int(backlog > 0 and instances == 0), "Count"),
    ]


def _instances(live: LiveEndpoint | None) -> int:
    return sum(instances_of(live, variant.name) for variant in live.deployment.variants) if live else 0


def _room(live: LiveEndpoint | None) -> int:
    """How many requests an endpoint works on at a time."""
    config = async_config(live) if live else None
    if config is None:
        return 0
    per_instance = (config.get("ClientConfig") or {}).get("MaxConcurrentInvocationsPerInstance")
    return _instances(live) * int(per_instance or ASYNC_CONCURRENCY_PER_INSTANCE)
