# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from typing import Any

import pytest
from local_cloud.sagemaker.alarms import AlarmTripped, judge
from local_cloud.sagemaker.deployment import Deployment, plan_deployment
from local_cloud.sagemaker.guardrails import (
    DeploymentClock,
    effective_deployment_config,
    plan_update,
    rolling_counts,
)
from local_cloud.sagemaker.traffic import choose, shadow_share

ALARMS = {"Alarms": [{"AlarmName": "errors"}]}


def deployment(instances: int = 4, *, config: dict[str, Any] | None = None, **model: Any) -> Deployment:
    variant: dict[str, Any] = {"VariantName": "A", "ModelName": "m"}
    if instances:
        variant |= {"InstanceType": "ml.m5.large", "InitialInstanceCount": instances}
    else:
        variant |= {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5}}
    content = {"PrimaryContainer": {"Image": "i"}, **model}
    full = {"EndpointConfigName": "c", "ProductionVariants": [variant], **(config or {})}
    return plan_deployment(full, {"m": content})


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


def blue_green(kind: str, **routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 30, **routing},
            "TerminationWaitInSeconds": 60,
            "MaximumExecutionTimeoutInSeconds": 600,
        },
        "AutoRollbackConfiguration": ALARMS,
    }


def shifts(options: dict[str, Any] | None, wanted: Deployment) -> list[tuple[float, int, float]]:
    return [(round(shift.share, 2), shift.instances, shift.wait) for shift in plan_update(options, wanted).shifts]


def test_an_update_without_a_deployment_config_is_all_at_once_and_bakes_not() -> None:
    plan = plan_update(None, deployment())
    assert [(shift.share, shift.wait) for shift in plan.shifts] == [(1.0, 0)]
    assert (plan.alarms, plan.timeout, plan.rolling) == ((), None, False)


@pytest.mark.parametrize(
    ("options", "instances", "expected"),
    [
        (blue_green("ALL_AT_ONCE"), 4, [(1.0, 4, 60)]),
        (blue_green("CANARY", CanarySize=percent(25)), 4, [(0.25, 1, 30), (1.0, 4, 60)]),
        (blue_green("CANARY", CanarySize=count(2)), 4, [(0.5, 2, 30), (1.0, 4, 60)]),
        # A canary is one instance at least; its traffic is what was asked for all the same.
        (blue_green("CANARY", CanarySize=percent(10)), 2, [(0.1, 1, 30), (1.0, 2, 60)]),
        (blue_green("CANARY", CanarySize=percent(10)), 0, [(0.1, 0, 30), (1.0, 0, 60)]),
        (
            blue_green("LINEAR", LinearStepSize=percent(33)),
            3,
            [(0.33, 1, 30), (0.66, 2, 30), (0.99, 3, 30), (1.0, 3, 60)],
        ),
        (blue_green("LINEAR", LinearStepSize=percent(50)), 4, [(0.5, 2, 30), (1.0, 4, 60)]),
        (blue_green("LINEAR", LinearStepSize=count(1)), 3, [(0.33, 1, 30), (0.67, 2, 30), (1.0, 3, 60)]),
    ],
)
def test_traffic_shifts_in_the_steps_that_are_asked_for(
    options: dict[str, Any], instances: int, expected: list[tuple[float, int, float]]
) -> None:
    assert shifts(options, deployment(instances)) == expected


def test_the_waits_between_steps_and_the_last_baking_are_told_apart() -> None:
    canary, last = plan_update(blue_green("CANARY", CanarySize=percent(25)), deployment()).shifts
    assert (canary.wait_name, canary.capacity) == ("WaitIntervalInSeconds", "canary capacity of 1")
    assert (last.wait_name, last.capacity) == ("TerminationWaitInSeconds", "full capacity of 4")


@pytest.mark.parametrize(
    "wanted",
    [
        deployment(config={"KmsKeyId": "key"}),
        deployment(config={"DataCaptureConfig": {"EnableCapture": True}}),
        deployment(EnableNetworkIsolation=True),
        deployment(PrimaryContainer={"Image": "i", "Mode": "MultiModel"}),
        deployment(PrimaryContainer=None, Containers=[{"Image": "i"}, {"Image": "j"}]),
    ],
)
def test_a_feature_that_excludes_guardrails_makes_it_all_at_once_without_baking(wanted: Deployment) -> None:
    plan = plan_update(blue_green("CANARY", CanarySize=percent(25)), wanted)
    assert [(shift.share, shift.wait) for shift in plan.shifts] == [(1.0, 0)]
    assert plan.alarms == ()


