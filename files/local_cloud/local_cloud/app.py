# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: decides whose a request is, and writes every answered call to the call log."""

from __future__ import annotations

import asyncio
import logging
import time

from . import admin, status_page
from .aws.caller import Caller
from .aws.error_response import EXECUTE_API_PREFIX, Protocol, error_response, protocol_of
from .aws.errors import AwsError
from .aws.json_protocol import Response
from .aws.streaming import StreamingResponse, send_streaming
from .call_identity import Call, has_small_body, identify
from .cloud import Cloud
from .exchange import AsgiMessage, Exchange, Receive, Request, Send, read_body, send_response
from .faults.injector import FaultInjector
from .faults.sagemaker_reader import SageMakerReader
from .routing import AUTOSCALING_TARGET, CODEBUILD_TARGET, ECR_TARGET, SAGEMAKER_TARGET, Destination, route
from .settings import DEFAULT_ACCOUNT, DEFAULT_REGION

logger = logging.getLogger("local_cloud.app")


class LocalCloudApp:
    """One port for all of it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._faults = FaultInjector(cloud.faults, SageMakerReader(cloud.sagemaker.handle))

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        request = Request.of(scope)
        method, path, query, headers = request.method, request.path, request.query, request.headers
        if status_page.is_for_page(method, path, query, headers):
            await send_response(send, await status_page.answer(self._cloud, method, path, query, headers))
        elif path.startswith(admin.PREFIX):
            await send_response(send, await admin.answer(self._cloud, request, receive))
        else:
            await self._call(request, Exchange(scope, receive, send))

    async def _call(self, request: Request, exchange: Exchange) -> None:
        call: Call | None = None
        try:
            body = await exchange.read_ahead() if has_small_body(request) else None
            call = identify(request, *self._signer(request), body)
            await self._faults.around(call, exchange, self._perform)
        except Exception:
            await self._fail(request, exchange)
        finally:
            if call is not None:
                self._log(call, exchange)

    async def _perform(self, request: Request, receive: Receive, send: Send) -> None:
        """Have a request answered by whoever it is for."""
        signed, scope, path = request.signed, request.scope, request.path
        target = request.headers.get("x-amz-target", "")
        destination = route(path, target, signed.service if signed else None)
        if destination is Destination.ECR_REGISTRY:
            await self._cloud.ecr_registry(scope, receive, send)
            return
        if destination is Destination.MINISTACK:
            receive, refusal = await self._cloud.iam.ministack_refusal(scope, request.headers, signed, receive)
            if refusal is None:
                await self._cloud.ministack.app(scope, receive, send)
            else:
                await send_response(send, refusal)
            return
        if destination is Destination.UNKNOWN:
            service = signed.service if signed else "of that name"
            error = AwsError("UnknownOperationException", f"The local cloud has no service {service}.")
            await send_response(send, _refusal(request, error))
            return
        if signed is None:
            error = AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
            await send_response(send, _refusal(request, error))
            return
        body = await read_body(receive)
        refusal = self._cloud.iam.refusal(scope, request.headers, signed, destination, body)
        if refusal is not None:
            await send_response(send, refusal)
            return
        caller = Caller(self._cloud.account_of(signed.access_key), signed.region)
        # A task of its own: what a client that hangs up interrupts must not be a half-made change.
        answering = asyncio.ensure_future(self._answer(destination, caller, request, target, body))
        try:
            response = await asyncio.shield(answering)
        except asyncio.CancelledError:
            answering.add_done_callback(_close_stream)
            raise
        if isinstance(response, StreamingResponse):
            await send_streaming(response, receive, send)
        else:
            await send_response(send, response)

    async def _answer(
        self, destination: Destination, caller: Caller, request: Request, target: str, body: bytes
    ) -> Response | StreamingResponse:
        if destination is Destination.SAGEMAKER_RUNTIME:
            return await self._cloud.runtime.handle(caller, request.raw_path, request.headers, body, request.method)
        if destination is Destination.SAGEMAKER:
            return await self._cloud.sagemaker.handle(caller, target.removeprefix(SAGEMAKER_TARGET), body)
        if destination is Destination.AUTOSCALING:
            return await self._cloud.autoscaling.handle(caller, target.removeprefix(AUTOSCALING_TARGET), body)
        if destination is Destination.CODEBUILD:
            return await self._cloud.codebuild.handle(caller, target.removeprefix(CODEBUILD_TARGET), body)
        access_key = request.signed.access_key if request.signed else None
        return await self._cloud.ecr.handle(caller, target.removeprefix(ECR_TARGET), body, access_key=access_key)

    def _signer(self, request: Request) -> tuple[str, str, str | None]:
        """The account and region that a request acts in, and the access key that it is made with."""
        if request.signed is not None:
            access_key = request.signed.access_key
            return self._cloud.account_of(access_key), request.signed.region, access_key
        if request.path.startswith(EXECUTE_API_PREFIX):
            api_id = request.path.removeprefix(EXECUTE_API_PREFIX).partition("/")[0]
            return self._cloud.act_for_owner_of_api(api_id) or DEFAULT_ACCOUNT, DEFAULT_REGION, None
        token = self._cloud.ecr_tokens.identify(request.headers)
        if token is not None:
            return token.caller.account, token.caller.region, token.access_key
        return DEFAULT_ACCOUNT, DEFAULT_REGION, None

    async def _fail(self, request: Request, exchange: Exchange) -> None:
        """The answer to a request that the cloud itself broke on."""
        logger.exception("%s %s failed", request.method, request.headers.get("x-amz-target") or request.path)
        if exchange.status:  # too late for another answer
            await exchange.close()
            return
        error = AwsError("InternalFailure", "The local cloud failed; the reason is in its log.", 500)
        await send_response(exchange.send, _refusal(request, error))

    def _log(self, call: Call, exchange: Exchange) -> None:
        primary = call.primary
        self._cloud.calls.add(
            service=call.name.service,
            operation=call.name.operation,
            access=call.name.access,
            status=exchange.status,
            error=exchange.error(),
            access_key=call.access_key,
            ms=(time.perf_counter() - exchange.arrived) * 1000,
            resource=primary.name if primary else None,
            digest=call.digest,
            account=call.account,
            region=call.region,
            caller=self._cloud.iam.caller_arn(call.access_key),
            fault=",".join(exchange.struck) or None,
        )

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


def _refusal(request: Request, error: AwsError) -> Response:
    service = request.signed.service if request.signed else None
    protocol = protocol_of(service, request.path, request.headers, request.query)
    if protocol is Protocol.S3 and service is None:
        protocol = Protocol.REST_JSON  # neither a bucket nor anything else that we know: JSON, for people
    return error_response(protocol, error, service, request.method)


def _close_stream(answering: asyncio.Future[Response | StreamingResponse]) -> None:
    """Let go of a container's stream that nobody waits for any more."""
    if not answering.cancelled() and answering.exception() is None:
        response = answering.result()
        if isinstance(response, StreamingResponse):
            closing = asyncio.ensure_future(response.close())
            closing.add_done_callback(lambda closed: closed.exception())
