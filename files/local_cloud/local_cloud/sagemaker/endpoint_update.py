# SPDX-License-Identifier: GPL-3.0-or-later
"""One UpdateEndpoint on its way: new fleets beside the old ones, watched by alarms and a clock.

How the traffic gets from one to the other is in blue_green.py and rolling.py.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Mapping

from ..containers.container import StartupFailed
from ..containers.launcher import Launchers
from ..faults.book import FaultBook
from .alarms import Alarms, AlarmTripped
from .deployment import Deployment, Stage
from .guardrails import DeploymentClock, Plan
from .live_endpoint import LiveEndpoint, Side
from .running_deployment import DeploymentFailed, RunningDeployment, startup_reason

_POLL_SECONDS = 0.25
# Terraform's and CloudFormation's users post it; the hint at InstancePools that follows it on AWS is left out.
CAPACITY_SHORTAGE = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. Please retry using a "
    "different ML instance type or after some time."
)


def launching(count: int) -> str:
    """The StatusMessage of a variant whose instances are being launched."""
    return f"Launching {count} instance(s)."


class UpdateFailed(Exception):
    """The update is to be rolled back. reason: the FailureReason; None where AWS gives none."""

    def __init__(self, reason: str | None, *, rollback_fails: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rollback_fails = rollback_fails


class EndpointUpdate:
    """Brings an endpoint from the deployment it has to another one, or says why not."""

    def __init__(
        self,
        live: LiveEndpoint,
        wanted: Deployment,
        plan: Plan,
        launchers: Launchers,
        alarms: Alarms,
        faults: FaultBook,
    ) -> None:
        self.live = live
        self.wanted = wanted
        self.plan = plan
        self._launchers = launchers
        self._alarms = alarms
        self._faults = faults
        self._clock = DeploymentClock(plan.timeout)
        self._steps = 0

    @property
    def green(self) -> Side:
        """The new fleets."""
        if self.live.green is None:
            raise LookupError(f"the endpoint {self.live.name} has no new fleets")
        return self.live.green

    async def provision(self, counts: dict[str, int] | None = None) -> None:
        """Start the new fleets, without traffic. counts: instances to begin with. Raises UpdateFailed."""
        live = self.live
        running = RunningDeployment(self.wanted)
        live.green = Side(running)
        counts_of = {variant.name: variant.instance_count for variant in self.wanted.variants} | (counts or {})
        self.report("Creating", messages={name: launching(count) for name, count in counts_of.items()})
        self._check_capacity()
        never = never_healthy(self._faults, live, self.wanted, self._launchers)
        start = running.start(live.caller, live.name, self._launchers, counts=counts, never_healthy=never)
        await self.counted(start)

    async def grow(self, side: Side, name: str, count: int) -> None:
        """Bring one of a side's fleets to so many instances. Raises UpdateFailed."""
        self._check_capacity()
        await self.counted(scaled(side, name, count))

    async def counted(self, work: Awaitable[None]) -> None:
        """Do what takes its time, as part of the update's limit. Raises UpdateFailed."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(None if math.isinf(self._clock.left) else self._clock.left) as limit:
                await work
        except DeploymentFailed as error:
            raise UpdateFailed(str(error)) from error
        except TimeoutError:
            if not limit.expired():
                raise
            raise UpdateFailed(self._too_long()) from None
        finally:
            self._clock.spend(time.monotonic() - begun)

    async def bake(self, seconds: float, name: str, capacity: str) -> None:
        """Watch the alarms for so many of AWS's seconds. Raises UpdateFailed."""
        if seconds:
            traffic = f"with traffic enabled on {capacity} instance(s)"
            self.report("Baking", f"Baking for {seconds:g} seconds ({name}) {traffic}.")
        await self._watch()
        allowed = min(seconds, self._clock.left)
        ends = time.monotonic() + allowed * self._launchers.settings.time_scale
        while (remaining := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(remaining, _POLL_SECONDS))
            await self._watch()
        self._clock.spend(allowed)
        if allowed < seconds:
            raise UpdateFailed(self._too_long())

    def step_done(self) -> None:
        """Some of the traffic is on the new fleets. Raises UpdateFailed where a fault says so."""
        self._steps += 1
        if self._steps > 1:
            return
        live = self.live
        if self._faults.take("silent_rollback", live.caller, live.name):
            raise UpdateFailed(None)
        if fault := self._faults.take("update_rollback_failed", live.caller, live.name):
            words = "The deployment failed, and so did the rollback to the previous endpoint configuration."
            raise UpdateFailed(fault.message or words, rollback_fails=True)

    def report(self, status: str, message: str | None = None, messages: Mapping[str, str] | None = None) -> None:
        """Say where the new variants are, for DescribeEndpoint: all of them, or each by its name."""
        self.live.green_stage = Stage(status, time.time(), message, messages or {})

    def _check_capacity(self) -> None:
        if fault := self._faults.take("capacity_shortage", self.live.caller, self.live.name):
            raise UpdateFailed(fault.message or CAPACITY_SHORTAGE)

    async def _watch(self) -> None:
        role = self.wanted.variants[0].model["ExecutionRoleArn"]
        try:
            await self._alarms.check(self.live.caller, self.plan.alarms, role)
        except AlarmTripped as error:
            raise UpdateFailed(str(error)) from error

    def _too_long(self) -> str:
        return f"The deployment took longer than MaximumExecutionTimeoutInSeconds allows ({self.plan.timeout:g} s)."


async def scaled(side: Side, name: str, count: int) -> None:
    """Bring one of a side's fleets to so many instances. Raises DeploymentFailed."""
    try:
        await side.running.fleets[name].scale(count)
    except StartupFailed as error:
        raise DeploymentFailed(startup_reason(name, error)) from error


def never_healthy(faults: FaultBook, live: LiveEndpoint, wanted: Deployment, launchers: Launchers) -> float | None:
    """After how many seconds the fault never_healthy gives up new fleets; None where it is not armed."""
    fault = faults.take("never_healthy", live.caller, live.name)
    if fault is None:
        return None
    if fault.seconds is not None:
        return fault.seconds
    settings = launchers.settings
    longest = max(settings.startup_timeout or variant.startup_seconds for variant in wanted.variants)
    return longest * settings.time_scale