def rolling(size: dict[str, Any], back: dict[str, Any] | None = None) -> dict[str, Any]:
    policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 30, "RollbackMaximumBatchSize": back}
    return {"RollingUpdatePolicy": policy, "AutoRollbackConfiguration": ALARMS}


@pytest.mark.parametrize(
    ("size", "instances", "batches"),
    [(count(1), 3, (1, 1, 1)), (count(2), 5, (2, 2, 1)), (percent(50), 4, (2, 2)), (percent(5), 2, (1, 1))],
)
def test_a_rolling_deployment_replaces_batch_by_batch(
    size: dict[str, Any], instances: int, batches: tuple[int, ...]
) -> None:
    plan = plan_update(rolling(size), deployment(instances))
    assert (plan.batches, plan.wait, plan.alarms, plan.rolling) == (batches, 30, ("errors",), True)


def test_a_rolling_deployment_is_rolled_back_all_at_once_unless_it_says_otherwise() -> None:
    assert plan_update(rolling(count(1)), deployment(4)).rollback_batch == 4
    assert plan_update(rolling(count(1), percent(50)), deployment(4)).rollback_batch == 2


@pytest.mark.parametrize("old", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("batches", [(1,), (1, 1), (2, 2, 1), (3, 3, 3)])
def test_capacity_is_never_below_the_smaller_fleet_nor_more_than_a_batch_above_the_larger(
    old: int, batches: tuple[int, ...]
) -> None:
    wanted, staying = sum(batches), old
    for batch, (next_staying, new) in zip(batches, rolling_counts(old, batches), strict=True):
        assert staying + new <= max(old, wanted) + batch, "while the batch is beside those that it replaces"
        assert next_staying + new >= min(old, wanted), "when they have gone"
        staying = next_staying
    assert rolling_counts(old, batches)[-1] == (0, wanted)


def test_the_deployment_config_is_the_calls_own_or_the_last_one() -> None:
    last, own = blue_green("ALL_AT_ONCE"), rolling(count(1))
    assert effective_deployment_config(own, True, last) is own
    assert effective_deployment_config(None, True, last) is last
    assert effective_deployment_config(None, False, last) is None
    assert effective_deployment_config(None, True, None) is None


def test_a_deployments_clock_runs_out_or_never_does() -> None:
    clock = DeploymentClock(600)
    clock.spend(250)
    assert clock.left == 350
    clock.spend(500)
    assert clock.left == 0
    assert DeploymentClock(None, 1e9).left == math.inf


def test_an_alarm_in_alarm_or_one_that_is_not_there_is_told_by_name() -> None:
    states = {"MetricAlarms": [{"AlarmName": "errors", "StateValue": "OK"}]}
    judge(["errors"], states)
    judge(["errors"], {"MetricAlarms": [{"AlarmName": "errors", "StateValue": "INSUFFICIENT_DATA"}]})
    with pytest.raises(AlarmTripped, match=r"alarm\(s\) all went into ALARM state"):
        judge(["errors", "all"], {**states, "CompositeAlarms": [{"AlarmName": "all", "StateValue": "ALARM"}]})
    with pytest.raises(AlarmTripped, match=r"latency .*do not exist"):
        judge(["errors", "latency"], states)


def test_each_choice_has_its_share_and_one_without_weight_has_none() -> None:
    rolls = [step / 1000 for step in range(1000)]
    chosen = [choose([3.0, 0.0, 1.0], roll) for roll in rolls]
    assert [chosen.count(index) for index in range(3)] == [750, 0, 250]
    assert [[choose([0.0, 0.0], roll) for roll in rolls].count(index) for index in range(2)] == [500, 500]
    assert choose([1.0, 0.0], math.nextafter(1, 0)) == 0


@pytest.mark.parametrize(
    ("shadow", "production", "share"), [(0.5, 1.0, 0.5), (1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (0.0, 1.0, 0.0), (1, 0, 1)]
)
def test_a_shadow_gets_copies_in_proportion_to_production(shadow: float, production: float, share: float) -> None:
    assert shadow_share(shadow, production) == share
