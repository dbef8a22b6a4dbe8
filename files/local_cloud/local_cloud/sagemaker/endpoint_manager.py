# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries endpoints through their lives: creates, replaces, rescales and deletes them, and brings them back at start.

The endpoint's document in the store is the truth that DescribeEndpoint shows; it is written before each step, so a
cloud that is stopped or killed in the middle goes on from there: an update starts again from its beginning, a rollback
is over. The steps themselves are in endpoint_steps.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError, validation
from ..containers.launcher import Launchers
from ..faults.book import FaultBook
from ..store import Document, Store
from .arns import key_of, not_found
from .deployment import Deployment, variant_summaries
from .describe import capacities_of, endpoint_overview, with_live
from .endpoint_documents import DEPLOYED, KIND, MIXED, OPTIONS, PENDING, EndpointDocuments
from .endpoint_steps import EndpointSteps
from .lifecycle import (
    CREATING,
    DELETING,
    FAILED,
    IN_SERVICE,
    OUT_OF_SERVICE,
    SYSTEM_UPDATING,
    UPDATING,
    refuse_update,
)
from .live_endpoint import LiveEndpoint, Side
from .overview import Capacity, EndpointOverview
from .running_deployment import RunningDeployment

__all__ = ["DEPLOYED", "EndpointManager", "LiveEndpoint"]

logger = logging.getLogger("local_cloud.endpoints")

_Key = tuple[str, str, str]


