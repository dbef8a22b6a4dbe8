# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a request to a container of an endpoint: which variant, which fleet, which container, and once more elsewhere.

What the request and its answer look like to the caller is the runtime's business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ..aws.errors import AwsError
from ..containers.container import Container, StartupFailed
from ..containers.container_client import Answer, Broken, Headers, TimedOut, Unreachable
from ..containers.fleet import Fleet
from .deployment import Variant
from .live_endpoint import LiveEndpoint
from .shadow import mirror

# How long a request waits for a container where there is none at the moment, while one is being replaced.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Dispatched:
    """An answered request. answer: whatever status it has.

    container_ms: from sending it to the answer's last byte. overhead_ms: what went before, and in that cold_start_ms:
    the waiting for a container that was started for it.
    """

    answer: Answer
    variant: Variant
    container_id: str
    container_ms: float
    overhead_ms: float
    cold_start_ms: float = 0.0


@dataclass(frozen=True)
class Streamed:
    """A request whose answer is coming. chunks: raise Broken or TimedOut where the container does not finish."""

    status: int
    headers: dict[str, str]
    chunks: AsyncIterator[bytes]
    variant: Variant
    container_id: str
    cold_start_ms: float = 0.0


class ContainerFailed(Exception):
    """A container took the request and did not answer it. kind: "timeout" or "broken"; text: what broke."""

    def __init__(self, kind: str, variant: Variant, container_id: str, text: str) -> None:
        super().__init__(f"{container_id}: {kind}: {text}")
        self.kind = kind
        self.variant = variant
        self.container_id = container_id
        self.text = text


async def send(
    live: LiveEndpoint,
    target_variant: str | None,
    headers: Headers,
    body: bytes,
    timeout: float,
    *,
    prefer: str | None = None,
) -> Dispatched:
    """Have one container answer a request. timeout: the container's seconds to answer.

    prefer: the id of a container that shall have it where it can. Raises AwsError where no container is behind the
    refusal (unknown variant, throttled, unavailable), and ContainerFailed.
    """
    async with _place(live, target_variant, prefer) as place:
        mirror(live, headers, body, timeout)
        while True:
            container = await place.next_container()
            sent = time.monotonic()
            try:
                answer = await container.client.invoke(headers, body, timeout)
            except Unreachable:
                continue  # it never saw the request, so another container may have it
            except (TimedOut, Broken) as error:
                raise _failed(place.variant, container, error) from error
            return Dispatched(
                answer,
                place.variant,
                container.container_id,
                container_ms=(time.monotonic() - sent) * 1000,
                overhead_ms=(sent - place.arrived) * 1000,
                cold_start_ms=place.cold_start_ms,
            )


@asynccontextmanager
async def stream(
    live: LiveEndpoint,
    target_variant: str | None,
    headers: Headers,
    body: bytes,
    timeout: float,
    *,
    prefer: str | None = None,
) -> AsyncIterator[Streamed]:
    """The same for an answer in pieces. timeout: seconds until its last piece. Leave the context when it is read."""
    async with _place(live, target_variant, prefer) as place, AsyncExitStack() as stack:
        mirror(live, headers, body, timeout)
        while True:
            container = await place.next_container()
            try:
                answer = await stack.enter_async_context(container.client.invoke_stream(headers, body, timeout))
            except Unreachable:
                continue
            except (TimedOut, Broken) as error:
                raise _failed(place.variant, container, error) from error
            yield Streamed(
                answer.status,
                answer.headers,
                answer.chunks,
                place.variant,
                container.container_id,
                cold_start_ms=place.cold_start_ms,
            )
            return


@dataclass
class _Place:
    """A request's way to its containers: the last one is given back when the next is asked for, and at the end.

    arrived: monotonic seconds.
    """

    live: LiveEndpoint
    target: str | None
    prefer: str | None
    variant: Variant
    fleet: Fleet
    arrived: float
    cold_start_ms: float = 0.0
    container: Container | None = None

    async def next_container(self) -> Container:
        """The container to try. Raises AwsError where there is none in time."""
        if self.container is not None:
            self.fleet.suspect(self.container)
        self.give_back()
        while True:
            left = self.arrived + PATIENCE_SECONDS - time.monotonic()
            try:
                self.container = await self.fleet.acquire(max(0.0, left), self.prefer)
            except StartupFailed:
                raise _not_ready() from None
            if self.container is not None:
                if self.container.started > self.arrived:
                    self.cold_start_ms = (time.monotonic() - self.arrived) * 1000
                return self.container
            if time.monotonic() >= self.arrived + PATIENCE_SECONDS:
                raise _not_ready() if self.variant.serverless else _unavailable()
            # The fleet was stopped meanwhile: an update has put another one in its place, or is about to.
            await asyncio.sleep(0.01)
            self.variant, self.fleet = _route(self.live, self.target)

    def give_back(self) -> None:
        if self.container is not None:
            self.fleet.release(self.container)
            self.container = None


@asynccontextmanager
async def _place(live: LiveEndpoint, target: str | None, prefer: str | None) -> AsyncIterator[_Place]:
    """Hold one of a serverless variant's MaxConcurrency places. Raises ThrottlingException where all are taken."""
    arrived = time.monotonic()
    if not live.ready.is_set():
        try:
            await asyncio.wait_for(live.ready.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            raise _unavailable() from None
    variant, fleet = _route(live, target)
    name = variant.name
    if variant.serverless and live.concurrent[name] >= variant.serverless["MaxConcurrency"]:
        raise AwsError("ThrottlingException", "Rate exceeded", 429)
    live.concurrent[name] += 1
    place = _Place(live, target, prefer, variant, fleet, arrived)
    try:
        yield place
    finally:
        live.concurrent[name] -= 1
        place.give_back()


def _route(live: LiveEndpoint, target: str | None) -> tuple[Variant, Fleet]:
    if not live.answering:  # deleted, or taken out of service, while the request waited
        raise AwsError("ValidationError", f"Endpoint {live.name} of account {live.caller.account} not found.")
    route = live.route(target)
    if route is None:
        raise AwsError("ValidationError", f"Variant {target} not found for endpoint {live.name}.")
    return route


def _failed(variant: Variant, container: Container, error: TimedOut | Broken) -> ContainerFailed:
    kind = "timeout" if isinstance(error, TimedOut) else "broken"
    return ContainerFailed(kind, variant, container.container_id, str(error))


def _unavailable() -> AwsError:
    return AwsError("ServiceUnavailable", "The service is currently unavailable.", 503)


def _not_ready() -> AwsError:
    # InvokeEndpoint's reference page, ModelNotReadyException.
    return AwsError(
        "ModelNotReadyException",
        "Either a serverless endpoint variant's resources are still being provisioned, or a multi-model endpoint is "
        "still downloading or loading the target model. Wait and try again.",
        429,
    )
