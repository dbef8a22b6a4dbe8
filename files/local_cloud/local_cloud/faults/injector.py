# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the armed faults strike a call, around the work that answers it."""

from __future__ import annotations

import logging
import time

from ..aws.caller import Caller
from ..aws.error_response import error_response, throttled
from ..aws.errors import AwsError
from ..call_identity import Call
from ..exchange import Captured, Exchange, Perform, send_response
from .book import Armed, FaultBook
from .fault import Fault
from .plan import Plan, plan, role_of, role_refusal, subject_of
from .sagemaker_reader import SageMakerReader
from .stale_reads import StaleReads

logger = logging.getLogger("local_cloud.faults")


class FaultInjector:
    """Faults of calls: one of it for the whole cloud."""

    def __init__(self, book: FaultBook, sagemaker: SageMakerReader) -> None:
        self._book = book
        self._sagemaker = sagemaker
        self._stale_reads = StaleReads(sagemaker)

    async def around(self, call: Call, exchange: Exchange, perform: Perform) -> None:
        """Answer a call, or do to it what the faults say."""
        if not self._book:
            await perform(call.request, exchange.receive, exchange.send)
            return
        covering = self._book.covering(subject_of(call))
        made = plan(call, covering, time.monotonic())
        for armed in (*made.delays, *([made.end] if made.end else [])):
            self._note(exchange, call, armed)
        for armed in made.delays:
            if not armed.fault.after_work:
                await exchange.wait(armed.fault.seconds, armed.removed)
        if made.end and not made.end.fault.after_work and made.end.fault.kind != "cut_answer":
            await self._end(call, exchange, made.end)
            return
        stale = [armed for armed in covering if armed.fault.kind == "stale_reads"]
        if stale and call.name.access != "data":
            answer = await self._stale_reads.work(call, exchange, perform, stale)
        elif made.touches_answer:
            answer = Captured()
            await perform(call.request, exchange.receive, answer.send)
        else:
            await perform(call.request, exchange.receive, exchange.send)
            return
        await self._answer(call, exchange, made, answer)

    async def _answer(self, call: Call, exchange: Exchange, made: Plan, answer: Captured) -> None:
        for armed in made.delays:
            if armed.fault.after_work:
                await exchange.wait(armed.fault.seconds, armed.removed)
        if made.end is None:
            await answer.send_on(exchange.send)
        elif made.end.fault.kind != "cut_answer":
            await self._end(call, exchange, made.end)
        else:
            if answer.body and call.request.method != "HEAD":
                await answer.send_on(exchange.send, upto=len(answer.body) // 2)
            await exchange.close()

    async def _end(self, call: Call, exchange: Exchange, armed: Armed) -> None:
        """Give the call the end that the fault has for it, instead of an answer."""
        fault = armed.fault
        if fault.kind == "drop":
            await exchange.close()
        elif fault.kind == "hold":
            await exchange.wait(None, armed.removed)
            await exchange.close()
        else:
            error = await self._error(call, fault)
            response = error_response(call.protocol, error, call.service, call.request.method)
            if call.buffered is None and not fault.after_work:
                if "expect" in call.request.headers:
                    # The client keeps its body to itself after this answer, and the connection is of no more use.
                    response.headers["connection"] = "close"
                else:
                    await exchange.drain()
            await send_response(exchange.send, response)

    async def _error(self, call: Call, fault: Fault) -> AwsError:
        if fault.kind == "role_not_assumable":
            error = role_refusal(call, role_of(call) or await self._role_of_endpoint(call))
        elif fault.kind == "throttle":
            error = throttled(call.service, call.protocol)
        else:
            code = fault.code or "InternalFailure"
            error = AwsError(code, f"{code}: a fault of the local cloud ({fault.id}).", fault.status or 500)
        return AwsError(fault.code or error.code, fault.message or error.message, fault.status or error.status)

    async def _role_of_endpoint(self, call: Call) -> str:
        """The role of the model behind a CreateEndpoint, which names only a config."""
        caller = Caller(call.account, call.region)
        config = await self._sagemaker.read(caller, "endpointconfig", str(call.parameters.get("EndpointConfigName")))
        variants = config.get("ProductionVariants", [{}])
        model = await self._sagemaker.read(caller, "model", str(variants[0].get("ModelName")))
        return str(model.get("ExecutionRoleArn", "of the endpoint's model"))

    def _note(self, exchange: Exchange, call: Call, armed: Armed) -> None:
        exchange.struck.append(armed.fault.id)
        logger.info("fault %s strikes %s %s", armed.fault.id, call.name.service, call.name.operation)
