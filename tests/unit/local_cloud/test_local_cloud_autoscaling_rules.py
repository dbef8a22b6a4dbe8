# SPDX-License-Identifier: GPL-3.0-or-later
"""What Application Auto Scaling refuses, and the alarms that it makes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_cloud.autoscaling.alarms import is_action_of, tracking_alarms
from local_cloud.autoscaling.policy_rules import check_only_one, check_policy, merged_policy
from local_cloud.autoscaling.records import page
from local_cloud.autoscaling.resources import INSTANCE_COUNT, PROVISIONED_CONCURRENCY, scalable_of
from local_cloud.autoscaling.target_rules import check_bounds, check_quota, check_request, check_tags, check_variant
from local_cloud.aws.errors import AwsError
from local_cloud.sagemaker.deployment import Variant, plan_deployment

MODEL = {"PrimaryContainer": {"Image": "image:1"}}
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/demo/variant/A",
    "ScalableDimension": INSTANCE_COUNT,
}
INVOCATIONS = {"PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}


def variant(instance_type: str = "ml.m5.large", **serverless: Any) -> Variant:
    config: dict[str, Any] = {"VariantName": "A", "ModelName": "m"}
    config |= {"ServerlessConfig": serverless} if serverless else {"InstanceType": instance_type}
    if not serverless:
        config["InitialInstanceCount"] = 1
    return plan_deployment({"EndpointConfigName": "c", "ProductionVariants": [config]}, {"m": MODEL}).variants[0]


def tracking(**configuration: Any) -> dict[str, Any]:
    configuration = {"TargetValue": 70.0, **configuration}
    if not any("MetricSpecification" in name for name in configuration):
        configuration |= INVOCATIONS
    return {
        **TARGET,
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }


def stepping(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": list(steps), **changes}
    return {
        **TARGET,
        "PolicyName": "p",
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": configuration,
    }


def step(low: float | None, high: float | None, by: int = 1) -> dict[str, Any]:
    bounds = {"MetricIntervalLowerBound": low, "MetricIntervalUpperBound": high}
    return {**{name: bound for name, bound in bounds.items() if bound is not None}, "ScalingAdjustment": by}


@pytest.mark.parametrize(
    "changes",
    [
        {"ServiceNamespace": "ecs"},
        {"ResourceId": "endpoint/demo"},
        {"ResourceId": "endpoint/demo/variant/A/more"},
        {"ResourceId": "table/demo"},
        {"ScalableDimension": "ecs:service:DesiredCount"},
        {"ScalableDimension": "sagemaker:inference-component:DesiredCopyCount"},
    ],
)
def test_what_is_no_variant_of_sagemaker_is_unsupported(changes: dict[str, str]) -> None:
    with pytest.raises(AwsError, match="Unsupported service namespace, resource type or scalable dimension"):
        scalable_of({**TARGET, **changes})


def test_a_new_target_needs_both_bounds_and_a_known_one_none() -> None:
    with pytest.raises(AwsError, match="Minimum capacity must be specified"):
        check_request({"MaxCapacity": 1}, registered=False)
    with pytest.raises(AwsError, match="Maximum capacity must be specified"):
        check_request({"MinCapacity": 1}, registered=False)
    check_request({}, registered=True)


def test_bounds_are_in_order() -> None:
    with pytest.raises(AwsError, match="Maximum capacity cannot be less than minimum capacity"):
        check_bounds(2, 1)
    with pytest.raises(AwsError, match="Minimum capacity cannot be less than 0"):
        check_bounds(-1, 1)
    check_bounds(0, 0)


SERVERLESS = variant(MemorySizeInMB=1024, MaxConcurrency=5, ProvisionedConcurrency=1)


@pytest.mark.parametrize(
    ("live", "dimension", "low", "high", "words"),
    [
        (variant(), PROVISIONED_CONCURRENCY, 1, 1, f"scales by {INSTANCE_COUNT}"),
        (SERVERLESS, INSTANCE_COUNT, 1, 1, f"scales by {PROVISIONED_CONCURRENCY}"),
        (SERVERLESS, PROVISIONED_CONCURRENCY, 1, 6, "MaxConcurrency"),
        (SERVERLESS, PROVISIONED_CONCURRENCY, 0, 1, "less than 1"),
        (variant(MemorySizeInMB=1024, MaxConcurrency=5), PROVISIONED_CONCURRENCY, 1, 2, "nothing to scale"),
        (variant(), INSTANCE_COUNT, 0, 1, "less than 1"),
        (variant("ml.t2.medium"), INSTANCE_COUNT, 1, 2, "You cannot register a variant with ml.t2.medium instance"),
    ],
)
def test_a_target_is_what_its_variant_can_have(live: Variant, dimension: str, low: int, high: int, words: str) -> None:
    with pytest.raises(AwsError, match=words):
        check_variant(dimension, low, high, live, asynchronous=False)


def test_an_asynchronous_endpoint_may_have_no_instances() -> None:
    check_variant(INSTANCE_COUNT, 0, 1, variant(), asynchronous=True)


def test_more_instances_than_the_quota_are_refused_in_awss_words() -> None:
    check_quota("ml.m5.large", 1, 100)
    check_quota("ml.m5.large", 120, 110)
    with pytest.raises(AwsError, match=r"limit 'ml\.m5\.large for endpoint usage' is 100 Instances") as refused:
        check_quota("ml.m5.large", 1, 101)
    assert refused.value.code == "ResourceLimitExceeded"
    assert "current utilization of 1 Instances and a request delta of 100 Instances" in refused.value.message


def test_tags_are_few_none_is_awss_and_a_known_target_gets_them_otherwise() -> None:
    with pytest.raises(AwsError) as refused:
        check_tags({str(number): "" for number in range(51)})
    assert refused.value.code == "TooManyTagsException"
    with pytest.raises(AwsError, match="aws: prefixed"):
        check_tags({"AWS:x": ""})
    with pytest.raises(AwsError, match="use the TagResource API"):
        check_request({"Tags": {"a": "b"}}, registered=True)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({**tracking(), "StepScalingPolicyConfiguration": {}}, "no other configuration"),
        ({**tracking(), "PolicyType": "StepScaling"}, "has a StepScalingPolicyConfiguration"),
        (tracking(TargetValue=0.0), "TargetValue"),
        (tracking(TargetValue=float("inf")), "TargetValue"),
        (tracking(ScaleInCooldown=-1), "ScaleInCooldown cannot be negative"),
        (tracking(**INVOCATIONS, CustomizedMetricSpecification={}), "either"),
        (
            tracking(PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}),
            "not supported",
        ),
        (
            tracking(
                PredefinedMetricSpecification={
                    "PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"
                }
            ),
            "not supported",
        ),
        (tracking(CustomizedMetricSpecification={"MetricName": "m"}), "needs Namespace, Statistic"),
        (tracking(CustomizedMetricSpecification={"Metrics": [{"Id": "a", "Expression": "1"}]}), "no metric math"),
        (stepping(), "At least one step"),
        (stepping(step(0, None), AdjustmentType=None), "AdjustmentType must be specified"),
        (stepping(step(0, 10), step(20, None)), "gap"),
        (stepping(step(0, 20), step(10, None)), "overlap"),
        (stepping(step(0, 10)), "null upper bound"),
        (stepping(step(-10, 0)), "null lower bound"),
        (stepping(step(10, 10)), "greater than the lower bound"),
        (stepping(step(None, None), step(0, None)), "can't be null in the same"),
        (stepping(step(0, None, -1), AdjustmentType="ExactCapacity"), "non-negative"),
        (stepping(step(0, None), MinAdjustmentMagnitude=1), "PercentChangeInCapacity alone"),
        (stepping(*[step(n, n + 1) for n in range(20)], step(20, None)), "at most 20"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(policy: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        check_policy(policy, None)


def test_policies_that_work_are_taken() -> None:
    check_policy(tracking(), None)
    custom = {"MetricName": "CPUUtilization", "Namespace": "/aws/sagemaker/Endpoints", "Statistic": "Average"}
    check_policy(tracking(CustomizedMetricSpecification=custom), None)
    query = {"Id": "m", "MetricStat": {"Stat": "p90", "Metric": {"MetricName": "m", "Namespace": "n"}}}
    check_policy(tracking(CustomizedMetricSpecification={"Metrics": [query]}), None)
    check_policy(stepping(step(None, -10, -2), step(-10, 0, -1), step(0, None, 1)), None)
    check_policy(stepping(step(None, None, 1)), None)


def test_a_policys_type_never_changes() -> None:
    with pytest.raises(AwsError, match="stays one"):
        check_policy(tracking(), stepping(step(0, None)))


def test_a_target_tracks_a_metric_once() -> None:
    other = {**tracking(TargetValue=10.0), "PolicyName": "other"}
    with pytest.raises(AwsError, match="Only one TargetTrackingScaling policy for a given metric specification"):
        check_only_one(tracking(), [other])
    custom = {"MetricName": "m", "Namespace": "n", "Statistic": "Sum"}
    mine = tracking(CustomizedMetricSpecification=custom)
    check_only_one(mine, [other])
    with pytest.raises(AwsError):
        check_only_one(mine, [tracking(CustomizedMetricSpecification={**custom, "Dimensions": []})])
    check_only_one(mine, [tracking(CustomizedMetricSpecification={**custom, "Statistic": "Average"})])


def test_an_update_keeps_what_it_does_not_name() -> None:
    before = tracking(ScaleInCooldown=5)
    update = {**TARGET, "PolicyName": "p", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 20.0}}
    after = merged_policy(update, before)
    assert after["PolicyType"] == "TargetTrackingScaling"
    assert after["TargetTrackingScalingPolicyConfiguration"] == {"TargetValue": 20.0, **INVOCATIONS}
    custom = {"TargetValue": 1.0, "CustomizedMetricSpecification": {"MetricName": "m"}}
    after = merged_policy({**update, "TargetTrackingScalingPolicyConfiguration": custom}, before)
    assert after["TargetTrackingScalingPolicyConfiguration"] == custom
    assert merged_policy({**TARGET, "PolicyName": "p"}, None)["PolicyType"] == "StepScaling"


def test_target_tracking_makes_the_alarms_that_aws_makes() -> None:
    arn = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:1:resource/x:policyName/p:createdBy/2"
    high, low = tracking_alarms(tracking(), arn)
    assert high["AlarmName"].startswith("TargetTracking-endpoint/demo/variant/A-AlarmHigh-")
    assert low["AlarmName"].startswith("TargetTracking-endpoint/demo/variant/A-AlarmLow-")
    assert (high["Threshold"], high["ComparisonOperator"]) == (70.0, "GreaterThanThreshold")
    assert (low["Threshold"], low["ComparisonOperator"]) == (63.0, "LessThanThreshold")
    assert (high["EvaluationPeriods"], low["EvaluationPeriods"], high["Period"]) == (3, 15, 60)
    assert (high["Namespace"], high["MetricName"], high["Statistic"]) == (
        "AWS/SageMaker",
        "InvocationsPerInstance",
        "Sum",
    )
    assert high["Dimensions"] == [
        {"Name": "EndpointName", "Value": "demo"},
        {"Name": "VariantName", "Value": "A"},
    ]
    assert high["AlarmDescription"] == f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}."
    assert high["AlarmActions"] == [arn]


def test_a_policy_that_never_scales_in_has_no_alarm_for_it() -> None:
    (high,) = tracking_alarms(tracking(DisableScaleIn=True), "arn")
    assert "AlarmHigh" in high["AlarmName"]


def test_a_high_resolution_metric_is_quick_to_scale_out_and_as_slow_as_any_to_scale_in() -> None:
    metric = {"PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"}
    high, low = tracking_alarms(tracking(PredefinedMetricSpecification=metric, TargetValue=5.0), "arn")
    assert high["Period"] * high["EvaluationPeriods"] == 30
    assert low["Period"] * low["EvaluationPeriods"] == 900
    assert low["Threshold"] == 4.5


def test_a_percentile_of_a_metric_of_ones_own_can_be_tracked() -> None:
    stat = {
        "Stat": "p90",
        "Unit": "Microseconds",
        "Metric": {"MetricName": "ModelLatency", "Namespace": "AWS/SageMaker"},
    }
    query = {"Id": "m", "MetricStat": stat}
    high, _ = tracking_alarms(tracking(CustomizedMetricSpecification={"Metrics": [query]}), "arn")
    assert (high["ExtendedStatistic"], high["Unit"]) == ("p90", "Microseconds")
    assert "Statistic" not in high


def test_an_alarms_action_may_say_who_made_it() -> None:
    assert is_action_of("arn:p", "arn:p")
    assert is_action_of("arn:p:createdBy/1", "arn:p")
    assert not is_action_of("arn:p2", "arn:p")


def test_pages_follow_each_other_and_rubbish_is_no_token() -> None:
    documents = [{"n": n} for n in range(5)]
    first, token = page(documents, {"MaxResults": 2})
    rest, end = page(documents, {"MaxResults": 50, "NextToken": token})
    assert (first + rest, end) == (documents, None)
    assert len(page(documents * 30, {"MaxResults": 1000})[0]) == 50
    for rubbish in ("", "-1", "²", "9" * 5000, "abc"):
        with pytest.raises(AwsError, match="next token"):
            page(documents, {"NextToken": rubbish})
    with pytest.raises(AwsError, match="less than 0"):
        page(documents, {"MaxResults": -1})


def test_a_scalable_target_survives_the_store() -> None:
    scalable = scalable_of(json.loads(json.dumps(TARGET)))
    assert (scalable.endpoint_name, scalable.variant_name) == ("demo", "A")
    assert scalable.members == TARGET
