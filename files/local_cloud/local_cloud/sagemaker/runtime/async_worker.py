# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes one asynchronous request from its input in S3 through a container to its result in S3, and tells SNS."""

from __future__ import annotations

import json
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from ...aws.caller import Caller
from ...aws.errors import AwsError
from ...containers.container_client import Answer
from ...containers.launcher import log_group
from ...containers.log_stream import LogStream
from ...iam.execution_role import ExecutionRole
from ...ministack_backend import Ministack
from ...store import Document
from .. import dispatch
from ..live_endpoint import LiveEndpoint
from .async_queue import AsyncQueue, EndpointKey, Entry
from .async_result import Outcome, notification, topic_of
from .errors import described, lost
from .exchange import Exchange
from .invoke import note_answer, note_failure
from .latest import LatestRequests
from .limits import ASYNC_INVOCATION_SECONDS, ASYNC_PAYLOAD_BYTES
from .metrics import EndpointMetrics
from .requests import RuntimeRequest
from .roles import ExecutionRoles
from .s3 import S3, parse_location

_OPEN_LOGS = 64
_TEXT = "text/plain; charset=utf-8"

logger = logging.getLogger("local_cloud.async_inference")


class NoRoom(Exception):
    """The endpoint has no container for the request at the moment."""


@dataclass
class _Work:
    """A request that is worked on. body: what came inline."""

    document: Document
    body: bytes
    role: ExecutionRole
    entry: Entry
    endpoint: EndpointKey

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.endpoint.caller, self.endpoint.name, "async-run", len(self.body))


