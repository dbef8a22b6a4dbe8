# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.sagemaker import lifecycle, rules, update_rules, variant_rules
from local_cloud.sagemaker.arns import already_exists, arn_of, not_found, parse_arn
from local_cloud.sagemaker.deployment import Deployment, plan_deployment

CALLER = Caller("000000000000", "eu-west-1")
ROLE = "arn:aws:iam::000000000000:role/execution"


def variant(**changes: Any) -> dict[str, Any]:
    return {"VariantName": "AllTraffic", "ModelName": "m", **changes}


def serverless(memory: int = 2048, concurrency: int = 5, **changes: Any) -> dict[str, Any]:
    return variant(ServerlessConfig={"MemorySizeInMB": memory, "MaxConcurrency": concurrency, **changes})


INSTANCES = variant(InstanceType="ml.m5.large", InitialInstanceCount=1)


POOLS = {
    "InstancePools": [{"InstanceType": f"ml.c{n}.large", "Priority": n} for n in (5, 4)],
    "InitialInstanceCount": 1,
}


@pytest.mark.parametrize(
    "good",
    [
        INSTANCES,
        serverless(),
        serverless(6144, ProvisionedConcurrency=5),
        variant(**POOLS),
        {**INSTANCES, "InitialVariantWeight": 0.0},
    ],
)
def test_a_variant_is_serverless_or_of_instances(good: dict[str, Any]) -> None:
    variant_rules.check_endpoint_config({"ProductionVariants": [good]})


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (variant(), "either ServerlessConfig or InstanceType"),
        (variant(InstanceType="ml.m5.large"), "InitialInstanceCount"),
        ({**INSTANCES, **serverless()}, "must not have both ServerlessConfig and InstanceType"),
        ({**serverless(), "VolumeSizeInGB": 5}, "must not have both ServerlessConfig and VolumeSizeInGB"),
        (serverless(1500), "must be one of 1024, 2048"),
        (serverless(concurrency=2, ProvisionedConcurrency=3), "must not be greater than its MaxConcurrency"),
        ({**INSTANCES, "ModelName": None}, "must have a ModelName"),
        ({**INSTANCES, "ManagedInstanceScaling": {"Status": "ENABLED"}}, "only supported for inference component"),
        ({**INSTANCES, "AcceleratorType": "ml.eia2.medium"}, "no longer supported"),
        ({**INSTANCES, **POOLS}, "both InstanceType and InstancePools"),
        (variant(InitialInstanceCount=1, InstancePools=[POOLS["InstancePools"][0]] * 2), "priorities"),
        (
            {
                **INSTANCES,
                "RoutingConfig": {"RoutingStrategy": "RANDOM", "PrefixAwareRoutingConfig": {"PrefixLength": 2048}},
            },
            "PREFIX_AWARE",
        ),
    ],
)
def test_a_variant_that_aws_would_not_take_is_refused(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        variant_rules.check_variant(bad)


OTHER = {**INSTANCES, "VariantName": "Other"}
ASYNC = {"OutputConfig": {"S3OutputPath": "s3://bucket/out"}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"ProductionVariants": [serverless(), {**serverless(), "VariantName": "Other"}]},
            "exactly one production variant",
        ),
        ({"ProductionVariants": [serverless()], "DataCaptureConfig": {"x": 1}}, "DataCaptureConfig is not supported"),
        (
            {"ProductionVariants": [serverless()], "AsyncInferenceConfig": ASYNC},
            "AsyncInferenceConfig is not supported",
        ),
        (
            {"ProductionVariants": [serverless()], "ShadowProductionVariants": [OTHER]},
            "ShadowProductionVariants is not supp",
        ),
        ({"ProductionVariants": [INSTANCES, INSTANCES]}, "must be unique"),
        ({"ProductionVariants": [INSTANCES], "ShadowProductionVariants": [INSTANCES]}, "must be unique"),
        ({"ProductionVariants": [INSTANCES, OTHER], "AsyncInferenceConfig": ASYNC}, "must have one production variant"),
        (
            {"ProductionVariants": [INSTANCES, OTHER], "ShadowProductionVariants": [{**OTHER, "VariantName": "S"}]},
            "one production variant and one shadow",
        ),
        (
            {"ProductionVariants": [INSTANCES], "ShadowProductionVariants": [OTHER], "AsyncInferenceConfig": ASYNC},
            "not supported for asynchronous inference",
        ),
        ({"ProductionVariants": [INSTANCES], "EnableNetworkIsolation": True}, "inference component"),
    ],
)
def test_a_config_that_aws_would_not_take_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        variant_rules.check_endpoint_config(config)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"VpcConfig": {"Subnets": ["s"]}}, "VpcConfig is not supported for Serverless Inference"),
        ({"EnableNetworkIsolation": True}, "Network isolation is not supported for Serverless Inference"),
        ({"Containers": [{"Image": "x"}, {"Image": "y"}]}, "inference pipeline"),
        ({"PrimaryContainer": {"Image": "x", "Mode": "MultiModel"}}, "multi-model"),
        ({"PrimaryContainer": {"Image": "x", "ModelDataSource": {"S3DataSource": {}}}}, "ModelDataSource"),
        (
            {"PrimaryContainer": {"Image": "x", "ImageConfig": {"RepositoryAccessMode": "Vpc"}}},
            "private Docker registry",
        ),
    ],
)
def test_some_models_are_served_on_instances_alone(model: dict[str, Any], words: str) -> None:
    variant_rules.check_variant_model(INSTANCES, model)
    with pytest.raises(AwsError, match=words):
        variant_rules.check_variant_model(serverless(), model)


