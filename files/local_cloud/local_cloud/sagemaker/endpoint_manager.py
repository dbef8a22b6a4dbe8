# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries endpoints through their lives: creates, replaces, rescales and deletes them, and brings them back at start.

The endpoint's document in the store is the truth that DescribeEndpoint shows; it is written before each step, so a
cloud that is stopped or killed in the middle goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from ..aws.caller import Caller
from ..containers.fleet import StartupFailed
from ..containers.launcher import Launchers
from ..store import Document, Store
from .arns import key_of
from .deployment import Deployment, variant_summaries
from .lifecycle import (
    CREATING,
    DELETING,
    FAILED,
    IN_SERVICE,
    ROLLING_BACK,
    UPDATING,
    check_transition,
)
from .live_endpoint import DeploymentFailed, RunningDeployment

logger = logging.getLogger("local_cloud.endpoints")

KIND = "endpoint"
DEPLOYED, PENDING = "_deployed", "_pending"

_Key = tuple[str, str, str]


@dataclass
class LiveEndpoint:
    """An endpoint that answers, or is about to again. `ready` is set once its containers are up."""

    caller: Caller
    name: str
    running: RunningDeployment
    ready: asyncio.Event


class EndpointManager:
    """The endpoints of every account and region."""

    def __init__(self, store: Store, launchers: Launchers) -> None:
        self._store = store
        self._launchers = launchers
        self._live: dict[_Key, LiveEndpoint] = {}
        self._work: dict[_Key, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[Any]] = set()

    # What the control plane asks for. Each writes the first new state and returns; the rest happens in a task.

    def create(self, caller: Caller, document: Document, deployment: Deployment) -> None:
        """Begin an endpoint's life. document: all of DescribeEndpoint's members that are known by now."""
        document = {
            **document,
            "EndpointStatus": CREATING,
            "ProductionVariants": variant_summaries(deployment, {}, CREATING, time.time()),
            PENDING: deployment.to_document(),
        }
        self._put(caller, document)
        self._spawn(caller, document["EndpointName"], self._create(caller, document["EndpointName"], deployment))

    def update(self, caller: Caller, name: str, deployment: Deployment, options: dict[str, Any] | None) -> None:
        """Begin a blue/green update. options: the DeploymentConfig of the call, kept for RetainDeploymentConfig."""
        changes: Document = {
            PENDING: deployment.to_document(),
            "FailureReason": None,
            "PendingDeploymentSummary": {
                "EndpointConfigName": deployment.config_name,
                "StartTime": time.time(),
                "ProductionVariants": variant_summaries(deployment, {}, CREATING, time.time()),
            },
        }
        if options is not None:
            changes["LastDeploymentConfig"] = options
        self._move(caller, name, UPDATING, **changes)
        self._spawn(caller, name, self._update(caller, name, deployment))

    def rescale(self, caller: Caller, name: str, counts: Mapping[str, int], weights: Mapping[str, float]) -> None:
        """Begin a change of instance counts and weights, by variant name."""
        running = self._live[_key(caller, name)].running
        before, after = running.deployment, running.deployment.with_capacities(counts, weights)
        # Written first: a cloud that is stopped in the middle comes back with the new capacities.
        self._move(caller, name, UPDATING, FailureReason=None, **{DEPLOYED: after.to_document()})
        self._spawn(caller, name, self._rescale(caller, name, running, before, after))

    def delete(self, caller: Caller, name: str) -> None:
        """Begin an endpoint's end."""
        self._move(caller, name, DELETING)
        self._spawn(caller, name, self._delete(caller, name))

    # What the runtime and the admin pages ask for.

    def find(self, caller: Caller, name: str) -> LiveEndpoint | None:
        """The endpoint with exactly this name, if it has containers that answer or will in a moment."""
        live = self._live.get(_key(caller, name))
        return live if live is not None and live.name == name else None

    def refreshed(self, caller: Caller, document: Document) -> Document:
        """The document with the instance counts of this moment."""
        live = self._live.get(_key(caller, document["EndpointName"]))
        if live is None or document["EndpointStatus"] not in (IN_SERVICE, UPDATING, ROLLING_BACK):
            return document
        return {
            **document,
            "ProductionVariants": variant_summaries(live.running.deployment, live.running.running()),
        }

    def summary(self) -> dict[str, Any]:
        """How many endpoints there are, how many answer, and the names of those that are being brought back."""
        waiting = [live.name for live in self._live.values() if not live.ready.is_set()]
        return {"total": len(self._live), "returning": waiting}

    # The cloud's own life.

    def restore(self) -> None:
        """Bring back what the store says was there, each endpoint in a task of its own."""
        for caller, document in list(self._store.everywhere(KIND)):
            name, status = document["EndpointName"], document["EndpointStatus"]
            if status == FAILED:
                continue
            if status == CREATING:
                deployment = Deployment.from_document(document[PENDING])
                self._spawn(caller, name, self._create(caller, name, deployment))
                continue
            if status == DELETING:
                self._spawn(caller, name, self._delete(caller, name))
                continue
            running = RunningDeployment(Deployment.from_document(document[DEPLOYED]))
            live = LiveEndpoint(caller, name, running, asyncio.Event())
            self._live[_key(caller, name)] = live
            self._spawn(caller, name, self._return(live, document))

    async def shut_down(self) -> None:
        """Stop every container and leave the documents as they are."""
        for task in self._work.values():
            task.cancel()
        await asyncio.gather(*self._work.values(), *self._background, return_exceptions=True)
        await asyncio.gather(*(live.running.stop(drain=False) for live in self._live.values()))
        self._live.clear()

    # The steps.

    async def _create(self, caller: Caller, name: str, deployment: Deployment) -> None:
        running = RunningDeployment(deployment)
        try:
            await running.start(caller, name, self._launchers)
        except DeploymentFailed as failure:
            logger.warning("endpoint %s: Failed: %s", name, failure)
            self._move(caller, name, FAILED, FailureReason=str(failure), ProductionVariants=None)
            return
        self._go_live(caller, name, running)
        self._settle(caller, name, running, {PENDING: None})

    async def _update(self, caller: Caller, name: str, deployment: Deployment) -> None:
        green = RunningDeployment(deployment)
        try:
            await green.start(caller, name, self._launchers)
        except DeploymentFailed as failure:
            logger.warning("endpoint %s: RollingBack: %s", name, failure)
            # The old fleet has served all along, so rolling back is only to say so.
            self._move(caller, name, ROLLING_BACK, FailureReason=str(failure))
            self._settle(caller, name, self._live[_key(caller, name)].running, _NO_UPDATE)
            return
        blue = self._live[_key(caller, name)].running
        self._go_live(caller, name, green)
        self._settle(caller, name, green, {**_NO_UPDATE, "EndpointConfigName": deployment.config_name})
        self._in_background(blue.stop())

    async def _rescale(
        self, caller: Caller, name: str, running: RunningDeployment, before: Deployment, after: Deployment
    ) -> None:
        running.deployment = after
        try:
            for variant in after.variants:
                await running.fleets[variant.name].scale(variant.process_count)
        except StartupFailed as failure:
            running.deployment = before
            self._move(caller, name, ROLLING_BACK, FailureReason=str(failure))
            for variant in before.variants:
                await running.fleets[variant.name].scale(variant.process_count)
        self._settle(caller, name, running, {})

    async def _delete(self, caller: Caller, name: str) -> None:
        live = self._live.pop(_key(caller, name), None)
        if live is not None:
            await asyncio.shield(self._in_background(live.running.stop()))
        self._store.delete(KIND, caller, key_of(name))
        logger.info("endpoint %s: deleted", name)

    async def _return(self, live: LiveEndpoint, document: Document) -> None:
        """Bring an endpoint's containers back, for as long as it takes, then finish the update it was in."""
        delay = 1.0
        while True:
            try:
                await live.running.start(live.caller, live.name, self._launchers)
                break
            except DeploymentFailed as failure:
                logger.warning("endpoint %s: does not come back yet: %s", live.name, failure)
                live.running = RunningDeployment(live.running.deployment)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 60.0)
        live.ready.set()
        logger.info("endpoint %s: serving again", live.name)
        if document["EndpointStatus"] == UPDATING and document.get(PENDING):
            await self._update(live.caller, live.name, Deployment.from_document(document[PENDING]))
        elif document["EndpointStatus"] != IN_SERVICE:
            self._settle(live.caller, live.name, live.running, _NO_UPDATE)

    # The pieces of a step.

    def _go_live(self, caller: Caller, name: str, running: RunningDeployment) -> None:
        live = self._live.get(_key(caller, name))
        if live is None:
            live = self._live[_key(caller, name)] = LiveEndpoint(caller, name, running, asyncio.Event())
        live.running = running
        live.ready.set()

    def _settle(self, caller: Caller, name: str, running: RunningDeployment, changes: Document) -> None:
        """The end of a create, an update or a rollback: InService with what is running."""
        self._move(
            caller,
            name,
            IN_SERVICE,
            **changes,
            **{DEPLOYED: running.deployment.to_document()},
            ProductionVariants=variant_summaries(running.deployment, running.running()),
        )
        logger.info("endpoint %s: InService", name)

    def _move(self, caller: Caller, name: str, status: str, **changes: Any) -> None:
        document = self._store.get(KIND, caller, key_of(name))
        if document is None:
            raise LookupError(f"the endpoint {name} has no document")
        check_transition(document["EndpointStatus"], status)
        self._put(caller, {**document, "EndpointStatus": status, **changes})

    def _put(self, caller: Caller, document: Document) -> None:
        document["LastModifiedTime"] = time.time()
        self._store.put(KIND, caller, key_of(document["EndpointName"]), document)

    def _spawn(self, caller: Caller, name: str, work: Coroutine[Any, Any, None]) -> None:
        key = _key(caller, name)
        task = asyncio.create_task(work)
        self._work[key] = task

        def done(finished: asyncio.Task[None]) -> None:
            if self._work.get(key) is finished:
                del self._work[key]
            if not finished.cancelled() and finished.exception():
                logger.error("endpoint %s: the local cloud failed", name, exc_info=finished.exception())

        task.add_done_callback(done)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what a shutdown waits for instead of cancelling it."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


_NO_UPDATE: Document = {PENDING: None, "PendingDeploymentSummary": None}


def _key(caller: Caller, name: str) -> _Key:
    return (caller.account, caller.region, key_of(name))
