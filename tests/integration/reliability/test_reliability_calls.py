# SPDX-License-Identifier: GPL-3.0-or-later
"""How many calls a run makes, which AWS's throttling makes a matter of reliability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reliability_operator import Operator
from reliability_stage import Stage

OTHERS = 30


def others(stage: Stage, number: int) -> Iterator[Stage]:
    """Endpoints that are not this one's; their containers are never started."""
    for each in range(number):
        other = Stage(stage.cloud, stage.image, stage.role_arn, f"other-{stage.name}-{each}")
        sagemaker = stage.cloud.client("sagemaker")
        container = {"Image": stage.image, "Environment": {}}
        variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        other.arm("capacity_shortage")
        sagemaker.create_model(ModelName=other.name, ExecutionRoleArn=stage.role_arn, PrimaryContainer=container)
        sagemaker.create_endpoint_config(
            EndpointConfigName=other.name, ProductionVariants=[{**variant, "ModelName": other.name}]
        )
        sagemaker.create_endpoint(EndpointName=other.name, EndpointConfigName=other.name)
        yield other


def unchanged(operator: Operator, wish: dict[str, Any]) -> list[str]:
    """The calls of a run that has nothing to do."""
    result = operator.run(wish)
    assert (result.get("failed", False), result["changed"]) == (False, False), result
    return operator.calls


def without_looks(calls: list[str]) -> list[str]:
    """The calls without those that only wait: how often is looked depends on how long SageMaker takes."""
    return [call for number, call in enumerate(calls) if call != "DescribeEndpoint" or calls[number - 1] != call]


def rotation(operator: Operator, wish: dict[str, Any]) -> list[str]:
    """The calls of a run that rotates, without the looks of its wait."""
    result = operator.run(wish)
    assert not result.get("failed"), result["msg"]
    return without_looks(operator.calls)


def test_a_rotation_makes_as_many_calls_each_time(stage: Stage, operator: Operator, record_property: Any) -> None:
    made = [rotation(operator, stage.wish(f"g{number}")) for number in range(6)]
    # The first has nothing to keep and the second nothing to collect; from then on they are all alike.
    assert made[3:] == [made[2]] * 3
    record_property("calls of a rotation, scaled instances", f"{len(made[2])}, {len(operator.writes)} of them writing")
    # What is deleted must serve nobody else: that is asked of each endpoint that changed since, and of no other.
    list(others(stage, OTHERS))
    made.append(rotation(operator, stage.wish("g6")))
    assert len(made[-1]) - len(made[2]) == 4 * OTHERS
    told = f"{len(made[-1])} after {OTHERS} other endpoints were changed, 4 more for each"
    record_property("calls of a rotation, scaled instances, others", told)


def test_a_rotation_makes_no_more_calls_for_generations_that_are_long_gone(stage: Stage, operator: Operator) -> None:
    wishes = [stage.wish(f"g{number}", keep_generations=2, autoscaling=False) for number in range(6)]
    counts = [len(rotation(operator, wish)) for wish in wishes]
    assert counts[-1] == counts[-2]


def test_an_unchanged_run_makes_as_many_calls_with_thirty_other_endpoints_and_old_generations(
    stage: Stage, operator: Operator, record_property: Any
) -> None:
    operator.run(stage.wish("1"))
    alone = unchanged(operator, stage.wish("1"))
    list(others(stage, OTHERS))
    assert unchanged(operator, stage.wish("1")) == alone
    for generation in ("2", "3", "4"):
        operator.run(stage.wish(generation, keep_generations=5))
    assert unchanged(operator, stage.wish("4", keep_generations=5)) == alone
    record_property("calls of an unchanged run, scaled instances", f"{len(alone)}: {', '.join(alone)}")
    assert operator.writes == []
