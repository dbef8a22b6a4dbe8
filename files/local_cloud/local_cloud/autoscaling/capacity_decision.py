# SPDX-License-Identifier: GPL-3.0-or-later
"""How many instances, or how much concurrency, a target should have: what its policies' alarms come to. Pure.

Sources: "How target tracking scaling for Application Auto Scaling works" and "How step scaling for Application Auto
Scaling works" of Application Auto Scaling's guide; StepScalingPolicyConfiguration's and StepAdjustment's pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .policy_rules import STEP_CONFIGURATION, TRACKING, TRACKING_CONFIGURATION, step_interval
from .target_rules import bounded

# SageMaker's default for both directions ("Cooldown period" of the Auto scaling policy overview).
DEFAULT_COOLDOWN = 300


@dataclass(frozen=True)
class LastScaling:
    """The latest activity in one direction that was fulfilled. end: seconds since 1970; cooldown: AWS's seconds."""

    end: float
    before: int
    cooldown: float


@dataclass(frozen=True)
class TargetState:
    """A scalable target at this moment. policies: all of its policies, triggered or not."""

    current: int
    low: int
    high: int
    policies: Sequence[dict[str, Any]]
    in_suspended: bool = False
    out_suspended: bool = False
    last_out: LastScaling | None = None
    last_in: LastScaling | None = None


@dataclass(frozen=True)
class Trigger:
    """A policy that an alarm invokes.

    above: whether the alarm watches for values above its threshold. values: the alarm's datapoints, newest first.
    """

    policy: dict[str, Any]
    alarm_name: str
    above: bool
    values: tuple[float, ...]
    threshold: float
    state: str = "ALARM"


@dataclass(frozen=True)
class Decision:
    """What to do. desired is None where nothing is to be done; not_scaled says why, where AWS would."""

    trigger: Trigger
    desired: int | None
    not_scaled: dict[str, Any] | None = None
    cooldown: float = DEFAULT_COOLDOWN


def decide(state: TargetState, triggers: Sequence[Trigger], now: float, time_scale: float) -> Decision | None:
    """The one change that the triggered policies ask for, or None where there is nothing to say.

    Scaling out comes first, and of several policies the one that gives the largest capacity. Target tracking scales in
    only when every target tracking policy that scales in is ready to.
    """
    outs, ins, blocked = [], [], []
    for trigger in triggers:
        base, during_cooldown = state.current, False
        if state.last_out is not None and now < state.last_out.end + state.last_out.cooldown * time_scale:
            # Capacity that was added in this cooldown period is part of what is asked for now.
            base, during_cooldown = min(state.last_out.before, state.current), True
        wanted = _wanted(trigger, base if _scales_out(trigger, base) else state.current)
        desired = bounded(wanted, state.low, state.high)
        if desired > state.current:
            if not state.out_suspended:
                outs.append((desired, trigger))
        elif desired < state.current and not _scales_out(trigger, base):
            if not state.in_suspended and not _cooling(state.last_in, now, time_scale):
                ins.append((desired, trigger))
        elif not during_cooldown:
            blocked.append((_why_not(wanted, desired, state), trigger))
    if outs:
        return _chosen(outs, "ScaleOutCooldown")
    ready = {trigger.policy["PolicyARN"] for _, trigger in ins}
    waiting = [policy for policy in state.policies if _may_scale_in(policy) and policy["PolicyARN"] not in ready]
    if any(trigger.policy["PolicyType"] == TRACKING for _, trigger in ins) and waiting:
        ins = [(desired, trigger) for desired, trigger in ins if trigger.policy["PolicyType"] != TRACKING]
    if ins:
        return _chosen(ins, "ScaleInCooldown")
    return Decision(blocked[0][1], None, blocked[0][0]) if blocked else None


