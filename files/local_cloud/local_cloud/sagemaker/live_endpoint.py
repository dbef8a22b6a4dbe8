# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that runs: its fleets, and which of them gets the next request."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

from ..aws.caller import Caller
from ..containers.fleet import Fleet, StartupFailed
from ..containers.image import ImageError
from ..containers.launcher import Launchers, VariantSpec
from ..containers.model_artifact import ArtifactError
from .deployment import Deployment, Variant
from .rules import containers_of

MAX_REASON = 1024


class DeploymentFailed(Exception):
    """A deployment that did not come up. The message is the endpoint's FailureReason."""


class RunningDeployment:
    """The fleets of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.fleets: dict[str, Fleet] = {}

    async def start(self, caller: Caller, endpoint_name: str, launchers: Launchers) -> None:
        """Start every variant's fleet, and return when all are healthy. Raises DeploymentFailed; then none is left."""
        variants = self.deployment.variants
        started = [asyncio.create_task(self._start(variant, caller, endpoint_name, launchers)) for variant in variants]
        try:
            resolved = await asyncio.gather(*started)
        except BaseException:
            for task in started:
                task.cancel()
            await asyncio.gather(*started, return_exceptions=True)
            await self.stop(drain=False)
            raise
        self.deployment = replace(self.deployment, variants=tuple(resolved))

    async def stop(self, drain: bool = True) -> None:
        """Drain and stop every fleet."""
        await asyncio.gather(*(fleet.stop(drain) for fleet in self.fleets.values()))

    def running(self) -> dict[str, int]:
        """Healthy containers by variant."""
        return {name: fleet.healthy_count for name, fleet in self.fleets.items()}

    def choose_variant(self, target: str | None) -> Variant | None:
        """The variant for the next request: the target where one is named (None if unknown), else by weight."""
        variants = self.deployment.variants
        if target is not None:
            return next((variant for variant in variants if variant.name == target), None)
        if len(variants) == 1:
            return variants[0]
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights if any(weights) else None)[0]  # noqa: S311 - keeps no secret

    async def _start(self, variant: Variant, caller: Caller, endpoint_name: str, launchers: Launchers) -> Variant:
        container = containers_of(variant.model)[0]
        if variant.resolved_image:  # a tag may have moved since; what was deployed is what comes back
            container = {**container, "Image": variant.resolved_image}
        spec = VariantSpec(caller, endpoint_name, variant.name, container, variant.model["ExecutionRoleArn"])
        try:
            launcher = await launchers.prepare(spec)
        except ImageError as error:
            raise DeploymentFailed(_image_reason(variant.name, str(error))) from error
        except ArtifactError as error:
            raise DeploymentFailed(str(error)[:MAX_REASON]) from error
        timeout = launchers.settings.startup_timeout or variant.startup_seconds
        fleet = Fleet(f"{endpoint_name}/{variant.name}", launcher, timeout)
        self.fleets[variant.name] = fleet
        try:
            await fleet.start(variant.process_count)
        except StartupFailed as error:
            raise DeploymentFailed(_startup_reason(variant.name, error)) from error
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


def _startup_reason(variant: str, error: StartupFailed) -> str:
    if error.log is None:
        return f"The primary container for production variant {variant} could not be started. {error}"[:MAX_REASON]
    reason = (
        f"The primary container for production variant {variant} did not pass the ping health check. "
        f"Please check CloudWatch logs for this endpoint. {error}; its log is {error.log.path}"
    )
    return reason[:MAX_REASON]
