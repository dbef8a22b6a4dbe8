# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's runtime: InvokeEndpoint, handed to a container and back."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..aws.json_protocol import Response
from ..containers.container_client import Answer, Broken, TimedOut, Unreachable
from ..containers.fleet import Container
from ..containers.launcher import log_group
from .deployment import Variant
from .endpoint_manager import EndpointManager, LiveEndpoint

PATH = re.compile(r"/endpoints/(?P<name>[^/]+)/(?P<action>invocations|async-invocations|invocations-response-stream)")
REALTIME_PAYLOAD_BYTES = 6 * 1024 * 1024
SERVERLESS_PAYLOAD_BYTES = 4 * 1024 * 1024
INVOCATION_SECONDS = 60.0
# How long a request waits for a container where there is none at the moment, while one is being replaced.
PATIENCE_SECONDS = 30.0
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")

# What the caller's headers are called on their way to the container.
_PASSED_ON = (
    "content-type",
    "accept",
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-inference-id",
    "x-amzn-sagemaker-target-model",
    "x-amzn-sagemaker-session-id",
    "x-amzn-trace-id",
)


@dataclass(frozen=True)
class Invocation:
    """An InvokeEndpoint call. headers: names in lower case."""

    caller: Caller
    endpoint_name: str
    headers: Mapping[str, str]
    body: bytes


class SageMakerRuntime:
    """Answers InvokeEndpoint."""

    def __init__(self, manager: EndpointManager) -> None:
        self._manager = manager
        # Requests that a serverless variant is answering, by endpoint and variant. It outlives an update, as the
        # limit does.
        self._concurrent: Counter[tuple[Caller, str, str]] = Counter()

    async def handle(self, caller: Caller, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Answer a request of the runtime's REST protocol."""
        request_id = str(uuid.uuid4())
        match = PATH.fullmatch(path)
        try:
            if match is None or match["action"] != "invocations":
                raise AwsError("UnknownOperationException", f"The local cloud does not serve {path} yet.", 404)
            invocation = Invocation(caller, unquote(match["name"]), headers, body)
            return await self._invoke(invocation, request_id)
        except AwsError as error:
            return runtime_failure(error, request_id)

    async def _invoke(self, invocation: Invocation, request_id: str) -> Response:
        name = invocation.endpoint_name
        if len(name) > 63 or not _NAME.fullmatch(name):
            raise AwsError(
                "ValidationError",
                f"1 validation error detected: Value '{name}' at 'endpointName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*",
            )
        live = self._manager.find(invocation.caller, name)
        if live is None:
            raise AwsError("ValidationError", f"Endpoint {name} of account {invocation.caller.account} not found.")
        try:
            await asyncio.wait_for(live.ready.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            raise _unavailable() from None
        target = invocation.headers.get("x-amzn-sagemaker-target-variant")
        variant = live.running.choose_variant(target)
        if variant is None:
            raise AwsError("ValidationError", f"Variant {target} not found for endpoint {name}.")
        _check_payload(variant, len(invocation.body), request_id)
        if variant.serverless is None:
            return _response(await self._send(live, variant, invocation), variant, request_id)
        key = (invocation.caller, name, variant.name)
        if self._concurrent[key] >= variant.serverless["MaxConcurrency"]:
            raise AwsError("ThrottlingException", "Rate exceeded", 429)
        self._concurrent[key] += 1
        try:
            return _response(await self._send(live, variant, invocation), variant, request_id)
        finally:
            self._concurrent[key] -= 1

    async def _send(self, live: LiveEndpoint, variant: Variant, invocation: Invocation) -> Answer:
        headers = [(name, invocation.headers[name]) for name in _PASSED_ON if name in invocation.headers]
        while True:
            # Asked again each time round: an update may have put another fleet in front meanwhile.
            fleet = live.running.fleets.get(variant.name)
            container = await fleet.pick(PATIENCE_SECONDS) if fleet else None
            if fleet is None or container is None:
                raise _unavailable()
            container.in_flight += 1
            try:
                answer = await container.client.invoke(headers, invocation.body, INVOCATION_SECONDS)
            except Unreachable:
                fleet.suspect(container)  # it never saw the request, so another container may have it
                continue
            except TimedOut:
                raise _model_error(
                    invocation,
                    variant,
                    container,
                    0,
                    "",
                    'Received server error (0) from primary with message "Your invocation timed out while waiting '
                    "for a response from container primary. Review the latency metrics for each container in Amazon "
                    'CloudWatch, resolve the issue, and try again."',
                ) from None
            except Broken as error:
                raise _model_error(
                    invocation,
                    variant,
                    container,
                    0,
                    str(error),
                    'Received server error (0) from primary with message "The connection to the container was lost '
                    'while it was answering."',
                ) from error
            finally:
                container.in_flight -= 1
            if answer.status // 100 != 2:
                kind = "client" if answer.status // 100 == 4 else "server"
                text = answer.body.decode(errors="replace")
                raise _model_error(
                    invocation,
                    variant,
                    container,
                    answer.status,
                    text,
                    f'Received {kind} error ({answer.status}) from primary with message "{text}".',
                )
            return answer


def runtime_failure(error: AwsError, request_id: str) -> Response:
    """A refusal in the runtime's REST protocol. An error without a code is told by its status alone."""
    body = json.dumps({"message": error.message, "Message": error.message, **error.fields}).encode()
    headers = {"content-type": "application/json", "x-amzn-requestid": request_id}
    if error.code:
        headers["x-amzn-errortype"] = error.code
    return Response(error.status, body, headers)


def _unavailable() -> AwsError:
    return AwsError("ServiceUnavailable", "The service is currently unavailable.", 503)


def _check_payload(variant: Variant, size: int, request_id: str) -> None:
    if variant.serverless is not None:
        if size > SERVERLESS_PAYLOAD_BYTES:  # aws/sagemaker-python-sdk #4271
            raise AwsError("ValidationError", f"Request {request_id} has oversize body.")
    elif size > REALTIME_PAYLOAD_BYTES:  # aws/sagemaker-python-sdk #171
        raise AwsError("", f"HTTP content length exceeded {REALTIME_PAYLOAD_BYTES} bytes.", 413)


def _response(answer: Answer, variant: Variant, request_id: str) -> Response:
    headers = {
        "content-type": answer.headers.get("content-type", "application/octet-stream"),
        "x-amzn-invoked-production-variant": variant.name,
        "x-amzn-requestid": request_id,
    }
    if attributes := answer.headers.get("x-amzn-sagemaker-custom-attributes"):
        headers["x-amzn-sagemaker-custom-attributes"] = attributes
    return Response(200, answer.body, headers)


def _model_error(
    invocation: Invocation, variant: Variant, container: Container, status: int, original: str, message: str
) -> AwsError:
    caller, group = invocation.caller, log_group(invocation.endpoint_name)
    console = (
        f"https://{caller.region}.console.aws.amazon.com/cloudwatch/home?region={caller.region}"
        f"#logEventViewer:group={group}"
    )
    return AwsError(
        "ModelError",
        f"{message} See {console} in account {caller.account} for more information.",
        424,
        OriginalStatusCode=status,
        OriginalMessage=original,
        LogStreamArn=caller.arn("logs", f"log-group:{group}:log-stream:{variant.name}/{container.container_id}"),
    )
