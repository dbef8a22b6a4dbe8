# SPDX-License-Identifier: GPL-3.0-or-later
"""UpdateEndpoint, its deployment configurations, and UpdateEndpointWeightsAndCapacities by AWS's documented rules."""

from __future__ import annotations

import time
from typing import Any

import pytest
from conformance_life import delete, event, leave, reweigh, update
from conformance_source import guide, reference, source
from conformance_target import ARN, Target, instances, refusal, serverless
from local_cloud_workbench import Workbench


@reference("DescribeEndpoint: UpdateRollbackFailed: the endpoint is in service with a mix of configurations")
@guide("Use rolling deployments: what to do when a rollback failed")
def test_an_endpoint_whose_rollback_failed_is_brought_in_order_by_an_update(
    local: Target, workbench: Workbench, local_model: str
) -> None:
    first, second = (local.config(instances(local_model, count=2)) for _ in range(2))
    name = local.endpoint(first)
    event(workbench, "POST", "faults", {"kind": "update_rollback_failed", "resource": name})
    local.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=rolling(50))
    deadline = time.monotonic() + 60
    while (status := local.describe(name)["EndpointStatus"]) in ("Updating", "RollingBack"):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    assert status == "UpdateRollbackFailed"
    assert update(local, name, second)["EndpointConfigName"] == second
    leave(local, name)


@reference("UpdateEndpoint")
def test_an_update_brings_the_new_config_and_may_go_back_to_the_old(local: Target, local_model: str) -> None:
    first, second = (local.config(instances(local_model, count=count)) for count in (1, 2))
    name = local.endpoint(first)
    after = update(local, name, second)
    assert after["EndpointConfigName"] == second
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert update(local, name, first)["EndpointConfigName"] == first
    leave(local, name)


@reference("UpdateEndpoint")
def test_an_updates_config_has_to_be_there(local: Target, running: str) -> None:
    call = {"EndpointName": running, "EndpointConfigName": "none"}
    assert refusal(lambda: local.sagemaker.update_endpoint(**call)) == (
        f'Could not find endpoint configuration "{ARN}:endpoint-config/none".'
    )


@source("hashicorp/terraform-provider-aws #40048")
def test_an_endpoint_whose_config_was_deleted_is_not_updated(local: Target, local_model: str) -> None:
    first, second = (local.config(instances(local_model)) for _ in range(2))
    name = local.endpoint(first)
    local.sagemaker.delete_endpoint_config(EndpointConfigName=first)
    call = {"EndpointName": name, "EndpointConfigName": second}
    assert refusal(lambda: local.sagemaker.update_endpoint(**call)) == (
        f'Could not find endpoint configuration "{ARN}:endpoint-config/{first}".'
    )
    leave(local, name)


@guide("Deploy models with Amazon SageMaker Serverless Inference: converting endpoints")
def test_a_serverless_endpoint_becomes_instance_based_and_never_serverless_again(
    local: Target, local_model: str
) -> None:
    without, on_instances = local.config(serverless(local_model)), local.config(instances(local_model))
    name = local.endpoint(without)
    after = update(local, name, on_instances)
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    refusal(lambda: local.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=without))
    leave(local, name)


@reference("UpdateEndpoint: RetainAllVariantProperties, ExcludeRetainedVariantProperties")
def test_an_update_retains_what_it_is_asked_to(local: Target, local_model: str) -> None:
    def config() -> str:
        return local.config(instances(local_model, "a"), instances(local_model, "b"))

    def state(described: dict[str, Any]) -> list[tuple[int, float]]:
        variants = described["ProductionVariants"]
        return [(variant["DesiredInstanceCount"], variant["DesiredWeight"]) for variant in variants]

    name = local.endpoint(config())
    reweigh(
        local,
        name,
        {"VariantName": "a", "DesiredInstanceCount": 2, "DesiredWeight": 3},
        {"VariantName": "b", "DesiredWeight": 0},
    )
    local.wait(name)
    assert state(local.describe(name)) == [(2, 3.0), (1, 0.0)]
    retain = {"RetainAllVariantProperties": True}
    assert state(update(local, name, config(), **retain)) == [(2, 3.0), (1, 0.0)]
    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    assert state(update(local, name, config(), **retain, ExcludeRetainedVariantProperties=excluded)) == [
        (2, 1.0),
        (1, 1.0),
    ]
    assert state(update(local, name, config())) == [(1, 1.0), (1, 1.0)]
    leave(local, name)


CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@reference("UpdateEndpoint: VariantProperty DataCaptureConfig")
def test_data_capture_is_retained_unless_it_is_excluded(local: Target, local_model: str) -> None:
    name = local.endpoint(local.config(instances(local_model), DataCaptureConfig=CAPTURE))
    assert local.describe(name)["DataCaptureConfig"]["DestinationS3Uri"] == "s3://models/captured"
    plain = [local.config(instances(local_model)) for _ in range(2)]
    kept = update(local, name, plain[0], RetainAllVariantProperties=True)
    assert kept["DataCaptureConfig"]["CaptureStatus"] == "Started"
    excluded = [{"VariantPropertyType": "DataCaptureConfig"}]
    gone = update(local, name, plain[1], RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded)
    assert "DataCaptureConfig" not in gone
    leave(local, name)


@reference("UpdateEndpoint: ExcludeRetainedVariantProperties has at most three items of three types")
def test_what_is_excluded_is_one_of_three_properties(local: Target, running: str) -> None:
    config = local.describe(running)["EndpointConfigName"]
    excluded = [{"VariantPropertyType": "Everything"}]
    call = {"EndpointName": running, "EndpointConfigName": config, "ExcludeRetainedVariantProperties": excluded}
    assert "Member must satisfy enum value set" in refusal(lambda: local.sagemaker.update_endpoint(**call))


def blue_green(kind: str = "ALL_AT_ONCE", wait: int = 0, termination: int = 0, **routing: Any) -> dict[str, Any]:
    configuration = {"Type": kind, "WaitIntervalInSeconds": wait, **routing}
    policy = {"TrafficRoutingConfiguration": configuration, "TerminationWaitInSeconds": termination}
    return {"BlueGreenUpdatePolicy": policy}


def rolling(percent: int = 50, wait: int = 0, **more: Any) -> dict[str, Any]:
    size = {"Type": "CAPACITY_PERCENT", "Value": percent}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": wait, **more}}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


@source(
    "Amazon SageMaker API reference: TrafficRoutingConfig, RollingUpdatePolicy, BlueGreenUpdatePolicy, "
    "AutoRollbackConfig, CapacitySize"
)
@pytest.mark.parametrize(
    "options",
    [
        blue_green("CANARY"),
        blue_green("CANARY", CanarySize=percent(51)),
        blue_green("CANARY", CanarySize=count(2)),
        blue_green("CANARY", CanarySize=percent(0)),
        blue_green("LINEAR"),
        blue_green("LINEAR", LinearStepSize=percent(9)),
        blue_green("LINEAR", LinearStepSize=percent(51)),
        blue_green("ALL_AT_ONCE", wait=3601),
        blue_green("ALL_AT_ONCE", termination=3601),
        blue_green("GRADUAL"),
        {"BlueGreenUpdatePolicy": {**blue_green()["BlueGreenUpdatePolicy"], "MaximumExecutionTimeoutInSeconds": 599}},
        rolling(4),
        rolling(51),
        rolling(wait=3601),
        rolling(MaximumExecutionTimeoutInSeconds=28801),
        rolling(RollbackMaximumBatchSize=percent(101)),
        {**blue_green(), **rolling()},
        {"AutoRollbackConfiguration": {"Alarms": []}},
        {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"a{n}"} for n in range(11)]}},
    ],
)
def test_a_deployment_config_beyond_its_limits_is_refused(local: Target, running: str, options: dict[str, Any]) -> None:
    config = local.describe(running)["EndpointConfigName"]
    call = {"EndpointName": running, "EndpointConfigName": config, "DeploymentConfig": options}
    refusal(lambda: local.sagemaker.update_endpoint(**call))
    assert local.describe(running)["EndpointStatus"] == "InService"


@guide("Deployment guardrails: exclusions")
def test_guardrails_need_the_same_variant_names_and_rolling_one_variant_of_instances(
    local: Target, local_model: str, running: str
) -> None:
    renamed = local.config(instances(local_model, "Other"))
    two = local.config(instances(local_model), instances(local_model, "Other"))
    for config, options in ((renamed, blue_green()), (renamed, rolling()), (two, rolling())):
        call = {"EndpointName": running, "EndpointConfigName": config, "DeploymentConfig": options}
        refusal(lambda call=call: local.sagemaker.update_endpoint(**call))
    without = {"EndpointName": local.name(), "EndpointConfigName": local.config(serverless(local_model))}
    refusal(lambda: local.sagemaker.create_endpoint(**without, DeploymentConfig=rolling()))