class AsyncWorker:
    """Runs asynchronous requests."""

    def __init__(
        self, ministack: Ministack, s3: S3, roles: ExecutionRoles, metrics: EndpointMetrics, latest: LatestRequests
    ) -> None:
        self._ministack = ministack
        self._s3 = s3
        self._roles = roles
        self._metrics = metrics
        self._latest = latest
        self._logs: OrderedDict[tuple[EndpointKey, str], LogStream] = OrderedDict()

    async def close(self) -> None:
        """Ship what is left of the data logs."""
        for log in self._logs.values():
            await log.close()

    async def run(self, queue: AsyncQueue, endpoint: EndpointKey, entry: Entry, live: LiveEndpoint | None) -> bool:
        """Work on one request. False: the endpoint had no room and the request is back in the queue."""
        found = queue.read(endpoint, entry)
        if found is None:
            return True
        work = _Work(*found, self._roles.named(found[0]["role_arn"], endpoint.caller), entry, endpoint)
        try:
            outcome = await self._outcome(work, live)
        except NoRoom:
            queue.waiting(endpoint).appendleft(entry)
            return False
        except Exception as error:
            logger.exception("%s: request %s failed", endpoint.name, work.document["inference_id"])
            outcome = failed(f"InternalServerError: {error}")
        try:
            outcome = await self._write(work, outcome)
            await self._notify(work, outcome)
        except Exception:
            # It stays on disk, so the next cloud tries again; here it would fail again at once.
            logger.exception("%s: the result of %s was not written", endpoint.name, work.document["inference_id"])
            return True
        queue.remove(endpoint, entry)
        self._finish(work, outcome)
        return True

    async def _outcome(self, work: _Work, live: LiveEndpoint | None) -> Outcome:
        if work.entry.is_expired(time.time()):
            self._add(work, "ExpiredRequests", 1, "Count")
            return failed(f"ClientError: The request expired: it waited for more than {work.entry.ttl:.0f} seconds.")
        if live is None:
            raise NoRoom
        self._add(work, "TimeInBacklog", (work.exchange.arrived - work.entry.received) * 1000, "Milliseconds")
        body = work.body
        if location := work.document["parameters"].get("InputLocation"):
            downloaded = await self._download(work, location)
            if isinstance(downloaded, Outcome):
                return downloaded
            body = downloaded
        work.exchange.bytes_in = len(body)
        return await self._ask(work, body, live)

    async def _download(self, work: _Work, location: str) -> bytes | Outcome:
        started = time.perf_counter()
        place = parse_location(location)
        try:
            if place is None:
                raise AwsError("S3", f"{location} is not an S3 URL")
            content = await self._s3.get(work.endpoint.caller, work.role, place)
        except AwsError as error:
            self._add(work, "RequestDownloadFailures", 1, "Count")
            return failed(f"ClientError: The input could not be downloaded: {error}.")
        self._add(work, "RequestDownloadLatency", (time.perf_counter() - started) * 1e6, "Microseconds")
        if len(content) > ASYNC_PAYLOAD_BYTES:
            return failed(f"ClientError: The input of {len(content)} bytes exceeds {ASYNC_PAYLOAD_BYTES} bytes.")
        return content

    async def _ask(self, work: _Work, body: bytes, live: LiveEndpoint) -> Outcome:
        parameters, exchange = work.document["parameters"], work.exchange
        request = RuntimeRequest("InvokeEndpointAsync", exchange.caller, parameters, body, work.document["trace_id"])
        seconds = float(parameters.get("InvocationTimeoutSeconds", ASYNC_INVOCATION_SECONDS))
        try:
            dispatched = await dispatch.send(live, None, request.container_headers(), body, seconds)
        except dispatch.ContainerFailed as error:
            note_failure(exchange, live, error)
            self._metrics.processed(exchange)
            return failed(lost(error))
        except AwsError as error:
            raise NoRoom(error.code) from error
        note_answer(exchange, live, dispatched)
        self._metrics.processed(exchange)
        return outcome_of(dispatched.answer)

    async def _write(self, work: _Work, outcome: Outcome) -> Outcome:
        place = work.document["output_location"] if outcome.failure is None else work.document["failure_location"]
        location = parse_location(place) if place else None
        if location is None:
            return outcome
        started = time.perf_counter()
        try:
            await self._s3.put(work.endpoint.caller, work.role, location, outcome.body, outcome.content_type)
        except AwsError as error:
            self._add(work, "ResponseUploadFailures", 1, "Count")
            return outcome if outcome.failure else failed(f"ClientError: The output could not be uploaded: {error}.")
        work.exchange.bytes_out = len(outcome.body)
        self._add(work, "ResponseUploadLatency", (time.perf_counter() - started) * 1e6, "Microseconds")
        return outcome

    async def _notify(self, work: _Work, outcome: Outcome) -> None:
        topic, include_response = topic_of(work.document["output_config"], outcome)
        if topic is None:
            return
        caller = work.endpoint.caller
        message = notification(work.document, caller.region, outcome, time.time(), include_response)
        form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic, "Message": json.dumps(message)}
        allowed = work.role.allows("sns:Publish", topic)
        status = await self._publish(caller, form) if allowed else 403
        if status != 200:
            logger.warning("%s: %s took no notification (HTTP %d)", work.endpoint.name, topic, status)
            self._add(work, "NotificationFailures", 1, "Count")

    async def _publish(self, caller: Caller, form: dict[str, str]) -> int:
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode(form).encode()
        return (await self._ministack.request(caller, "sns", "POST", "/", headers=headers, body=body)).status

    def _finish(self, work: _Work, outcome: Outcome) -> None:
        exchange = work.exchange
        self._add(work, "TotalProcessingTime", (time.time() - work.entry.received) * 1000, "Milliseconds")
        self._add(work, "InvocationsProcessed", int(exchange.model_ms is not None), "Count")
        self._add(work, "InvocationFailures", int(outcome.failure is not None), "Count")
        self._latest.add(exchange.summary(exchange.model_status, "Failed" if outcome.failure else None))
        self._data_log(work, outcome)

    def _data_log(self, work: _Work, outcome: Outcome) -> None:
        """SageMaker's own log of an asynchronous request, beside the container's."""
        exchange, endpoint = work.exchange, work.endpoint
        if exchange.container_id is None:
            return
        stream = f"{work.document['variant']}/{exchange.container_id}/data-log"
        if not work.role.may_write_log(endpoint.caller.account, log_group(endpoint.name), stream):
            return
        log = self._logs.get((endpoint, stream))
        if log is None:
            log = LogStream(self._ministack, endpoint.caller, log_group(endpoint.name), stream)
            self._logs[endpoint, stream] = log
            if len(self._logs) > _OPEN_LOGS:
                self._logs.popitem(last=False)
        # The form of a line: developer guide issue #203.
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = outcome.failure or f"Inference request succeeded. {work.document['output_location'] or ''}"
        log.add(f"{now}:[sagemaker logs] [{work.document['inference_id']}] {text}".rstrip())

    def _add(self, work: _Work, name: str, value: float, unit: str) -> None:
        self._metrics.variant(work.endpoint.caller, work.endpoint.name, work.document["variant"], name, value, unit)


def failed(reason: str) -> Outcome:
    """A failure that no container's answer stands for."""
    return Outcome(reason, reason.encode(), _TEXT)


def outcome_of(answer: Answer) -> Outcome:
    """What a container's answer makes of a request. Pure."""
    content_type = answer.headers.get("content-type", "application/octet-stream")
    if answer.status // 100 != 2:
        return Outcome(described(answer.status, answer.body.decode(errors="replace")), answer.body, content_type)
    if "content-length" not in answer.headers:  # deepjavalibrary/djl-serving #2567
        return failed("The response from container primary did not specify the required Content-Length header")
    return Outcome(None, answer.body, content_type)
