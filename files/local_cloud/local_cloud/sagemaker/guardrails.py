# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployment guardrails: what a DeploymentConfig makes of an update, step by step. Pure.

Sources: the developer guide's pages on blue/green and rolling deployments, their exclusions, and the StatusMessages on
its page about EventBridge ("Endpoint deployment state change").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .deployment import Deployment
from .rules import containers_of

WAIT_INTERVAL, TERMINATION_WAIT = "WaitIntervalInSeconds", "TerminationWaitInSeconds"


@dataclass(frozen=True)
class Shift:
    """One step of traffic to the new fleet.

    share: its part of the traffic from then on, 0 to 1. instances: how many of its instances get that; 0 for
    serverless. wait: seconds of baking that follow, and `wait_name`, the member of the API that says so.
    """

    share: float
    instances: int
    wait: float
    wait_name: str

    @property
    def capacity(self) -> str:
        """The capacity with traffic, as a StatusMessage names it."""
        return f"full capacity of {self.instances}" if self.share >= 1 else f"canary capacity of {self.instances}"


@dataclass(frozen=True)
class Plan:
    """How an update goes. timeout: seconds for all of it, None for no limit. alarms: names; ALARM rolls it back.

    shifts: of a blue/green deployment; empty for a rolling one, which has `batches`: how many instances are replaced
    in each, `wait` seconds of baking after each, and `rollback_batch` instances brought back at a time.
    """

    shifts: tuple[Shift, ...] = ()
    batches: tuple[int, ...] = ()
    wait: float = 0.0
    rollback_batch: int = 0
    timeout: float | None = None
    alarms: tuple[str, ...] = ()

    @property
    def rolling(self) -> bool:
        return bool(self.batches)


def plan_update(options: dict[str, Any] | None, wanted: Deployment) -> Plan:
    """The plan for an update to `wanted`. options: the DeploymentConfig in force, or None.

    An endpoint with a feature that excludes guardrails gets the default: all at once, and no baking.
    """
    instances = sum(variant.instance_count for variant in wanted.variants)
    if not options or excluded_feature(wanted):
        return Plan(shifts=(Shift(1.0, instances, 0, TERMINATION_WAIT),))
    alarms = tuple(alarm["AlarmName"] for alarm in (options.get("AutoRollbackConfiguration") or {}).get("Alarms") or ())
    rolling = options.get("RollingUpdatePolicy")
    if rolling and instances:
        batch = size_in_instances(rolling["MaximumBatchSize"], instances)
        back = rolling.get("RollbackMaximumBatchSize")
        return Plan(
            batches=tuple(min(batch, instances - done) for done in range(0, instances, batch)),
            wait=rolling["WaitIntervalInSeconds"],
            rollback_batch=size_in_instances(back, instances) if back else instances,
            timeout=rolling.get("MaximumExecutionTimeoutInSeconds"),
            alarms=alarms,
        )
    policy = options.get("BlueGreenUpdatePolicy") or {}
    shifts = _shifts(policy.get("TrafficRoutingConfiguration") or {}, instances, policy.get(TERMINATION_WAIT, 0))
    return Plan(shifts=shifts, timeout=policy.get("MaximumExecutionTimeoutInSeconds"), alarms=alarms)


def _shifts(routing: dict[str, Any], instances: int, termination_wait: float) -> tuple[Shift, ...]:
    """The waiting between steps is WaitIntervalInSeconds, the last baking is TerminationWaitInSeconds."""
    between = routing.get(WAIT_INTERVAL, 0)
    last = Shift(1.0, instances, termination_wait, TERMINATION_WAIT)
    if routing.get("Type") == "CANARY":
        size = routing["CanarySize"]
        return (Shift(_share(size, instances), size_in_instances(size, instances), between, WAIT_INTERVAL), last)
    if routing.get("Type") == "LINEAR":
        size = routing["LinearStepSize"]
        steps = math.ceil(round(1 / _share(size, instances), 6))
        return (
            *(
                Shift(
                    step * _share(size, instances),
                    min(instances, step * size_in_instances(size, instances)),
                    between,
                    WAIT_INTERVAL,
                )
                for step in range(1, steps)
            ),
            last,
        )
    return (last,)


def size_in_instances(size: dict[str, Any], instances: int) -> int:
    """A CapacitySize of a fleet of `instances`, rounded down, one at least; 0 where there are no instances."""
    if not instances:
        return 0
    value = size["Value"] if size["Type"] == "INSTANCE_COUNT" else instances * size["Value"] // 100
    return max(1, min(instances, value))


def _share(size: dict[str, Any], instances: int) -> float:
    part: float = size["Value"] / 100 if size["Type"] == "CAPACITY_PERCENT" else size["Value"] / max(1, instances)
    return min(1.0, part)


def excluded_feature(deployment: Deployment) -> str | None:
    """The feature, in words, that excludes an endpoint from guardrails; None where they work."""
    if len(deployment.variants) > 1:
        return "several production variants"
    if deployment.config.get("KmsKeyId"):
        return "a KMS key"
    if (deployment.config.get("DataCaptureConfig") or {}).get("EnableCapture"):
        return "data capture"
    for variant in deployment.variants:
        containers = containers_of(variant.model)
        if len(containers) > 1:
            return "several containers"
        if any(container.get("Mode") == "MultiModel" for container in containers):
            return "several models in a container"
        if variant.model.get("EnableNetworkIsolation"):
            return "network isolation"
        if str(variant.config.get("InstanceType", "")).startswith("ml.inf1."):
            return "an ml.inf1 instance"
        if variant.config.get("AcceleratorType"):
            return "Elastic Inference"
    return None


def effective_deployment_config(
    requested: dict[str, Any] | None, retain: bool, last: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The DeploymentConfig that an UpdateEndpoint goes by: its own, else the last one where it is to be retained.

    last: what CreateEndpoint or the last UpdateEndpoint that named one said. Without either the update is all at once.
    """
    return requested if requested is not None else last if retain else None


@dataclass
class DeploymentClock:
    """How much of MaximumExecutionTimeoutInSeconds an update has used, in AWS's seconds.

    Waits count as long as the API names them, however short the time scale makes them; the rest, the starting of
    containers above all, counts as long as it takes here.
    """

    timeout: float | None
    spent: float = 0.0

    @property
    def left(self) -> float:
        return math.inf if self.timeout is None else max(0.0, self.timeout - self.spent)

    def spend(self, seconds: float) -> None:
        self.spent += seconds


def rolling_counts(old: int, batches: tuple[int, ...]) -> list[tuple[int, int]]:
    """After each batch: (instances of the old fleet, instances of the new one).

    A batch is there before its equals leave, so there are never fewer instances than before the update (or than it
    asks for), and never more than a batch above that.
    """
    counts, done = [], 0
    for number, batch in enumerate(batches, start=1):
        done += batch
        counts.append((0 if number == len(batches) else max(0, old - done), done))
    return counts
