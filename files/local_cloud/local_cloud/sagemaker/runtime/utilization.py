# SPDX-License-Identifier: GPL-3.0-or-later
"""How much processor and memory the serving processes take, for CloudWatch.

Only of processes: what a Docker engine tells of its containers takes it seconds to find out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from ..deployment import Variant
from ..endpoint_manager import EndpointManager
from ..live_endpoint import LiveEndpoint
from .metric_recorder import Metric, MetricRecorder
from .metrics import EndpointMetrics
from .roles import ExecutionRoles

NAMESPACE = "/aws/sagemaker/Endpoints"
# AWS tells it every minute; an endpoint that nobody has asked anything for an hour stays silent.
_PERIOD_SECONDS = 60.0
_TURN_SECONDS = 5.0
_SILENT_AFTER_SECONDS = 3600.0

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MACHINE_MEMORY = _PAGE * os.sysconf("SC_PHYS_PAGES")

logger = logging.getLogger("local_cloud.metrics")


@dataclass(frozen=True)
class Usage:
    """What a process and its descendants have taken: processor seconds so far, and bytes of memory now."""

    cpu_seconds: float
    memory_bytes: int


class UtilizationReporter:
    """Looks at the serving processes once a minute."""

    def __init__(
        self, manager: EndpointManager, recorder: MetricRecorder, metrics: EndpointMetrics, roles: ExecutionRoles
    ) -> None:
        self._manager = manager
        self._recorder = recorder
        self._metrics = metrics
        self._roles = roles
        self._seen: dict[str, tuple[float, float]] = {}  # by container: when, and its processor seconds then
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_TURN_SECONDS)
            try:
                alive: set[str] = set()
                for live in self._manager.live_endpoints():
                    alive |= self._report(live, time.time())
                self._seen = {container: seen for container, seen in self._seen.items() if container in alive}
            except Exception:
                logger.exception("the serving processes' utilization is not known")

    def _report(self, live: LiveEndpoint, now: float) -> set[str]:
        """Record what is due of an endpoint's containers, and return the ids of those that there are."""
        variants = {variant.name: variant for variant in live.deployment.variants}
        last_request = self._metrics.last_request(live.caller, live.name)
        alive = set()
        for container in live.containers():
            alive.add(container.container_id)
            variant = variants.get(container.variant)
            if variant is None or container.pid is None or not container.healthy:
                continue
            since, cpu_then = self._seen.get(container.container_id, (container.started, 0.0))
            is_due = container.container_id not in self._seen or now - since >= _PERIOD_SECONDS
            is_silent = now - max(container.started, last_request) > _SILENT_AFTER_SECONDS
            if not is_due or is_silent:
                continue
            usage = usage_of(container.pid)
            self._seen[container.container_id] = (now, usage.cpu_seconds)
            role, asked = self._roles.of(variant, live.caller), {"cloudwatch:namespace": NAMESPACE}
            if role.allows("cloudwatch:PutMetricData", conditions=asked):
                elapsed = max(now - since, 1e-3)
                found = utilization(variant, usage.cpu_seconds - cpu_then, elapsed, usage.memory_bytes)
                self._record(live, variant, found)
        return alive

    def _record(self, live: LiveEndpoint, variant: Variant, found: list[tuple[str, float]]) -> None:
        dimensions = (("EndpointName", live.name), ("VariantName", variant.name))
        for name, value in found:
            self._recorder.add(Metric(live.caller, NAMESPACE, dimensions, name, "Percent"), value)


def utilization(variant: Variant, cpu_seconds: float, elapsed: float, memory_bytes: int) -> list[tuple[str, float]]:
    """The metrics of one container. cpu_seconds: taken within `elapsed` seconds. Pure.

    "The sum of each individual CPU core's utilization": two busy cores are 200 percent. Memory is told of the
    instance's, which here is this machine's, or of what a serverless variant was given.
    """
    if variant.serverless:
        memory = variant.serverless["MemorySizeInMB"] * 1024 * 1024
        return [("MemoryUtilization", 100 * memory_bytes / memory)]
    return [
        ("CPUUtilization", 100 * max(cpu_seconds, 0.0) / elapsed),
        ("MemoryUtilization", 100 * memory_bytes / _MACHINE_MEMORY),
    ]


def usage_of(pid: int) -> Usage:
    """What a process and its descendants use; nothing of those that have ended."""
    cpu, memory = 0.0, 0
    for process in _with_descendants(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
            # utime, stime and rss of proc(5), counted from the field after the name.
            cpu += (int(fields[11]) + int(fields[12])) / _TICKS
            memory += int(fields[21]) * _PAGE
    return Usage(cpu, memory)


def _with_descendants(pid: int) -> list[int]:
    found, pending = [], [pid]
    while pending:
        process = pending.pop()
        found.append(process)
        with contextlib.suppress(OSError, ValueError):
            for task in (_PROC / str(process) / "task").iterdir():
                pending += [int(child) for child in (task / "children").read_text().split()]
    return found
