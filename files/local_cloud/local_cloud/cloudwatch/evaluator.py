# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates CloudWatch's metric alarms about once a second, for as long as there are any.

ministack's own evaluation is kept from running: it takes the data of every metric of that name, whatever their
dimensions, as one single period, and only when somebody writes data, so that an alarm stays in ALARM when they stop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from .client import CloudWatch, MetricQuery
from .evaluation import INSUFFICIENT_DATA, AlarmRule, alarm_rule, evaluate, last_period_end
from .scaling_alarms import counts_a_rate, zero_since

_INTERVAL = 1.0
# The reason of the state that an alarm is made with.
_NEW = "Unchecked: Initial alarm creation"

logger = logging.getLogger("local_cloud.cloudwatch")


@dataclass(frozen=True)
class Observation:
    """An alarm after its evaluation.

    alarm: as DescribeAlarms shows it, with the state it is in. values: those it was decided on, newest first.
    by_hand: whether its state was set by SetAlarmState, and the data say another.
    """

    alarm: dict[str, Any]
    values: tuple[float, ...]
    by_hand: bool


class AlarmEvaluator:
    """Sets the state of every metric alarm, and tells `observe` of all of an account's alarms after each round.

    A state is set when what the data say changes. So a state that SetAlarmState gave stays until then; on AWS it stays
    until the next evaluation.
    """

    def __init__(
        self,
        cloudwatch: CloudWatch,
        time_scale: float,
        observe: Callable[[Caller, Sequence[Observation]], None],
    ) -> None:
        self._cloudwatch = cloudwatch
        self._time_scale = time_scale
        self._observe = observe
        # What the data said when they were last looked at, by the alarm's ARN.
        self._evaluated: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take over from ministack, and look whether alarms came back with the state."""
        from ministack.services import cloudwatch

        cloudwatch._evaluate_alarm = self._notice
        self._wake.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _notice(self, alarm: dict[str, Any]) -> None:
        """Called by ministack where it would evaluate an alarm: when one is put, and when data are."""
        if alarm["StateReason"] == _NEW:
            self._evaluated[alarm["AlarmArn"]] = INSUFFICIENT_DATA
        self._evaluated.setdefault(alarm["AlarmArn"], alarm["StateValue"])
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            try:
                if not await self._round():
                    self._wake.clear()
            except Exception:
                logger.exception("the alarms were not evaluated")
            await asyncio.sleep(_INTERVAL)

    async def _round(self) -> bool:
        """Evaluate every alarm once. False where there is none."""
        by_caller: dict[Caller, list[dict[str, Any]]] = defaultdict(list)
        for caller, alarm in self._cloudwatch.metric_alarms():
            by_caller[caller].append(alarm)
        for caller, alarms in by_caller.items():
            self._observe(caller, await self._evaluate(caller, alarms))
        left = {alarm["AlarmArn"] for _, alarm in self._cloudwatch.metric_alarms()}
        self._evaluated = {arn: state for arn, state in self._evaluated.items() if arn in left}
        return bool(left)

    async def _evaluate(self, caller: Caller, alarms: list[dict[str, Any]]) -> list[Observation]:
        now = time.time()
        ruled = [(alarm, rule) for alarm in alarms if (rule := alarm_rule(alarm, self._time_scale)) is not None]
        data = await self._cloudwatch.data(caller, [_query(alarm, rule, now) for alarm, rule in ruled])
        observations = []
        for (alarm, rule), values in zip(ruled, data, strict=True):
            if counts_a_rate(alarm):
                scale = float(alarm["Period"]) / rule.seconds
                values = {start: value * scale for start, value in values.items()}
            arn = alarm["AlarmArn"]
            before = self._evaluated.setdefault(arn, alarm["StateValue"])
            result = evaluate(rule, values, last_period_end(now, rule.seconds), before, zero_since(alarm))
            self._evaluated[arn] = result.state
            if result.state not in (before, alarm["StateValue"]):
                await self._set_state(caller, alarm, result.state, result.reason)
            observations.append(Observation(alarm, result.values, alarm["StateValue"] != result.state))
        # What cannot be evaluated here changes its state by hand alone.
        known = {alarm["AlarmArn"] for alarm, _ in ruled}
        return observations + [Observation(alarm, (), True) for alarm in alarms if alarm["AlarmArn"] not in known]

    async def _set_state(self, caller: Caller, alarm: dict[str, Any], state: str, reason: str) -> None:
        try:
            await self._cloudwatch.set_alarm_state(caller, alarm["AlarmName"], state, reason)
        except AwsError as error:  # deleted since the round began
            logger.info("%s: %s", alarm["AlarmName"], error.message)


def _query(alarm: dict[str, Any], rule: AlarmRule, now: float) -> MetricQuery:
    dimensions = sorted((item["Name"], item["Value"]) for item in alarm.get("Dimensions") or [])
    return MetricQuery(
        alarm["Namespace"],
        alarm["MetricName"],
        tuple(dimensions),
        alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average",
        rule.seconds,
        last_period_end(now, rule.seconds) - rule.range_seconds,
    )
