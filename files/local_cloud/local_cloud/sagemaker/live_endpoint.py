# SPDX-License-Identifier: GPL-3.0-or-later
"""An endpoint that has containers: the fleets behind it, and the way that a request takes to one of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..aws.caller import Caller
from ..containers.container import Container
from ..containers.fleet import Fleet
from .deployment import Deployment, Stage, Variant
from .overview import ContainerOverview, Role
from .running_deployment import RunningDeployment
from .traffic import choose


@dataclass
class Side:
    """A running deployment and its part of the traffic, 0 to 1."""

    running: RunningDeployment
    share: float = 0.0


@dataclass
class LiveEndpoint:
    """An endpoint that answers, or is about to (again).

    blue: what EndpointConfigName names, alone but during an update, and for ever after one whose rollback failed too.
    green: the new fleets of an update; `green.share` is how far the traffic has been shifted.
    mixed: new fleets that a failed rollback left in service beside blue.
    ready: set once its containers are up. superseded: set where it is to be changed before they are: bringing back
    what does not come back is then given up. answering: whether InvokeEndpoint finds it.
    trouble: why its containers did not come back at the last attempt.
    stage, green_stage: what DescribeEndpoint says of blue's variants and of the pending ones.
    concurrent: requests being answered, by variant. It outlives an update, as MaxConcurrency does.
    """

    caller: Caller
    name: str
    blue: Side
    green: Side | None = None
    mixed: Side | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    superseded: asyncio.Event = field(default_factory=asyncio.Event)
    answering: bool = True
    trouble: str | None = None
    stage: Stage | None = None
    green_stage: Stage | None = None
    green_since: float = 0.0
    concurrent: Counter[str] = field(default_factory=Counter)

    @property
    def deployment(self) -> Deployment:
        """The one that EndpointConfigName names."""
        return self.blue.running.deployment

    @property
    def sides(self) -> list[Side]:
        return [side for side in (self.blue, self.mixed, self.green) if side is not None]

    def traffic(self, side: Side) -> float:
        """The part of all requests that goes to a side, 0 to 1."""
        green = self.green.share if self.green else 0.0
        if side is self.green:
            return green
        mixed = self.mixed.share if self.mixed else 0.0
        return (1 - green) * (mixed if side is self.mixed else 1 - mixed)

    def route(self, target: str | None) -> tuple[Variant, Fleet] | None:
        """The variant and the fleet for the next request; None where no variant is called `target`."""
        sides = [side for side in self.sides if target is None or target in side.running.fleets]
        if not sides:
            return None
        # A fleet whose containers all died is no reason to fail while another one can answer.
        able = [side for side in sides if self.traffic(side) and _can_answer(side, target)]
        able = able or [side for side in sides if _can_answer(side, target)] or sides
        # Nothing here keeps a secret: S311 does not apply.
        side = able[choose([self.traffic(side) for side in able], random.random())]  # noqa: S311
        variants = [v for v in side.running.deployment.variants if target in (None, v.name)]
        variant = variants[choose([v.weight for v in variants], random.random())]  # noqa: S311
        return variant, side.running.fleets[variant.name]

    def healthy(self) -> dict[str, int]:
        """Containers that answer, by variant, old and new fleets together."""
        total: Counter[str] = Counter()
        for side in self.sides:
            total.update(side.running.healthy())
        return dict(total)

    def containers(self) -> Iterator[ContainerOverview]:
        """Every container of every fleet, those that are starting or leaving too."""
        for side in self.sides:
            role: Role = "blue" if side is self.blue else "green"
            for variant, fleet in side.running.fleets.items():
                yield from _containers(variant, fleet, role)
            for variant, fleet in side.running.shadows.items():
                yield from _containers(variant, fleet, "shadow")

    async def stop(self, drain: float) -> None:
        """Stop everything. drain: seconds for requests in flight."""
        await asyncio.gather(*(side.running.stop(drain) for side in self.sides))


def _can_answer(side: Side, target: str | None) -> bool:
    fleets = side.running.fleets
    return any(fleet.can_answer for name, fleet in fleets.items() if target in (None, name))


def _containers(variant: str, fleet: Fleet, role: Role) -> Iterator[ContainerOverview]:
    for container in [*fleet.starter.starting, *fleet.containers]:
        timeout = fleet.starter.startup_timeout if container in fleet.starter.starting else None
        yield _overview(variant, container, role, timeout)


def _overview(variant: str, container: Container, role: Role, startup_timeout: float | None) -> ContainerOverview:
    running = container.running
    return ContainerOverview(
        container_id=container.container_id,
        variant=variant,
        fleet=role,
        pid=running.pid,
        docker_id=running.docker_id,
        port=running.port,
        healthy=container.healthy,
        leaving=container.leaving,
        in_flight=container.in_flight,
        started=container.started_at,
        log=str(container.log.path),
        startup_timeout=startup_timeout,
    )
