# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from local_cloud.autoscaling import rules as autoscaling
from local_cloud.aws.errors import AwsError
from local_cloud.sagemaker.deployment import (
    Deployment,
    plan_deployment,
    retain_variant_properties,
    variant_summaries,
)

MODEL = {"PrimaryContainer": {"Image": "image:1"}}


def deployment(name: str = "c", **changes: Any) -> Deployment:
    instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    variant = {"VariantName": "A", "ModelName": "m", **instances, **changes}
    return plan_deployment({"EndpointConfigName": name, "ProductionVariants": [variant]}, {"m": MODEL})


def serverless() -> Deployment:
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 3}
    return deployment(InstanceType=None, InitialInstanceCount=None, ServerlessConfig=config)


def test_a_deployment_survives_the_store() -> None:
    there = deployment()
    assert Deployment.from_document(json.loads(json.dumps(there.to_document()))) == there


def test_a_variant_has_a_process_for_each_instance_and_one_without_any() -> None:
    assert deployment(InitialInstanceCount=3).variants[0].process_count == 3
    assert serverless().variants[0].process_count == 1


def test_a_container_has_awss_time_to_become_healthy() -> None:
    assert serverless().variants[0].startup_seconds == 180
    assert deployment().variants[0].startup_seconds == 480
    assert deployment(ContainerStartupHealthCheckTimeoutInSeconds=60).variants[0].startup_seconds == 60


@pytest.mark.parametrize(
    ("excluded", "count", "weight"),
    [((), 4, 0.5), (("DesiredInstanceCount",), 1, 0.5), (("DesiredWeight",), 4, 1.0)],
)
def test_what_was_set_at_run_time_is_retained_but_what_is_excluded(
    excluded: tuple[str, ...], count: int, weight: float
) -> None:
    live = deployment()
    live = live.with_capacities({"A": 4}, {"A": 0.5})
    (variant,) = retain_variant_properties(deployment("new"), live, frozenset(excluded)).variants
    assert (variant.instance_count, variant.weight) == (count, weight)


def test_a_variant_that_is_new_keeps_what_it_asks_for() -> None:
    wanted = deployment("new", VariantName="B", InitialInstanceCount=2)
    assert retain_variant_properties(wanted, deployment(), frozenset()).variants[0].instance_count == 2


def test_describe_counts_instances_that_are_healthy_and_none_for_serverless() -> None:
    (summary,) = variant_summaries(deployment(InitialInstanceCount=3), {"A": 2})
    assert (summary["CurrentInstanceCount"], summary["DesiredInstanceCount"]) == (2, 3)
    (summary,) = variant_summaries(serverless(), {"A": 1})
    assert summary["CurrentInstanceCount"] == 0
    assert summary["CurrentServerlessConfig"]["MaxConcurrency"] == 3


COUNT, PROVISIONED = autoscaling.INSTANCE_COUNT, autoscaling.PROVISIONED_CONCURRENCY


@pytest.mark.parametrize(
    ("live", "dimension", "low", "high", "words"),
    [
        (deployment(), COUNT, 2, 1, "less than minimum"),
        (deployment(), COUNT, 0, 1, "1 or more"),
        (deployment(), PROVISIONED, 1, 1, f"scales by {COUNT}"),
        (serverless(), COUNT, 1, 1, f"scales by {PROVISIONED}"),
        (serverless(), PROVISIONED, 1, 4, "MaxConcurrency"),
    ],
)
def test_a_target_scales_what_its_variant_has(
    live: Deployment, dimension: str, low: int, high: int, words: str
) -> None:
    target = {"ScalableDimension": dimension, "MinCapacity": low, "MaxCapacity": high}
    with pytest.raises(AwsError, match=words):
        autoscaling.check_capacities(target, None, live.variants[0])


def test_a_registered_target_is_changed_in_parts() -> None:
    before = {"MinCapacity": 1, "MaxCapacity": 2}
    autoscaling.check_capacities({"ScalableDimension": COUNT, "MaxCapacity": 5}, before, deployment().variants[0])


def test_a_policy_has_the_configuration_of_its_type() -> None:
    policy = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    with pytest.raises(AwsError, match="TargetTrackingScalingPolicyConfiguration"):
        autoscaling.check_policy(policy, None)
    tracking = {"TargetValue": 1.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPU"}}
    with pytest.raises(AwsError, match="not a metric of SageMaker"):
        autoscaling.check_policy({**policy, "TargetTrackingScalingPolicyConfiguration": tracking}, None)