def deployment(*variants: dict[str, Any], **config: Any) -> Deployment:
    config = {"EndpointConfigName": "c", "ProductionVariants": list(variants), **config}
    return plan_deployment(config, {"m": {"PrimaryContainer": {"Image": "x"}}})


def test_an_endpoint_becomes_instance_based_and_never_serverless_again() -> None:
    on_instances, without = deployment(INSTANCES), deployment(serverless())
    update_rules.check_update(on_instances, on_instances, None, ())
    update_rules.check_update(without, on_instances, None, ())
    with pytest.raises(AwsError, match="not supported"):
        update_rules.check_update(on_instances, without, None, ())


def test_what_scales_keeps_its_instance_type() -> None:
    live, bigger = deployment(INSTANCES), deployment({**INSTANCES, "InstanceType": "ml.m5.xlarge"})
    update_rules.check_update(live, bigger, None, ())
    update_rules.check_update(live, deployment({**INSTANCES, "InitialInstanceCount": 5}), None, {"AllTraffic"})
    for wanted in (bigger, deployment(OTHER)):
        with pytest.raises(AwsError, match="registered as a scalable target"):
            update_rules.check_update(live, wanted, None, {"AllTraffic"})


FOUR = deployment({**INSTANCES, "InitialInstanceCount": 4})
EIGHT = deployment({**INSTANCES, "InitialInstanceCount": 8})


def blue_green(kind: str, **routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 0, **routing}}
    }


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def instances(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


def rolling(size: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0, **more}}


@pytest.mark.parametrize(
    "options",
    [
        blue_green("ALL_AT_ONCE"),
        blue_green("CANARY", CanarySize=percent(1)),
        blue_green("CANARY", CanarySize=percent(50)),
        blue_green("CANARY", CanarySize=instances(2)),
        blue_green("LINEAR", LinearStepSize=percent(10)),
        rolling(percent(5)),
        rolling(instances(2), RollbackMaximumBatchSize=percent(100)),
        {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}},
    ],
)
def test_a_deployment_config_within_its_limits_is_taken(options: dict[str, Any]) -> None:
    update_rules.check_deployment_config(options, FOUR)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (blue_green("CANARY"), "needs a CanarySize"),
        (blue_green("LINEAR"), "needs a LinearStepSize"),
        (blue_green("ALL_AT_ONCE", CanarySize=percent(5)), "only for the traffic routing type CANARY"),
        (blue_green("CANARY", CanarySize=percent(51)), "1% to 50%"),
        (blue_green("CANARY", CanarySize=instances(3)), "it is 75%"),
        (blue_green("LINEAR", LinearStepSize=percent(9)), "10% to 50%"),
        (rolling(percent(4)), "5% to 50%"),
        (rolling(instances(3)), "5% to 50%"),
        (rolling(percent(5), RollbackMaximumBatchSize=percent(101)), "5% to 100%"),
        ({**blue_green("ALL_AT_ONCE"), **rolling(percent(5))}, "both BlueGreenUpdatePolicy and RollingUpdatePolicy"),
        ({"AutoRollbackConfiguration": {"Alarms": [{}]}}, "AlarmName"),
    ],
)
def test_a_deployment_config_beyond_its_limits_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        update_rules.check_deployment_config(options, FOUR)


