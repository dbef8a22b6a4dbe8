# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that runs: a fleet for each of its variants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from ..aws.caller import Caller
from ..containers.container import ContainerStarter, StartupFailed
from ..containers.fleet import DRAIN_SECONDS, Fleet, InstanceFleet
from ..containers.image import ImageError
from ..containers.launcher import Launcher, Launchers, VariantSpec
from ..containers.model_artifact import ArtifactError
from ..containers.serverless_fleet import ServerlessFleet
from ..settings import Settings
from .deployment import Deployment, Variant
from .rules import containers_of

MAX_REASON = 1024


class DeploymentFailed(Exception):
    """A deployment that did not come up. The message is the endpoint's FailureReason."""


class RunningDeployment:
    """The fleets of one deployment, by variant. Shadow variants have theirs apart. started: they all came up."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.fleets: dict[str, Fleet] = {}
        self.shadows: dict[str, Fleet] = {}
        self.started = False

    async def start(
        self,
        caller: Caller,
        endpoint_name: str,
        launchers: Launchers,
        *,
        counts: Mapping[str, int] | None = None,
        provision: bool = True,
        never_healthy: float | None = None,
    ) -> None:
        """Start every variant's fleet, and return when all are healthy. Raises DeploymentFailed; then none is left.

        counts: instances to start with, by variant, where these are not all. provision: whether new instances take
        their time to be there. never_healthy: a fault's seconds after which the start is given up.
        """

        async def start(variant: Variant, fleets: dict[str, Fleet]) -> Variant:
            count = (counts or {}).get(variant.name, variant.process_count)
            launcher = await _prepare(variant, caller, endpoint_name, launchers)
            fleet = _fleet(f"{endpoint_name}/{variant.name}", variant, launcher, launchers.settings, provision)
            fleet.starter.never_healthy = never_healthy
            fleets[variant.name] = fleet
            try:
                await fleet.start(count)
            except StartupFailed as error:
                raise DeploymentFailed(startup_reason(variant.name, error)) from error
            fleet.starter.provisioning = _provisioning(variant, launchers.settings)
            return _resolved(variant, launcher)

        variants, shadows = self.deployment.variants, self.deployment.shadows
        starts = [asyncio.create_task(start(variant, self.fleets)) for variant in variants]
        starts += [asyncio.create_task(start(variant, self.shadows)) for variant in shadows]
        try:
            resolved = await asyncio.gather(*starts)
        except BaseException:
            for task in starts:
                task.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self.stop(drain=0)
            raise
        self.deployment = replace(
            self.deployment, variants=tuple(resolved[: len(variants)]), shadows=tuple(resolved[len(variants) :])
        )
        self.started = True

    async def scale(self, deployment: Deployment) -> None:
        """Become another deployment that differs in capacities and weights alone. Raises StartupFailed."""
        self.deployment = deployment
        await asyncio.gather(*(self.fleets[v.name].scale(v.process_count) for v in deployment.variants))

    async def stop(self, drain: float = DRAIN_SECONDS) -> None:
        """Drain and stop every fleet. drain: seconds for requests in flight."""
        await asyncio.gather(*(fleet.stop(drain) for fleet in self.all_fleets()))

    def hurry(self) -> None:
        """Wait for no request in flight any longer."""
        for fleet in self.all_fleets():
            fleet.hurry()

    def all_fleets(self) -> list[Fleet]:
        return [*self.fleets.values(), *self.shadows.values()]

    def healthy(self) -> dict[str, int]:
        """Containers that answer, by variant, shadows among them."""
        return {name: fleet.healthy_count for name, fleet in {**self.fleets, **self.shadows}.items()}


async def _prepare(variant: Variant, caller: Caller, endpoint_name: str, launchers: Launchers) -> Launcher:
    container = containers_of(variant.model)[0]
    if variant.resolved_image:  # a tag may have moved since; what was deployed is what comes back
        container = {**container, "Image": variant.resolved_image}
    spec = VariantSpec(caller, endpoint_name, variant.name, container, variant.model["ExecutionRoleArn"])
    try:
        return await launchers.prepare(spec)
    except ImageError as error:
        raise DeploymentFailed(_image_reason(variant.name, str(error))) from error
    except ArtifactError as error:
        raise DeploymentFailed(str(error)[:MAX_REASON]) from error


def _fleet(name: str, variant: Variant, launcher: Launcher, settings: Settings, provision: bool) -> Fleet:
    starter = ContainerStarter(launcher, settings.startup_timeout or variant.startup_seconds)
    if provision:
        starter.provisioning = _provisioning(variant, settings)
    if variant.serverless:
        maximum = min(variant.serverless["MaxConcurrency"], settings.serverless_containers)
        return ServerlessFleet(name, starter, max(1, maximum), settings.serverless_idle_seconds)
    return InstanceFleet(name, starter)


def _provisioning(variant: Variant, settings: Settings) -> float:
    return 0.0 if variant.serverless else settings.provisioning_seconds


def _resolved(variant: Variant, launcher: Launcher) -> Variant:
    image = launcher.image
    return replace(
        variant,
        resolved_image=image.reference.at_digest(image.digest),
        resolution_time=variant.resolution_time or time.time(),
    )


def _image_reason(variant: str, detail: str) -> str:
    return (
        f"Please make sure all images included in the model for the production variant {variant} exist, and that "
        f"the execution role used to create the model has permissions to access them. {detail}"
    )[:MAX_REASON]


def startup_reason(variant: str, error: StartupFailed) -> str:
    """The FailureReason for a variant whose container did not come up."""
    if error.log is None:
        return f"The primary container for production variant {variant} could not be started. {error}"[:MAX_REASON]
    reason = (
        f"The primary container for production variant {variant} did not pass the ping health check. "
        f"Please check CloudWatch logs for this endpoint. {error}; its log is {error.log.path}"
    )
    return reason[:MAX_REASON]