@reference("UpdateEndpoint: RetainDeploymentConfig; DescribeEndpoint: LastDeploymentConfig")
def test_the_last_deployment_config_is_remembered_and_reused(local: Target, local_model: str) -> None:
    configs = [local.config(instances(local_model)) for _ in range(3)]
    name = local.endpoint(configs[0])
    assert "LastDeploymentConfig" not in local.describe(name)
    options = blue_green("CANARY", CanarySize=percent(50), wait=1)
    last = update(local, name, configs[1], DeploymentConfig=options)["LastDeploymentConfig"]
    assert last["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    kept = update(local, name, configs[2], RetainDeploymentConfig=True)
    assert kept["LastDeploymentConfig"] == last
    renamed = {"EndpointName": name, "EndpointConfigName": local.config(instances(local_model, "Other"))}
    refusal(lambda: local.sagemaker.update_endpoint(**renamed, RetainDeploymentConfig=True))
    leave(local, name)


@reference("UpdateEndpointWeightsAndCapacities")
def test_weights_and_capacities_are_changed(aws: Target, model: str) -> None:
    name = aws.endpoint(aws.config(instances(model, "a"), instances(model, "b")))
    answer = reweigh(
        aws, name, {"VariantName": "a", "DesiredInstanceCount": 2}, {"VariantName": "b", "DesiredWeight": 0.5}
    )
    assert answer["EndpointArn"] == f"{ARN}:endpoint/{name}"
    aws.wait(name)
    one, two = aws.describe(name)["ProductionVariants"]
    assert (one["CurrentInstanceCount"], one["CurrentWeight"]) == (2, 1.0)
    assert (two["CurrentInstanceCount"], two["CurrentWeight"]) == (1, 0.5)
    leave(aws, name)


@reference("UpdateEndpointWeightsAndCapacities")
@pytest.mark.parametrize(
    "wanted",
    [
        [{"VariantName": "none", "DesiredWeight": 1}],
        [{"VariantName": "AllTraffic", "DesiredInstanceCount": -1}],
        [{"VariantName": "AllTraffic", "DesiredWeight": -1}],
        [{"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"MaxConcurrency": 2}}],
        [{"DesiredWeight": 1}],
        [],
    ],
)
def test_weights_and_capacities_that_do_not_fit_are_refused(
    local: Target, running: str, wanted: list[dict[str, Any]]
) -> None:
    refusal(lambda: reweigh(local, running, *wanted))
    assert local.describe(running)["EndpointStatus"] == "InService"


@reference("CreateEndpoint, UpdateEndpoint, UpdateEndpointWeightsAndCapacities: ResourceLimitExceeded")
def test_more_instances_than_the_quota_are_refused(local: Target, local_model: str, running: str) -> None:
    config = local.config(instances(local_model, count=2**31 - 1))
    words = "The account-level service limit 'ml.m5.large for endpoint usage' is 100 Instances"
    code = "ResourceLimitExceeded"
    call = {"EndpointName": local.name(), "EndpointConfigName": config}
    assert refusal(lambda: local.sagemaker.create_endpoint(**call), code).startswith(words)
    call["EndpointName"] = running
    assert refusal(lambda: local.sagemaker.update_endpoint(**call), code).startswith(words)
    wanted = {"VariantName": "AllTraffic", "DesiredInstanceCount": 101}
    assert refusal(lambda: reweigh(local, running, wanted), code).startswith(words)


@reference("UpdateEndpointWeightsAndCapacities: ServerlessUpdateConfig")
def test_a_serverless_variants_concurrency_is_changed(local: Target, local_model: str) -> None:
    name = local.endpoint(local.config(serverless(local_model, concurrency=4)))
    variant = {"VariantName": "AllTraffic"}
    refusal(lambda: reweigh(local, name, {**variant, "DesiredInstanceCount": 2}))
    refusal(lambda: reweigh(local, name, {**variant, "ServerlessUpdateConfig": {"ProvisionedConcurrency": 5}}))
    wanted = {"MaxConcurrency": 3, "ProvisionedConcurrency": 1}
    reweigh(local, name, {**variant, "ServerlessUpdateConfig": wanted})
    local.wait(name)
    (described,) = local.describe(name)["ProductionVariants"]
    assert described["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, **wanted}
    leave(local, name)


@guide("Update or delete endpoints that use automatic scaling")
def test_a_scaled_variant_keeps_its_instance_type_and_its_place(local: Target, local_model: str) -> None:
    name = local.endpoint(local.config(instances(local_model)))
    scaling = local.client("application-autoscaling")
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    for variant in ({**instances(local_model), "InstanceType": "ml.c5.large"}, instances(local_model, "Other")):
        call = {"EndpointName": name, "EndpointConfigName": local.config(variant)}
        refusal(lambda call=call: local.sagemaker.update_endpoint(**call))
    update(local, name, local.config(instances(local_model)))
    scaling.deregister_scalable_target(**target)
    update(local, name, local.config({**instances(local_model), "InstanceType": "ml.c5.large"}))
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    delete(local, name)
    left = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])
    assert left["ScalableTargets"] == []
