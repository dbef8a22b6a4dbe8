# SPDX-License-Identifier: GPL-3.0-or-later
"""Which state a metric alarm is in, from its metric's datapoints. Pure.

Source: "Alarm evaluation" and "Configuring how alarms treat missing data" of CloudWatch's guide.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ALARM, OK, INSUFFICIENT_DATA = "ALARM", "OK", "INSUFFICIENT_DATA"

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
# CloudWatch looks back a little further than the periods it evaluates, so that one late datum changes nothing.
_MORE_PERIODS = 2
# How long after a period its data are waited for: metrics are written in batches, up to a second and a half later.
SETTLING_SECONDS = 2.0


@dataclass(frozen=True)
class AlarmRule:
    """When an alarm is in ALARM.

    periods, datapoints_to_alarm: N and M of "M out of N". missing: TreatMissingData. seconds: how long a period
    really is here, a whole number; it is AWS's period times the local cloud's time_scale, and at least 1.
    """

    threshold: float
    comparison: str
    periods: int
    datapoints_to_alarm: int
    missing: str
    seconds: int

    def breached_by(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][0](value, self.threshold)

    @property
    def range_seconds(self) -> int:
        """How far back datapoints are looked at."""
        return (self.periods + _MORE_PERIODS) * self.seconds


@dataclass(frozen=True)
class Evaluation:
    """An alarm's state, why, and the values it was decided on, newest first."""

    state: str
    reason: str
    values: tuple[float, ...]


def alarm_rule(described: Mapping[str, Any], time_scale: float) -> AlarmRule | None:
    """The rule of an alarm as DescribeAlarms shows it; None for kinds that this evaluator does not know."""
    if described.get("ComparisonOperator") not in _COMPARISONS or not described.get("MetricName"):
        return None
    periods = described.get("EvaluationPeriods") or 1
    return AlarmRule(
        threshold=float(described.get("Threshold") or 0.0),
        comparison=described["ComparisonOperator"],
        periods=periods,
        datapoints_to_alarm=described.get("DatapointsToAlarm") or periods,
        missing=described.get("TreatMissingData") or "missing",
        seconds=local_seconds(described.get("Period") or 60, time_scale),
    )


def local_seconds(period: float, time_scale: float) -> int:
    """How long a period of CloudWatch's lasts here: whole seconds, the finest that CloudWatch's statistics have."""
    return max(1, round(period * time_scale))


def last_period_end(now: float, seconds: int) -> float:
    """The end of the newest period that all data are in of."""
    return (now - SETTLING_SECONDS) // seconds * seconds


def evaluate(
    rule: AlarmRule, data: Mapping[int, float], end: float, state: str, zero_since: float | None = None
) -> Evaluation:
    """The alarm's next state.

    data: a value by the start of its period (seconds since 1970). end: the newest complete period's end.
    state: the alarm's state so far. zero_since: from when on a period without a datum counts as zero.
    """
    starts = [int(end) - (index + 1) * rule.seconds for index in range(rule.periods + _MORE_PERIODS)]
    values = [data.get(start, 0.0 if zero_since is not None and start >= zero_since else None) for start in starts]
    real = tuple(value for value in values if value is not None)
    if len(real) >= rule.periods:
        return _decided(rule, real[: rule.periods], rule.datapoints_to_alarm)
    breaching = sum(map(rule.breached_by, real))
    if rule.missing in ("breaching", "notBreaching"):
        filled = rule.periods - len(real) if rule.missing == "breaching" else 0
        over = breaching + filled >= rule.datapoints_to_alarm
        return Evaluation(ALARM if over else OK, _reason(rule, real, over), real)
    if breaching >= rule.datapoints_to_alarm or breaching < len(real):
        return _decided(rule, real, rule.datapoints_to_alarm)
    if rule.missing == "ignore":
        return Evaluation(state, "Insufficient Data: the state is kept.", real)
    # All that is there breaches, but it is less than it takes. It is an alarm once the oldest is as old as
    # DatapointsToAlarm; before that it may be the first of a metric, and an alarm would be premature.
    oldest = max((index for index, value in enumerate(values, start=1) if value is not None), default=0)
    if oldest >= rule.datapoints_to_alarm:
        return _decided(rule, real, len(real))
    unknown = rule.periods - len(real)
    return Evaluation(INSUFFICIENT_DATA, f"Insufficient Data: {unknown} datapoints were unknown.", real)


def _decided(rule: AlarmRule, values: tuple[float, ...], needed: int) -> Evaluation:
    over = sum(map(rule.breached_by, values)) >= needed
    return Evaluation(ALARM if over else OK, _reason(rule, values, over), values)


def _reason(rule: AlarmRule, values: tuple[float, ...], over: bool) -> str:
    """CloudWatch's own sentence, but for the times of the datapoints."""
    words = _COMPARISONS[rule.comparison][1]
    shown = ", ".join(f"{value:g}" for value in values[: rule.periods])
    count, verb = (f"{len(values)} datapoint", "was") if len(values) == 1 else (f"{len(values)} datapoints", "were")
    verb += "" if over else " not"
    return f"Threshold Crossed: {count} [{shown}] {verb} {words} the threshold ({rule.threshold})."
