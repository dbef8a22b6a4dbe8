# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of an endpoint's life, each from one resting state to the next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any

from ..containers.container import StartupFailed
from ..containers.fleet import LEAVING_PATIENCE
from ..containers.launcher import Launchers
from ..faults.book import FaultBook
from ..store import Document
from .alarms import Alarms
from .blue_green import shift, shift_back
from .deployment import Deployment, Stage, config_members, variant_summaries
from .endpoint_documents import DEPLOYED, MIXED, NO_UPDATE, OPTIONS, PENDING, EndpointDocuments
from .endpoint_update import CAPACITY_SHORTAGE, EndpointUpdate, UpdateFailed, launching, never_healthy
from .guardrails import plan_update
from .lifecycle import CREATING, FAILED, IN_SERVICE, ROLLING_BACK, UPDATE_ROLLBACK_FAILED, UPDATING
from .live_endpoint import LiveEndpoint, Side
from .rolling import put_back, replace_batches
from .running_deployment import DeploymentFailed, RunningDeployment, startup_reason

logger = logging.getLogger("local_cloud.endpoints")

# DeleteEndpoint gives the requests in flight what InvokeEndpoint gives them, and no more.
DELETE_DRAIN_SECONDS = 65.0
_STUCK_SECONDS = 60.0