def test_an_instance_count_is_a_share_of_the_new_configs_instances() -> None:
    update_rules.check_deployment_config(rolling(instances(4)), EIGHT)
    with pytest.raises(AwsError, match="it is 100%"):
        update_rules.check_deployment_config(rolling(instances(4)), FOUR)


@pytest.mark.parametrize(
    ("wanted", "words"), [(deployment(serverless()), "serverless"), (deployment(INSTANCES, OTHER), "several")]
)
def test_only_one_variant_of_instances_is_deployed_rolling(wanted: Deployment, words: str) -> None:
    with pytest.raises(AwsError, match=words):
        update_rules.check_deployment_config(rolling(percent(5)), wanted)


def test_guardrails_need_the_variant_to_keep_its_name() -> None:
    live, renamed = deployment(INSTANCES), deployment(OTHER)
    update_rules.check_update(live, renamed, None, ())
    with pytest.raises(AwsError, match="same variant names"):
        update_rules.check_update(live, renamed, blue_green("ALL_AT_ONCE"), ())


def test_weights_and_capacities_are_read_by_variant() -> None:
    live = deployment(INSTANCES, OTHER)
    wanted = update_rules.wanted_capacities(
        "e",
        live,
        [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}, {"VariantName": "Other", "DesiredWeight": 0}],
    )
    assert (wanted.counts, wanted.weights) == ({"AllTraffic": 3}, {"Other": 0.0})
    scaled = update_rules.wanted_capacities(
        "e",
        deployment(serverless(ProvisionedConcurrency=1)),
        [{"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 4}}],
    )
    assert scaled.serverless["AllTraffic"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5, "ProvisionedConcurrency": 4}


@pytest.mark.parametrize(
    ("live", "changes", "words"),
    [
        (deployment(INSTANCES), [{"VariantName": "no"}], "has no variant no"),
        (deployment(INSTANCES), [{"VariantName": "AllTraffic"}] * 2, "more than once"),
        (deployment(INSTANCES), [{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}], "1 or more"),
        (deployment(serverless()), [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}], "no instance count"),
        (
            deployment(INSTANCES),
            [{"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"MaxConcurrency": 2}}],
            "not serverless",
        ),
        (
            deployment(serverless()),
            [{"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 6}}],
            "must not be greater",
        ),
    ],
)
def test_weights_and_capacities_that_do_not_fit_are_refused(
    live: Deployment, changes: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(AwsError, match=words):
        update_rules.wanted_capacities("e", live, changes)


def test_an_endpoint_has_a_hundred_instances_of_a_type_at_most() -> None:
    def many(count: int) -> Deployment:
        return deployment({**INSTANCES, "InitialInstanceCount": count}, {**OTHER, "InitialInstanceCount": 50})

    update_rules.check_quota(many(50))
    with pytest.raises(
        AwsError, match="current utilization of 52 Instances and a request delta of 49 Instances"
    ) as caught:
        update_rules.check_quota(many(51), many(2))
    assert caught.value.code == "ResourceLimitExceeded"


def test_an_asynchronous_endpoint_goes_down_to_no_instance() -> None:
    live = deployment(INSTANCES, AsyncInferenceConfig=ASYNC)
    changes = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}]
    assert update_rules.wanted_capacities("e", live, changes).counts == {"AllTraffic": 0}


def test_the_environments_of_a_model_have_32_kb_at_most_in_all() -> None:
    def model(size: int, containers: int = 1) -> dict[str, Any]:
        environment = {f"K{n:03}": "v" * (size // 32 - 4) for n in range(32)}
        return {"Containers": [{"Image": "x", "Environment": environment}] * containers, "ExecutionRoleArn": ROLE}

    rules.check_model(model(32 * 1024))
    rules.check_model(model(16 * 1024, containers=2))
    for too_big in (model(32 * 1024 + 32), model(16 * 1024 + 32, containers=2)):
        with pytest.raises(AwsError, match="limited to 32768 bytes"):
            rules.check_model(too_big)


def container(**changes: Any) -> dict[str, Any]:
    return {"PrimaryContainer": {"Image": "x", **changes}, "ExecutionRoleArn": ROLE}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "either PrimaryContainer or Containers"),
        ({"PrimaryContainer": {"Image": "x"}, "Containers": [{"Image": "x"}]}, "not both"),
        ({"PrimaryContainer": {}}, "Specify one of either Image"),
        (container(ModelPackageName="p"), "Specify one of either Image"),
        ({"PrimaryContainer": {"Image": "x"}}, "ExecutionRoleArn is required"),
        (container(ModelDataUrl="s3://b/k", ModelDataSource={"S3DataSource": {"S3Uri": "s3://b/k"}}), "both"),
        (container(ModelDataSource={}), "must have an S3DataSource"),
        (container(Mode="MultiModel"), "must have a ModelDataUrl"),
        (container(MultiModelConfig={"ModelCacheSetting": "Enabled"}), "only for a container of Mode MultiModel"),
        (
            {"Containers": [{"Image": "x", "ContainerHostname": "a"}, {"Image": "x"}], "ExecutionRoleArn": ROLE},
            "ContainerHostname if any has one",
        ),
        (
            {"Containers": [{"Image": "x", "ContainerHostname": "a"}] * 2, "ExecutionRoleArn": ROLE},
            "must be unique",
        ),
        (
            {
                "Containers": [{"Image": "x"}] * 2,
                "InferenceExecutionConfig": {"Mode": "Direct"},
                "ExecutionRoleArn": ROLE,
            },
            "ContainerHostname",
        ),
    ],
)
def test_a_model_that_aws_would_not_take_is_refused(model: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        rules.check_model(model)


def test_what_the_local_cloud_does_not_run_is_known() -> None:
    assert rules.why_not_run(container()) is None
    assert rules.why_not_run({"Containers": [{"Image": "x"}]}) is None
    gzip = {"S3DataType": "S3Object", "CompressionType": "Gzip"}
    assert rules.why_not_run(container(ModelDataSource={"S3DataSource": gzip})) is None
    for model, word in (
        ({"Containers": [{"Image": "x"}] * 2}, "pipelines"),
        (container(Mode="MultiModel"), "multi-model"),
        (container(ModelDataSource={"S3DataSource": {**gzip, "S3DataType": "S3Prefix"}}), "archive"),
        (container(AdditionalModelDataSources=[{}]), "AdditionalModelDataSources"),
    ):
        assert word in str(rules.why_not_run(model))


def trust(**changes: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Statement": [{**statement, **changes}]}


def test_sagemaker_may_assume_a_role_that_trusts_it() -> None:
    rules.check_trust(trust(), ROLE)
    rules.check_trust(trust(Principal={"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}), ROLE)


@pytest.mark.parametrize(
    "policy",
    [None, {}, trust(Principal={"Service": "lambda.amazonaws.com"}), trust(Effect="Deny"), trust(Action="s3:Get")],
)
def test_a_role_that_does_not_trust_sagemaker_is_refused(policy: dict[str, Any] | None) -> None:
    with pytest.raises(AwsError, match=f'The execution role ARN "{ROLE}" is invalid'):
        rules.check_trust(policy, ROLE)


def test_tags_are_fifty_at_most_and_none_is_awss() -> None:
    rules.check_tags({f"k{n}": "v" for n in range(50)})
    with pytest.raises(AwsError, match="at most 50"):
        rules.check_tags({f"k{n}": "v" for n in range(51)})
    with pytest.raises(AwsError, match="reserved"):
        rules.check_tags({"AWS:x": "v"})


def test_an_arn_is_in_lower_case_and_leads_back_to_its_resource() -> None:
    arn = arn_of("endpoint-config", CALLER, "Demo-CONFIG-1")
    assert arn == "arn:aws:sagemaker:eu-west-1:000000000000:endpoint-config/demo-config-1"
    assert parse_arn(arn) == ("endpoint-config", "demo-config-1")
    assert parse_arn("arn:aws:s3:::bucket") is None


def test_missing_and_taken_names_are_told_as_on_aws() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:000000000000:model/m"
    assert not_found("model", CALLER, "m").message == f'Could not find model "{arn}".'
    assert already_exists("model", CALLER, "m").message == f'Cannot create already existing model "{arn}".'


def test_an_endpoint_takes_only_the_steps_that_aws_documents() -> None:
    lifecycle.check_transition("Updating", "RollingBack")
    for before, after in (("Failed", "InService"), ("InService", "Creating"), ("Deleting", "InService")):
        with pytest.raises(ValueError, match="does not go from"):
            lifecycle.check_transition(before, after)
    assert len(lifecycle.TRANSITIONS) == 9


@pytest.mark.parametrize("status", sorted(lifecycle.TRANSITIONS))
def test_only_an_endpoint_at_rest_is_updated_or_deleted(status: str) -> None:
    busy = status in ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
    updatable = status in ("InService", "UpdateRollbackFailed")
    assert (lifecycle.refuse_update(status, "arn") is None) == updatable
    assert (lifecycle.refuse_delete(status, "arn") is None) == (not busy)
