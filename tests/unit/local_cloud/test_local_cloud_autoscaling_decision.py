# SPDX-License-Identifier: GPL-3.0-or-later
"""How much capacity Application Auto Scaling asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from local_cloud.autoscaling.capacity_decision import (
    Decision,
    LastScaling,
    TargetState,
    Trigger,
    decide,
    stepped_capacity,
    tracked_capacity,
)

NOW = 1_000_000.0


def tracking(target: float = 70.0, name: str = "track", **changes: Any) -> dict[str, Any]:
    configuration = {"TargetValue": target, **changes}
    return {
        "PolicyARN": name,
        "PolicyName": name,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }


def stepping(*steps: tuple[float | None, float | None, int], name: str = "step", **changes: Any) -> dict[str, Any]:
    adjustments = [
        {
            **({} if low is None else {"MetricIntervalLowerBound": low}),
            **({} if high is None else {"MetricIntervalUpperBound": high}),
            "ScalingAdjustment": adjustment,
        }
        for low, high, adjustment in steps
    ]
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": adjustments, **changes}
    return {
        "PolicyARN": name,
        "PolicyName": name,
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": configuration,
    }


def high(policy: dict[str, Any], *values: float, threshold: float = 70.0) -> Trigger:
    return Trigger(policy, f"{policy['PolicyName']}-high", True, values, threshold)


def low(policy: dict[str, Any], *values: float, threshold: float = 63.0) -> Trigger:
    return Trigger(policy, f"{policy['PolicyName']}-low", False, values, threshold)


def state(current: int, *policies: dict[str, Any], minimum: int = 1, maximum: int = 10, **changes: Any) -> TargetState:
    return TargetState(current, minimum, maximum, policies, **changes)


def desired(target: TargetState, *triggers: Trigger, now: float = NOW) -> int | None:
    decision = decide(target, triggers, now, time_scale=1)
    return decision.desired if decision else None


@pytest.mark.parametrize(
    ("current", "value", "wanted"), [(1, 71, 2), (1, 140, 2), (1, 141, 3), (4, 105, 6), (2, 700, 20), (0, 100, 2)]
)
def test_scaling_out_is_proportional_to_the_metric_and_rounded_up(current: int, value: float, wanted: int) -> None:
    assert tracked_capacity(current, 70, [value, 1, 1], above=True) == wanted


@pytest.mark.parametrize(
    ("current", "values", "wanted"), [(4, (0, 0), 0), (4, (10, 35), 2), (4, (10, 36), 3), (4, (62,), 4), (3, (0.1,), 1)]
)
def test_scaling_in_leaves_enough_for_the_highest_value_that_was_seen(
    current: int, values: tuple[float, ...], wanted: int
) -> None:
    assert tracked_capacity(current, 70, values, above=False) == wanted


def test_what_is_asked_for_stays_within_the_bounds() -> None:
    policy = tracking()
    assert desired(state(2, policy, maximum=5), high(policy, 700)) == 5
    assert desired(state(4, policy, minimum=2), low(policy, 0)) == 2


def test_a_target_at_its_bound_is_not_scaled_and_says_why() -> None:
    policy = tracking()
    at_most = decide(state(5, policy, maximum=5), [high(policy, 700)], NOW, 1)
    assert at_most is not None
    assert at_most.desired is None
    assert at_most.not_scaled == {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 5, "CurrentCapacity": 5}
    at_least = decide(state(1, policy), [low(policy, 0)], NOW, 1)
    assert at_least is not None
    assert at_least.not_scaled == {"Code": "AlreadyAtMinCapacity", "MinCapacity": 1, "CurrentCapacity": 1}
    neither = decide(state(4, policy), [low(policy, 62)], NOW, 1)
    assert neither is not None
    assert neither.not_scaled == {"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": 4}


def test_nothing_is_done_without_an_alarm() -> None:
    assert decide(state(2, tracking()), [], NOW, 1) is None


def test_of_several_policies_the_largest_capacity_wins() -> None:
    # The reference page's example: by 3, or by 200 percent of 10.
    by_three, by_percent = (
        stepping((0, None, 3), name="three"),
        stepping((0, None, 200), name="percent", AdjustmentType="PercentChangeInCapacity"),
    )
    target = state(10, by_three, by_percent, maximum=100)
    assert desired(target, high(by_three, 80), high(by_percent, 80)) == 30


def test_scaling_out_comes_before_scaling_in() -> None:
    out, back = tracking(name="out"), tracking(name="in")
    assert desired(state(4, out, back), high(out, 80), low(back, 0)) == 5


def test_target_tracking_scales_in_only_when_every_policy_that_scales_in_is_ready() -> None:
    one, other = tracking(name="one"), tracking(name="other")
    assert desired(state(4, one, other), low(one, 0)) is None
    assert desired(state(4, one, other), low(one, 0), low(other, 35)) == 2
    never = tracking(name="never", DisableScaleIn=True)
    assert desired(state(4, one, never), low(one, 0)) == 1


def test_a_step_scaling_policy_scales_in_whatever_target_tracking_thinks() -> None:
    track, step = tracking(), stepping((None, 0, -1))
    assert desired(state(4, track, step), low(step, 10, threshold=20)) == 3


def test_suspended_directions_are_left_alone() -> None:
    policy = tracking()
    assert desired(state(2, policy, out_suspended=True), high(policy, 700)) is None
    assert desired(state(2, policy, in_suspended=True), low(policy, 0)) is None
    assert desired(state(2, policy, in_suspended=True), high(policy, 700)) == 10


def test_scaling_in_waits_for_its_cooldown_and_no_longer() -> None:
    policy = tracking(ScaleInCooldown=100)
    cooling = state(4, policy, last_in=LastScaling(NOW - 50, 6, 100))
    assert desired(cooling, low(policy, 0)) is None
    assert desired(cooling, low(policy, 0), now=NOW + 51) == 1
    assert desired(cooling, high(policy, 80)) == 5


def test_what_was_added_in_a_cooldown_is_part_of_what_is_asked_for_next() -> None:
    # How step scaling works: 2 were added to 4; an alarm that asks for 3 more adds 1, and one that asks for 2 nothing.
    policy = stepping((0, 20, 2), (20, None, 3), Cooldown=300)
    added = state(6, policy, last_out=LastScaling(NOW - 10, 4, 300))
    assert desired(added, high(policy, 75)) is None
    assert desired(added, high(policy, 95)) == 7
    assert desired(added, high(policy, 75), now=NOW + 300) == 8


def test_cooldowns_are_as_long_as_the_time_scale_says() -> None:
    policy = tracking()
    cooling = state(4, policy, last_in=LastScaling(NOW - 4, 6, 300))
    assert decide(cooling, [low(policy, 0)], NOW, time_scale=0.02) is None
    assert decide(cooling, [low(policy, 0)], NOW, time_scale=0.01) is not None


@pytest.mark.parametrize(
    ("policy", "cooldown"),
    [
        (tracking(ScaleOutCooldown=7, ScaleInCooldown=9), 7),
        (tracking(ScaleOutCooldown=0), 0),
        (tracking(), 300),
        (stepping((0, None, 1), Cooldown=11), 11),
        (stepping((0, None, 1)), 300),
    ],
)
def test_the_cooldown_is_the_policys_or_five_minutes(policy: dict[str, Any], cooldown: float) -> None:
    decision = decide(state(1, policy), [high(policy, 80)], NOW, 1)
    assert isinstance(decision, Decision)
    assert decision.cooldown == cooldown


# StepAdjustment's page: the bounds are relative to the alarm's threshold.
@pytest.mark.parametrize(("breach", "wanted"), [(0, 10), (9.9, 10), (10, 11), (19, 11), (20, 13), (1000, 13)])
def test_the_step_for_the_size_of_the_breach_is_taken(breach: float, wanted: int) -> None:
    steps = stepping((0, 10, 0), (10, 20, 1), (20, None, 3))["StepScalingPolicyConfiguration"]
    assert stepped_capacity(10, steps, breach) == wanted


@pytest.mark.parametrize(("breach", "wanted"), [(-5, 10), (-10, 9), (-19, 9), (-20, 7), (5, 10)])
def test_below_the_threshold_a_steps_upper_bound_belongs_to_it(breach: float, wanted: int) -> None:
    steps = stepping((-10, 0, 0), (-20, -10, -1), (None, -20, -3))["StepScalingPolicyConfiguration"]
    assert stepped_capacity(10, steps, breach) == wanted


@pytest.mark.parametrize(
    ("percent", "least", "wanted"),
    [(10, None, 4 + 1), (40, None, 4 + 1), (60, None, 4 + 2), (-30, None, 4 - 1), (25, 2, 6)],
)
def test_percents_are_rounded_as_aws_rounds_them(percent: int, least: int | None, wanted: int) -> None:
    steps = stepping((0, None, percent), AdjustmentType="PercentChangeInCapacity")["StepScalingPolicyConfiguration"]
    if least:
        steps["MinAdjustmentMagnitude"] = least
    assert stepped_capacity(4, steps, 1) == wanted


def test_an_exact_capacity_is_what_the_step_says() -> None:
    policy = stepping((0, None, 3), AdjustmentType="ExactCapacity")
    assert desired(state(1, policy), high(policy, 80)) == 3
    assert desired(state(5, policy), high(policy, 80)) == 3


@pytest.mark.parametrize(("aggregation", "wanted"), [("Average", 3), ("Maximum", 5), ("Minimum", 2)])
def test_the_breach_is_aggregated_as_the_policy_says(aggregation: str, wanted: int) -> None:
    policy = stepping((0, 10, 1), (10, 30, 2), (30, None, 4), MetricAggregationType=aggregation)
    assert desired(state(1, policy), high(policy, 75, 85, 110)) == wanted


def test_a_state_set_by_hand_without_data_is_a_breach_of_nothing() -> None:
    policy = stepping((0, None, 2))
    assert desired(state(1, policy), high(policy)) == 3


def test_capacity_above_the_maximum_is_not_brought_down_by_scaling_out() -> None:
    policy = tracking()
    assert desired(replace(state(6, policy), high=5), high(policy, 80)) is None