class EndpointManager:
    """The endpoints of every account and region."""

    def __init__(self, store: Store, launchers: Launchers, faults: FaultBook | None = None) -> None:
        self._documents = EndpointDocuments(store)
        self._steps = EndpointSteps(self._documents, launchers, FaultBook() if faults is None else faults)
        self._live: dict[_Key, LiveEndpoint] = {}
        self._work: dict[_Key, asyncio.Task[None]] = {}

    # What the control plane asks for. Each writes the first new state and returns; the rest happens in a task.

    def create(self, caller: Caller, document: Document, deployment: Deployment) -> None:
        """Begin an endpoint's life. document: all of DescribeEndpoint's members that are known by now."""
        name = document["EndpointName"]
        summaries = variant_summaries(deployment.variants, {})
        changes = {"EndpointStatus": CREATING, "ProductionVariants": summaries, PENDING: deployment.to_document()}
        self._documents.put(caller, {**document, **changes})
        self._begin_creating(caller, name, deployment)

    def update(self, caller: Caller, name: str, deployment: Deployment, options: dict[str, Any] | None) -> None:
        """Begin an update. options: the DeploymentConfig in force, kept for RetainDeploymentConfig."""
        changes: Document = {PENDING: deployment.to_document(), OPTIONS: options, "FailureReason": None}
        if options is not None:
            changes["LastDeploymentConfig"] = options
        self._documents.move(caller, name, UPDATING, **changes)
        live = self._live[_key(caller, name)]
        live.green_since = time.time()
        live.superseded.set()
        self._spawn(live, lambda: self._steps.update(live, deployment, options))

    def rescale(
        self,
        caller: Caller,
        name: str,
        counts: Mapping[str, int],
        weights: Mapping[str, float],
        serverless: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Begin a change of instance counts, weights and ServerlessConfigs, by variant name. Raises AwsError."""
        document = self._updatable(caller, name)
        live = self._live[_key(caller, name)]
        before = Deployment.from_document(document[DEPLOYED])
        after = before.with_capacities(counts, weights, serverless)
        live.superseded.set()
        # Written first: a cloud that is stopped in the middle comes back with the new capacities.
        self._documents.move(caller, name, UPDATING, FailureReason=None, **{DEPLOYED: after.to_document()})
        self._spawn(live, lambda: self._steps.rescale(live, before, after))

    def set_provisioned_concurrency(self, caller: Caller, name: str, variant: str, count: int) -> None:
        """Begin to keep `count` containers of a serverless variant warm; 0 for none. Raises AwsError."""
        deployment = Deployment.from_document(self._updatable(caller, name)[DEPLOYED])
        config = next((v.serverless for v in deployment.variants if v.name == variant), None)
        if config is None:
            raise validation(f"The endpoint {name} has no serverless variant {variant}.")
        wanted = {member: value for member, value in config.items() if member != "ProvisionedConcurrency"}
        self.rescale(caller, name, {}, {}, {variant: wanted | ({"ProvisionedConcurrency": count} if count else {})})

    def delete(self, caller: Caller, name: str) -> None:
        """Begin an endpoint's end."""
        self._documents.move(caller, name, DELETING)
        self._begin_deleting(caller, name)

    # Events of AWS's own, and of the command line. Each raises AwsError where the state does not allow it.

    async def begin_system_update(self, caller: Caller, name: str) -> None:
        """Maintenance: the endpoint serves on, and can neither be updated nor deleted."""
        self._event(caller, name, {IN_SERVICE}, SYSTEM_UPDATING)

    async def end_system_update(self, caller: Caller, name: str) -> None:
        """The maintenance is over."""
        self._event(caller, name, {SYSTEM_UPDATING}, IN_SERVICE)

    async def take_out_of_service(self, caller: Caller, name: str) -> None:
        """The endpoint takes no requests until it is brought back. Its containers stay."""
        self._event(caller, name, {IN_SERVICE}, OUT_OF_SERVICE)

    async def bring_back_into_service(self, caller: Caller, name: str) -> None:
        """The endpoint takes requests again."""
        self._event(caller, name, {OUT_OF_SERVICE}, IN_SERVICE)

    async def kill_containers(self, caller: Caller, name: str, variant: str | None, count: int | None) -> list[str]:
        """SIGKILL so many containers (all, where count is None) of a variant (any); return the ids of those killed."""
        live = self._live.get(_key(caller, name))
        if live is None:
            raise not_found(KIND, caller, name)
        fleets = [
            fleet
            for side in live.sides
            for fleet_name, fleet in {**side.running.fleets, **side.running.shadows}.items()
            if variant in (None, fleet_name)
        ]
        if not fleets:
            raise validation(f"The endpoint {name} has no variant {variant}.")
        victims = [container for fleet in fleets for container in [*fleet.containers, *fleet.starter.starting]][:count]
        for container in victims:
            await container.running.kill()
        return [container.container_id for container in victims]

    # What the runtime, the scaling and the pages ask for.

    def find(self, caller: Caller, name: str) -> LiveEndpoint | None:
        """The endpoint with exactly this name, if it has containers that answer or will in a moment."""
        live = self._live.get(_key(caller, name))
        return live if live is not None and live.answering and live.name == name else None

    def live_endpoints(self) -> list[LiveEndpoint]:
        """Every endpoint that has containers, of every account and region."""
        return list(self._live.values())

    def refreshed(self, caller: Caller, document: Document) -> Document:
        """The document with the instance counts and the deployment stages of this moment."""
        live = self._live.get(_key(caller, document["EndpointName"]))
        return with_live(document, live) if live else document

    def capacities(self, caller: Caller, name: str) -> dict[str, Capacity]:
        """How much each variant has, by name; empty where the endpoint has no containers."""
        live = self._live.get(_key(caller, name))
        return capacities_of(live) if live else {}

    def overview(self, caller: Caller | None = None) -> list[EndpointOverview]:
        """Every endpoint with its containers, of one account and region or of all."""
        return [
            endpoint_overview(owner, document, self._live.get(_key(owner, document["EndpointName"])))
            for owner, document in self._documents.everywhere()
            if caller in (None, owner)
        ]

    def summary(self) -> dict[str, Any]:
        """How many endpoints there are, which are being brought back, and why the last attempt at that failed."""
        answering = [live for live in self._live.values() if live.answering]
        returning = [live for live in answering if not live.ready.is_set()]
        return {
            "total": len(answering),
            "returning": [live.name for live in returning],
            "failing": {live.name: live.trouble for live in returning if live.trouble},
        }

    # The cloud's own life.

    def restore(self) -> None:
        """Bring back what the store says was there, each endpoint in a task of its own."""
        for caller, document in list(self._documents.everywhere()):
            name, status = document["EndpointName"], document["EndpointStatus"]
            if status == CREATING:
                self._begin_creating(caller, name, Deployment.from_document(document[PENDING]))
            elif status == DELETING:
                self._begin_deleting(caller, name)
            elif status != FAILED:
                self._begin_returning(caller, document)

    async def shut_down(self) -> None:
        """Stop every container and leave the documents as they are."""
        for live in self._live.values():
            live.answering = False
        for task in self._work.values():
            task.cancel()
        await asyncio.gather(*self._work.values(), return_exceptions=True)
        await asyncio.gather(*(live.stop(drain=0) for live in self._live.values()), self._steps.hurry())
        self._live.clear()

    # The pieces.

    def _begin_creating(self, caller: Caller, name: str, deployment: Deployment) -> None:
        live = LiveEndpoint(caller, name, Side(RunningDeployment(deployment), 1.0), answering=False)
        self._live[_key(caller, name)] = live
        self._spawn(live, lambda: self._create(live))

    async def _create(self, live: LiveEndpoint) -> None:
        if not await self._steps.create(live):
            del self._live[_key(live.caller, live.name)]

    def _begin_deleting(self, caller: Caller, name: str) -> None:
        key = _key(caller, name)
        live = self._live.get(key) or LiveEndpoint(caller, name, Side(_NOTHING))
        live.answering = False
        before = self._work.get(key)
        if before is not None:  # it was being brought back
            before.cancel()
        self._spawn(live, lambda: self._delete(live))

    async def _delete(self, live: LiveEndpoint) -> None:
        await self._steps.delete(live)
        self._live.pop(_key(live.caller, live.name), None)

    def _begin_returning(self, caller: Caller, document: Document) -> None:
        side = Side(RunningDeployment(Deployment.from_document(document[DEPLOYED])))
        live = LiveEndpoint(caller, document["EndpointName"], side)
        live.answering = document["EndpointStatus"] != OUT_OF_SERVICE
        if mixed := document.get(MIXED):
            live.mixed = Side(RunningDeployment(Deployment.from_document(mixed["deployment"])), mixed["share"])
        live.green_since = document["LastModifiedTime"]
        self._live[_key(caller, live.name)] = live
        self._spawn(live, lambda: self._steps.come_back(live, document))

    def _updatable(self, caller: Caller, name: str) -> Document:
        document = self._documents.get(caller, name)
        if document is None:
            raise not_found(KIND, caller, name)
        if refused := refuse_update(document["EndpointStatus"], document["EndpointArn"]):
            raise refused
        return document

    def _event(self, caller: Caller, name: str, before: set[str], after: str) -> None:
        document = self._documents.get(caller, name)
        if document is None:
            raise not_found(KIND, caller, name)
        if (status := document["EndpointStatus"]) not in before:
            raise AwsError(
                "ValidationException",
                f"The endpoint {name} is {status}; it goes to {after} from {' or '.join(sorted(before))} only.",
            )
        self._documents.move(caller, name, after)
        self._live[_key(caller, name)].answering = after != OUT_OF_SERVICE

    def _spawn(self, live: LiveEndpoint, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do an endpoint's work in a task, after what is still being done for it."""
        key = _key(live.caller, live.name)
        before = self._work.get(key)

        async def in_turn() -> None:
            if before is not None:
                await asyncio.wait({before})
            await work()

        def done(finished: asyncio.Task[None]) -> None:
            if self._work.get(key) is finished:
                del self._work[key]
            if not finished.cancelled() and finished.exception():
                logger.error("endpoint %s: the local cloud failed", live.name, exc_info=finished.exception())

        task = asyncio.create_task(in_turn())
        self._work[key] = task
        task.add_done_callback(done)


_NOTHING = RunningDeployment(Deployment("", {}, ()))


def _key(caller: Caller, name: str) -> _Key:
    return (caller.account, caller.region, key_of(name))