def _chosen(candidates: list[tuple[int, Trigger]], cooldown_member: str) -> Decision:
    desired, trigger = max(candidates, key=lambda candidate: candidate[0])
    if trigger.policy["PolicyType"] == TRACKING:
        cooldown = trigger.policy[TRACKING_CONFIGURATION].get(cooldown_member)
    else:
        cooldown = trigger.policy[STEP_CONFIGURATION].get("Cooldown")
    return Decision(trigger, desired, cooldown=DEFAULT_COOLDOWN if cooldown is None else cooldown)


def _wanted(trigger: Trigger, base: int) -> float:
    """The capacity that a policy asks for, before the bounds."""
    if trigger.policy["PolicyType"] == TRACKING:
        return tracked_capacity(
            base, trigger.policy[TRACKING_CONFIGURATION]["TargetValue"], trigger.values, trigger.above
        )
    return stepped_capacity(base, trigger.policy[STEP_CONFIGURATION], breach_of(trigger))


def tracked_capacity(current: int, target: float, values: Sequence[float], above: bool) -> float:
    """The capacity that brings the metric to its target: proportional, and rounded up.

    Scaling out follows the newest datapoint, as fast as it can. Scaling in is careful: the highest of all the
    datapoints that were below the threshold counts, so that the metric stays below its target.
    """
    if above:
        return max(math.ceil(max(current, 1) * values[0] / target), current + 1)
    return min(math.ceil(current * max(values) / target), current)


def stepped_capacity(current: int, configuration: dict[str, Any], breach: float) -> float:
    """The capacity that the step for this breach leads to; `current` where no step is for it.

    breach: the metric's value less the alarm's threshold.
    """
    step = next((step for step in configuration["StepAdjustments"] if _covers(step_interval(step), breach)), None)
    if step is None:
        return current
    adjustment = step["ScalingAdjustment"]
    if configuration["AdjustmentType"] == "ExactCapacity":
        return int(adjustment)
    if configuration["AdjustmentType"] == "PercentChangeInCapacity":
        adjustment = _rounded_change(current * adjustment / 100)
        least = configuration.get("MinAdjustmentMagnitude")
        if least and adjustment and abs(adjustment) < least:
            adjustment = int(math.copysign(least, adjustment))
    return max(0, current + adjustment)


def _rounded_change(change: float) -> int:
    """AWS's rounding: above 1 down, between 0 and 1 to 1, between 0 and -1 to -1, below -1 up."""
    if 0 < abs(change) < 1:
        return 1 if change > 0 else -1
    return math.trunc(change)


def _covers(interval: tuple[float, float], breach: float) -> bool:
    low, high = interval
    # Above the threshold the lower bound belongs to the step, below it the upper one.
    return low <= breach < high if breach >= 0 else low < breach <= high


def breach_of(trigger: Trigger) -> float:
    """How far the metric is from the threshold, by the policy's MetricAggregationType. 0 where there are no data."""
    if not trigger.values:
        return 0.0
    aggregation = trigger.policy[STEP_CONFIGURATION].get("MetricAggregationType", "Average")
    if aggregation == "Maximum":
        value = max(trigger.values)
    elif aggregation == "Minimum":
        value = min(trigger.values)
    else:
        value = sum(trigger.values) / len(trigger.values)
    return value - trigger.threshold


def _scales_out(trigger: Trigger, base: int) -> bool:
    return trigger.above if trigger.policy["PolicyType"] == TRACKING else _wanted(trigger, base) > base


def _may_scale_in(policy: dict[str, Any]) -> bool:
    return policy["PolicyType"] == TRACKING and not policy[TRACKING_CONFIGURATION].get("DisableScaleIn")


def _cooling(last: LastScaling | None, now: float, time_scale: float) -> bool:
    return last is not None and now < last.end + last.cooldown * time_scale


def _why_not(wanted: float, desired: int, state: TargetState) -> dict[str, Any]:
    """The NotScaledReason (Scaling activities page) of a policy that changes nothing."""
    if wanted > desired:
        return {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": state.high, "CurrentCapacity": state.current}
    if wanted < desired:
        return {"Code": "AlreadyAtMinCapacity", "MinCapacity": state.low, "CurrentCapacity": state.current}
    return {"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": state.current}