class EndpointSteps:
    """Does what an endpoint's next state needs, and writes that state when it is reached."""

    def __init__(self, documents: EndpointDocuments, launchers: Launchers, faults: FaultBook) -> None:
        self._documents = documents
        self._launchers = launchers
        self._faults = faults
        self._alarms = Alarms(launchers.ministack, launchers.settings)
        self._leaving: dict[asyncio.Task[None], RunningDeployment] = {}

    async def create(self, live: LiveEndpoint) -> bool:
        """Creating -> InService, or Failed. Returns whether it serves."""
        deployment = live.deployment
        messages = {variant.name: launching(variant.instance_count) for variant in deployment.variants}
        live.stage = Stage(CREATING, time.time(), messages=messages)
        try:
            if fault := self._faults.take("capacity_shortage", live.caller, live.name):
                raise DeploymentFailed(fault.message or CAPACITY_SHORTAGE)
            never = never_healthy(self._faults, live, deployment, self._launchers)
            await live.blue.running.start(live.caller, live.name, self._launchers, never_healthy=never)
        except DeploymentFailed as failure:
            await self._linger(live)
            logger.warning("endpoint %s: Failed: %s", live.name, failure)
            changes = {"FailureReason": str(failure), "ProductionVariants": None, PENDING: None}
            self._documents.move(live.caller, live.name, FAILED, **changes)
            return False
        await self._linger(live)
        live.stage = None
        live.answering = True
        live.ready.set()
        self._settle(live, **NO_UPDATE)
        return True

    async def update(self, live: LiveEndpoint, wanted: Deployment, options: dict[str, Any] | None) -> None:
        """Updating -> InService, or RollingBack -> InService, or UpdateRollbackFailed."""
        live.superseded.clear()
        # There is nothing to shift traffic from where the old containers did not come back after a start.
        plan = plan_update(options if live.ready.is_set() else None, wanted)
        update = EndpointUpdate(live, wanted, plan, self._launchers, self._alarms, self._faults)
        try:
            await (replace_batches(update) if plan.rolling else shift(update))
        except UpdateFailed as failure:
            await self._roll_back(update, failure)
            return
        live.green_stage = None
        old = [side for side in live.sides if side is not live.green]
        for side in old:
            await self._terminate(live, side)
        await self._linger(live)
        live.blue, live.green, live.mixed, live.stage = update.green, None, None, None
        live.blue.share = 1.0
        live.ready.set()
        members = config_members(live.deployment)
        self._settle(live, EndpointConfigName=wanted.config_name, **NO_UPDATE, **members, **{MIXED: None})

    async def _roll_back(self, update: EndpointUpdate, failure: UpdateFailed) -> None:
        live, reason = update.live, failure.reason
        if failure.rollback_fails:
            await self._leave_mixed(update, reason)
            return
        await self._linger(live)
        logger.warning("endpoint %s: RollingBack: %s", live.name, reason)
        self._documents.move(live.caller, live.name, ROLLING_BACK, FailureReason=reason)
        live.green_stage = Stage("Deleting", time.time(), "Rolling back to the previous endpoint configuration.")
        try:
            await (put_back(update) if update.plan.rolling else shift_back(update))
        except DeploymentFailed as error:
            await self._leave_mixed(update, f"{reason} The rollback failed, too: {error}")
            return
        green = update.green
        live.green = live.green_stage = None
        await self._stop(green.running)
        await self._linger(live)
        self._settle_back(live)
        await self._bring_back(live)

    async def _leave_mixed(self, update: EndpointUpdate, reason: str | None) -> None:
        """Both the update and its rollback failed: what is there goes on serving."""
        live, green = update.live, update.green
        await self._linger(live)
        logger.warning("endpoint %s: UpdateRollbackFailed: %s", live.name, reason)
        if live.mixed is not None:
            await self._stop(live.mixed.running)
        green.share = green.share if 0 < green.share < 1 else 0.5
        for side in (live.blue, green):
            for fleet in side.running.fleets.values():
                fleet.active = None
        live.mixed, live.green, live.green_stage = green, None, None
        mixed = {"deployment": green.running.deployment.to_document(), "share": green.share}
        changes = {"FailureReason": reason, MIXED: mixed, **NO_UPDATE}
        self._documents.move(live.caller, live.name, UPDATE_ROLLBACK_FAILED, **changes)

    async def rescale(self, live: LiveEndpoint, before: Deployment, after: Deployment) -> None:
        """Updating -> InService, by way of RollingBack where the new instances do not come."""
        if not live.ready.is_set():
            live.superseded.clear()
            await self._stop(live.blue.running)
            live.blue.running = RunningDeployment(after)
            self._settle_back(live)
            await self._bring_back(live)
            return
        running = live.blue.running
        live.stage = _scaling_stage(before, after)
        try:
            if live.stage.messages and (fault := self._faults.take("capacity_shortage", live.caller, live.name)):
                raise DeploymentFailed(fault.message or CAPACITY_SHORTAGE)
            await self._scale(running, after)
        except DeploymentFailed as failure:
            await self._linger(live)
            self._documents.move(live.caller, live.name, ROLLING_BACK, FailureReason=str(failure))
            await self._scale(running, before)
        await self._linger(live)
        live.stage = None
        self._settle_back(live)

    async def delete(self, live: LiveEndpoint) -> None:
        """Deleting -> gone."""
        await self._linger(live)
        # Shielded: a cloud that is stopped meanwhile must not leave containers behind.
        await asyncio.shield(self._in_background(live.blue.running, live.stop(DELETE_DRAIN_SECONDS)))
        self._documents.delete(live.caller, live.name)
        logger.info("endpoint %s: deleted", live.name)

    async def come_back(self, live: LiveEndpoint, document: Document) -> None:
        """Bring an endpoint's containers back, for as long as it takes, then finish what it was in."""
        status = document["EndpointStatus"]
        interrupted = status == UPDATING and document.get(PENDING)
        if interrupted:  # the update goes on, whether the old containers come back or not
            live.superseded.set()
        await self._bring_back(live)
        if interrupted:
            await self.update(live, Deployment.from_document(document[PENDING]), document.get(OPTIONS))
        elif status in (UPDATING, ROLLING_BACK):
            self._settle_back(live)

    async def hurry(self) -> None:
        """Let no container that is leaving wait for its requests any longer, and return when all are gone."""
        for running in self._leaving.values():
            running.hurry()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    # The pieces of a step.

    async def _bring_back(self, live: LiveEndpoint) -> None:
        """Start an endpoint's containers after the cloud's start, for as long as it takes or until it is superseded."""
        if live.ready.is_set():
            return
        delay = 1.0
        for side in live.sides:
            while not side.running.started:
                try:
                    await side.running.start(live.caller, live.name, self._launchers, provision=False)
                    break
                except DeploymentFailed as failure:
                    live.trouble = str(failure)
                    logger.warning("endpoint %s: does not come back yet: %s", live.name, failure)
                side.running = RunningDeployment(side.running.deployment)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(live.superseded.wait(), delay)
                    return
                delay = min(delay * 2, 60.0)
        live.trouble = None
        live.ready.set()
        logger.info("endpoint %s: serving again", live.name)

    async def _scale(self, running: RunningDeployment, deployment: Deployment) -> None:
        try:
            await running.scale(deployment)
        except StartupFailed as error:
            raise DeploymentFailed(startup_reason(deployment.variants[0].name, error)) from error

    async def _terminate(self, live: LiveEndpoint, side: Side) -> None:
        counts = {name: len(fleet.staying) for name, fleet in side.running.fleets.items()}
        messages = {name: f"Terminating {count} instance(s)." for name, count in counts.items()}
        live.stage = Stage("Deleting", time.time(), messages=messages)
        await self._stop(side.running)

    async def _stop(self, running: RunningDeployment) -> None:
        """Stop fleets, and wait a while for it; a request in flight may take longer, and then it has that."""
        await asyncio.wait({self._in_background(running, running.stop())}, timeout=LEAVING_PATIENCE)

    def _in_background(self, running: RunningDeployment, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._leaving[task] = running
        task.add_done_callback(lambda done: self._leaving.pop(done, None))
        return task

    async def _linger(self, live: LiveEndpoint) -> None:
        """Stay in the state of this moment for longer, where a fault says so."""
        if fault := self._faults.take("stuck", live.caller, live.name):
            await asyncio.sleep(_STUCK_SECONDS if fault.seconds is None else fault.seconds)

    def _settle_back(self, live: LiveEndpoint) -> None:
        """The end of a step that leaves the endpoint with the configuration it had, or with the mix that it was."""
        if live.mixed is not None:
            self._documents.move(live.caller, live.name, UPDATE_ROLLBACK_FAILED, **NO_UPDATE)
        else:
            self._settle(live, **NO_UPDATE)

    def _settle(self, live: LiveEndpoint, **changes: Any) -> None:
        """The end of a create, an update or a rollback: InService with what is running."""
        running = live.blue.running
        changes = {
            **changes,
            DEPLOYED: running.deployment.to_document(),
            "ProductionVariants": variant_summaries(running.deployment.variants, running.healthy()),
        }
        self._documents.move(live.caller, live.name, IN_SERVICE, **changes)
        logger.info("endpoint %s: InService", live.name)


def _scaling_stage(before: Deployment, after: Deployment) -> Stage:
    messages = {}
    for old, new in zip(before.variants, after.variants, strict=True):
        if new.process_count != old.process_count:
            way = "out" if new.process_count > old.process_count else "in"
            messages[new.name] = f"Scaling {way} desired instance count to {new.process_count}."
    return Stage("Updating", time.time(), messages=messages)
