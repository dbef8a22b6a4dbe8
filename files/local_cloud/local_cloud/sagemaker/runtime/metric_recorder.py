# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers measurements by the second and brings them to CloudWatch in batches, and only while there are any."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...aws.caller import Caller
from ...ministack_backend import Ministack
from .late_flush import LateFlush

FLUSH_SECONDS = 1.0
# PutMetricData takes 1,000 metrics a call. ministack keeps a point for each distinct value for two weeks and goes
# through all of them on each call, so one metric has only so many a second: enough for its percentiles.
_DATUMS_A_CALL = 500
_VALUES_A_SECOND = 5
_REMEMBERED_WHILE_FAILING = 20_000

logger = logging.getLogger("local_cloud.metrics")


@dataclass(frozen=True)
class Metric:
    """A metric's identity. dimensions: names and values, in the order in which they are shown."""

    caller: Caller
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    name: str
    unit: str


class MetricRecorder:
    """Takes values at once and never waits; a CloudWatch that refuses them costs the values alone."""

    def __init__(self, ministack: Ministack) -> None:
        self._ministack = ministack
        self._values: dict[tuple[Metric, int], list[float]] = {}
        self._late = LateFlush(FLUSH_SECONDS, lambda: bool(self._values), self._flush)

    def add(self, metric: Metric, value: float, at: float | None = None) -> None:
        """Record a value. at: seconds since 1970, now if not given; it counts for that whole second."""
        key = (metric, int(time.time() if at is None else at))
        values = self._values.get(key)
        if values is None:
            if len(self._values) >= _REMEMBERED_WHILE_FAILING:
                return
            values = self._values[key] = []
        values.append(value)
        self._late.gathered()

    async def close(self) -> None:
        """Bring what is left to CloudWatch."""
        await self._late.close()

    async def _flush(self) -> None:
        gathered, self._values = self._values, {}
        batches: dict[tuple[Caller, str], list[dict[str, Any]]] = defaultdict(list)
        for (metric, second), values in gathered.items():
            batches[metric.caller, metric.namespace].append(datum(metric, second, values))
        for (caller, namespace), data in batches.items():
            for start in range(0, len(data), _DATUMS_A_CALL):
                try:
                    await self._ministack.json_call(
                        caller,
                        "monitoring",
                        "GraniteServiceVersion20100801.PutMetricData",
                        {"Namespace": namespace, "MetricData": data[start : start + _DATUMS_A_CALL]},
                    )
                except Exception:
                    logger.exception("metrics of %s did not reach CloudWatch", namespace)


def datum(metric: Metric, second: int, values: list[float]) -> dict[str, Any]:
    """One second of a metric, as PutMetricData takes it."""
    counted = summarised(values)
    return {
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        "Timestamp": second,
        "Unit": metric.unit,
        "Values": [value for value, _ in counted],
        "Counts": [float(count) for _, count in counted],
    }


def summarised(values: Iterable[float]) -> list[tuple[float, int]]:
    """At most five values with counts that stand for all: sum, count, least and greatest are kept exactly."""
    ordered = sorted(values)
    distinct = Counter(ordered)
    if len(distinct) <= _VALUES_A_SECOND:
        return list(distinct.items())
    inner = ordered[1:-1]
    parts = _VALUES_A_SECOND - 2
    slices = [inner[len(inner) * part // parts : len(inner) * (part + 1) // parts] for part in range(parts)]
    means = [(sum(piece) / len(piece), len(piece)) for piece in slices if piece]
    return [(ordered[0], 1), *means, (ordered[-1], 1)]
