# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers reads with what they answered before a write, as a service does that is consistent only in the end."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlencode
from weakref import WeakKeyDictionary

from ..aws.caller import Caller
from ..aws.error_response import Protocol
from ..call_identity import Call, Resource, digest_of
from ..exchange import Captured, Exchange, Perform, Request, giving
from ..operation_names import Operation
from .book import Armed
from .plan import subject_of
from .sagemaker_reader import DESCRIBES, SageMakerReader
from .stale_memory import Memory, Stale

# In the codes with which services say that a thing is not there; SageMaker's is a ValidationException.
_NOT_THERE = ("notfound", "nosuch", "doesnotexist", "404", "validationexception")


class StaleReads:
    """The work of a call that stale_reads faults cover."""

    def __init__(self, sagemaker: SageMakerReader) -> None:
        self._sagemaker = sagemaker
        # Each fault has its own: what was written before a fault was armed has left no trace in its memory.
        self._memories: WeakKeyDictionary[Armed, Memory] = WeakKeyDictionary()

    async def work(self, call: Call, exchange: Exchange, perform: Perform, covering: Sequence[Armed]) -> Captured:
        """Do the work of a read or a write, or answer it from memory. covering: the faults, at least one."""
        if call.name.access == "read":
            for armed in covering:
                stale = self._memory(armed).stale(call, time.monotonic(), armed.fault.seconds or 0)
                answer = await self._as_it_was(stale, call, perform) if stale else None
                if answer is not None and armed.meet(subject_of(call)):
                    exchange.struck.append(armed.fault.id)
                    return answer
        else:
            unseen = self._unseen(call, exchange, covering)
            if unseen is not None:
                return unseen
            await self._read_before(call, covering)
        answer, began = Captured(), time.monotonic()
        await perform(call.request, exchange.receive, answer.send)
        ended = time.monotonic()
        for armed in covering:
            if call.name.access == "read":
                self._memory(armed).answered(call, answer, began, ended)
            elif answer.status < 400:
                self._memory(armed).wrote(call, began, ended)
        return answer

    def _memory(self, armed: Armed) -> Memory:
        return self._memories.setdefault(armed, Memory())

    def _unseen(self, call: Call, exchange: Exchange, covering: Sequence[Armed]) -> Captured | None:
        """What a write answers that names something which was not there yet: CreateEndpoint, of a fresh config."""
        subject = subject_of(call)
        for armed in covering:
            if not armed.fault.where.covers(subject):
                continue
            for resource in call.resources[1:]:
                read = _description(call, resource)
                stale = read and self._memory(armed).stale(read, time.monotonic(), armed.fault.seconds or 0)
                if stale and stale.answer and stale.answer.status >= 400 and armed.meet(subject):
                    exchange.struck.append(armed.fault.id)
                    return stale.answer
        return None

    async def _read_before(self, call: Call, covering: Sequence[Armed]) -> None:
        """SageMaker's own descriptions are remembered before a write, even if nobody has asked for them."""
        resource = call.primary
        read = _description(call, resource) if resource else None
        if resource is None or read is None:
            return
        began = time.monotonic()
        response = await self._sagemaker.answer(Caller(call.account, call.region), resource.kind, resource.name)
        for armed in covering:
            self._memory(armed).answered(read, Captured(response), began, time.monotonic())

    async def _as_it_was(self, stale: Stale, call: Call, perform: Perform) -> Captured | None:
        """The old answer; for what was not there, what the service says of a name that nobody ever gave."""
        if stale.answer is not None or not stale.is_unborn or call.primary is None:
            return stale.answer
        name, unheard_of = call.primary.name, f"x{secrets.token_hex(6)}"
        asked = renamed(call, name, unheard_of)
        if asked is None:
            return None
        request, body = asked
        answer = Captured()
        await perform(request, giving(body), answer.send)
        code = (answer.code() or "").lower()
        if not any(word in code for word in _NOT_THERE):
            return None
        return answer.replaced(unheard_of.encode(), name.encode())


def _description(call: Call, resource: Resource) -> Call | None:
    """The call that describes one of SageMaker's resources, by the same caller; None for other things."""
    if call.name.service != "sagemaker" or resource.kind not in DESCRIBES:
        return None
    operation, parameter = DESCRIBES[resource.kind]
    parameters = {parameter: resource.name}
    name = Operation("sagemaker", operation, "read")
    return replace(call, name=name, resources=(resource,), parameters=parameters, digest=digest_of(parameters))


def renamed(call: Call, name: str, other: str) -> tuple[Request, bytes] | None:
    """The same call for another resource, with its body; None where the name is not to be found in it. Pure."""
    request, body = call.request, call.buffered or b""
    path = re.sub(rf"(?<=[/:]){re.escape(quote(name, safe=''))}(?=[/:]|$)", other, request.raw_path)
    if call.protocol in (Protocol.QUERY, Protocol.EC2):
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
        body = urlencode([(key, other if value == name else value) for key, value in pairs]).encode()
    elif body:
        body = body.replace(json.dumps(name).encode(), json.dumps(other).encode())
        body = body.replace(f'/{name}"'.encode(), f'/{other}"'.encode())
    if path == request.raw_path and other.encode() not in body:
        return None
    return request.about(path, request.query, len(body)), body
