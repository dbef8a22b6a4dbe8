# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateEndpointConfig, DescribeEndpointConfig and DeleteEndpointConfig by AWS's documented rules."""

from __future__ import annotations

from typing import Any

import pytest
from conformance_source import REFERENCE, guide, reference, source
from conformance_target import ARN, Target, instances, refusal, serverless

WORDS = "aws/amazon-sagemaker-operator-for-k8s, the constants of its clientwrapper"


@reference("CreateEndpointConfig")
def test_a_config_is_described_as_it_was_made(aws: Target, model: str) -> None:
    name = aws.name()
    arn = aws.create_config(name, instances(model, InitialVariantWeight=2.0))["EndpointConfigArn"]
    assert arn == f"{ARN}:endpoint-config/{name}"
    described = aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["EndpointConfigName"] == name
    (variant,) = described["ProductionVariants"]
    assert variant == instances(model, InitialVariantWeight=2.0)


@reference("ProductionVariant: InitialVariantWeight defaults to 1.0")
def test_a_variants_weight_defaults_to_one(aws: Target, model: str) -> None:
    config = aws.config(instances(model))
    (variant,) = aws.sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    assert variant["InitialVariantWeight"] == 1.0


@source(WORDS)
def test_a_config_that_is_not_there_could_not_be_found(aws: Target) -> None:
    expected = f'Could not find endpoint configuration "{ARN}:endpoint-config/none".'
    assert refusal(lambda: aws.sagemaker.describe_endpoint_config(EndpointConfigName="none")) == expected
    assert refusal(lambda: aws.sagemaker.delete_endpoint_config(EndpointConfigName="none")) == expected


@source("awslabs/spot-tagging-bot-for-digital-assets #2")
def test_a_duplicate_config_is_refused(aws: Target, model: str) -> None:
    name = aws.config(instances(model))
    expected = f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/{name}".'
    assert refusal(lambda: aws.create_config(name, instances(model))) == expected


@source("aws/amazon-sagemaker-operator-for-k8s, the constants of its clientwrapper", f"{REFERENCE}: ProductionVariant")
def test_a_variants_model_has_to_be_there(aws: Target) -> None:
    message = refusal(lambda: aws.create_config(aws.name(), instances("no-such-model")))
    assert message == f'Could not find model "{ARN}:model/no-such-model".'


@source("mlflow/mlflow #6486: SageMaker refuses a variant name that is there already")
def test_the_names_of_variants_are_unique(aws: Target, model: str) -> None:
    aws.create_config(aws.name(), instances(model, "a"), instances(model, "b"))
    refusal(lambda: aws.create_config(aws.name(), instances(model, "a"), instances(model, "a")))


@reference("CreateEndpointConfig")
def test_a_config_has_one_to_ten_variants(aws: Target, model: str) -> None:
    variants = [instances(model, f"v{n}") for n in range(11)]
    aws.create_config(aws.name(), *variants[:10])
    for wrong in (variants, []):
        message = refusal(lambda wrong=wrong: aws.create_config(aws.name(), *wrong))
        assert "at 'productionVariants' failed to satisfy constraint: Member must have length" in message


@source("aws/aws-sdk-go #5229")
def test_an_instance_type_is_one_of_those_for_hosting(aws: Target, model: str) -> None:
    message = refusal(lambda: aws.create_config(aws.name(), {**instances(model), "InstanceType": "ml.t3.medium"}))
    assert message.startswith(
        "1 validation error detected: Value 'ml.t3.medium' at 'productionVariants.1.member.instanceType' failed to "
        "satisfy constraint: Member must satisfy enum value set: [ml."
    )


@reference("ProductionVariant")
@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"InitialInstanceCount": 0}, "initialInstanceCount"),
        ({"InitialVariantWeight": -0.5}, "initialVariantWeight"),
        ({"VolumeSizeInGB": 513}, "volumeSizeInGB"),
        ({"ModelDataDownloadTimeoutInSeconds": 59}, "modelDataDownloadTimeoutInSeconds"),
        ({"ContainerStartupHealthCheckTimeoutInSeconds": 3601}, "containerStartupHealthCheckTimeoutInSeconds"),
        ({"RoutingConfig": {"RoutingStrategy": "ROUND_ROBIN"}}, "routingConfig.routingStrategy"),
        ({"VariantName": "has_underscore"}, "variantName"),
    ],
)
def test_a_variants_members_have_limits(aws: Target, model: str, change: dict[str, Any], path: str) -> None:
    message = refusal(lambda: aws.create_config(aws.name(), {**instances(model), **change}))
    assert f"at 'productionVariants.1.member.{path}' failed to satisfy constraint: Member must " in message


@reference("ProductionVariant")
def test_a_variant_has_instances_or_a_serverless_config(aws: Target, model: str) -> None:
    neither = {"VariantName": "AllTraffic", "ModelName": model}
    for wrong in (
        neither,
        {**neither, "InstanceType": "ml.m5.large"},
        {**neither, "InitialInstanceCount": 1},
        {**instances(model), **serverless(model)},
    ):
        refusal(lambda wrong=wrong: aws.create_config(aws.name(), wrong))


@reference("ProductionVariantServerlessConfig")
@pytest.mark.parametrize("memory", [1024, 2048, 3072, 4096, 5120, 6144])
def test_serverless_memory_comes_in_steps_of_1024_mb(local: Target, local_model: str, memory: int) -> None:
    name = local.config(serverless(local_model, memory=memory))
    (variant,) = local.sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": memory, "MaxConcurrency": 5}


@reference("ProductionVariantServerlessConfig")
@pytest.mark.parametrize("memory", [512, 1025, 7168])
def test_serverless_memory_of_another_size_is_refused(aws: Target, model: str, memory: int) -> None:
    refusal(lambda: aws.create_config(aws.name(), serverless(model, memory=memory)))


@reference("ProductionVariantServerlessConfig")
@pytest.mark.parametrize(
    "limits", [{"concurrency": 0}, {"concurrency": 201}, {"ProvisionedConcurrency": 0}, {"ProvisionedConcurrency": 6}]
)
def test_serverless_concurrency_has_limits(aws: Target, model: str, limits: dict[str, int]) -> None:
    refusal(lambda: aws.create_config(aws.name(), serverless(model, **limits)))


@reference("ProductionVariantServerlessConfig")
def test_all_of_a_serverless_variants_concurrency_can_be_provisioned(aws: Target, model: str) -> None:
    name = aws.config(serverless(model, concurrency=200, ProvisionedConcurrency=200))
    (variant,) = aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    assert variant["ServerlessConfig"]["ProvisionedConcurrency"] == 200


CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 50,
    "DestinationS3Uri": "s3://models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}
ASYNC = {"OutputConfig": {"S3OutputPath": "s3://models/out"}}


@guide("Deploy models with Amazon SageMaker Serverless Inference: feature exclusions")
@pytest.mark.parametrize(
    "more",
    [
        {"DataCaptureConfig": CAPTURE},
        {"AsyncInferenceConfig": ASYNC},
        {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}},
    ],
)
def test_a_serverless_config_is_without_what_serverless_excludes(
    local: Target, local_model: str, more: dict[str, Any]
) -> None:
    message = refusal(lambda: local.create_config(local.name(), serverless(local_model), **more))
    assert message == f"{next(iter(more))} is not supported for Serverless Inference."


@guide("Deploy models with Amazon SageMaker Serverless Inference: feature exclusions")
def test_a_serverless_config_has_one_variant(local: Target, local_model: str) -> None:
    refusal(lambda: local.create_config(local.name(), serverless(local_model, "a"), serverless(local_model, "b")))
    refusal(lambda: local.create_config(local.name(), serverless(local_model, "a"), instances(local_model, "b")))


@guide("Deploy models with Amazon SageMaker Serverless Inference: feature exclusions")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"EnableNetworkIsolation": True}, "Network isolation"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}, "VpcConfig"),
        ({"PrimaryContainer": None, "Containers": 2}, "inference pipeline"),
        ({"PrimaryContainer": {"Mode": "MultiModel", "ModelDataUrl": "s3://models/all/"}}, "multi-model"),
    ],
)
def test_a_model_is_served_without_instances_only_if_it_needs_none(
    local: Target, change: dict[str, Any], words: str
) -> None:
    image = {"Image": local.image}
    if "Containers" in change:
        change = {**change, "Containers": [image, image]}
    if change.get("PrimaryContainer"):
        change = {"PrimaryContainer": {**image, **change["PrimaryContainer"]}}
    model = local.model(**change)
    local.create_config(local.name(), instances(model))
    assert words in refusal(lambda: local.create_config(local.name(), serverless(model)))


@reference("CreateEndpointConfig: ShadowProductionVariants")
def test_a_shadow_needs_one_variant_of_each(local: Target, local_model: str) -> None:
    one, two, shadow = (instances(local_model, name) for name in ("one", "two", "shadow"))
    name = local.config(one, ShadowProductionVariants=[shadow])
    described = local.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["ShadowProductionVariants"][0]["VariantName"] == "shadow"
    refusal(lambda: local.create_config(local.name(), one, two, ShadowProductionVariants=[shadow]))
    refusal(lambda: local.create_config(local.name(), one, ShadowProductionVariants=[two, shadow]))
    refusal(lambda: local.create_config(local.name(), one, ShadowProductionVariants=[one]))
    missing = instances("no-such-model", "shadow")
    refusal(lambda: local.create_config(local.name(), one, ShadowProductionVariants=[missing]))


@guide("Shadow variants: exclusions")
def test_a_shadow_is_neither_serverless_nor_asynchronous(local: Target, local_model: str) -> None:
    one, shadow = instances(local_model, "one"), instances(local_model, "shadow")
    bare = serverless(local_model, "shadow")
    refusal(lambda: local.create_config(local.name(), one, ShadowProductionVariants=[bare]))
    refusal(lambda: local.create_config(local.name(), serverless(local_model), ShadowProductionVariants=[shadow]))
    both = {"ShadowProductionVariants": [shadow], "AsyncInferenceConfig": ASYNC}
    refusal(lambda: local.create_config(local.name(), one, **both))


@reference("AsyncInferenceConfig")
def test_an_asynchronous_config_is_kept_with_its_limits(local: Target, local_model: str) -> None:
    client = {"ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4}}
    name = local.config(instances(local_model), AsyncInferenceConfig={**ASYNC, **client})
    described = local.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["AsyncInferenceConfig"] == {**ASYNC, **client}
    for wrong in (
        {"ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1001}},
        {"OutputConfig": {"S3OutputPath": "models/out"}},
    ):
        config = {**ASYNC, **wrong}
        refusal(
            lambda config=config: local.create_config(local.name(), instances(local_model), AsyncInferenceConfig=config)
        )


@source("aws/aws-cdk-rfcs #433: an asynchronous endpoint configuration has a single instance based variant")
def test_an_asynchronous_config_has_one_variant(local: Target, local_model: str) -> None:
    two = [instances(local_model, name) for name in ("one", "two")]
    refusal(lambda: local.create_config(local.name(), *two, AsyncInferenceConfig=ASYNC))


@reference("DataCaptureConfig")
def test_data_capture_is_kept_with_its_limits(aws: Target, model: str) -> None:
    name = aws.config(instances(model), DataCaptureConfig=CAPTURE)
    assert aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)["DataCaptureConfig"] == CAPTURE
    for wrong in (
        {"InitialSamplingPercentage": 101},
        {"CaptureOptions": []},
        {"CaptureOptions": [{"CaptureMode": "Both"}]},
        {"DestinationS3Uri": "models/captured"},
    ):
        config = {**CAPTURE, **wrong}
        message = refusal(
            lambda config=config: aws.create_config(aws.name(), instances(model), DataCaptureConfig=config)
        )
        assert "at 'dataCaptureConfig." in message


@reference("CreateEndpointConfig: KmsKeyId")
def test_a_kms_key_is_kept(aws: Target, model: str) -> None:
    name = aws.config(instances(model), KmsKeyId="alias/ExampleAlias")
    assert aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)["KmsKeyId"] == "alias/ExampleAlias"
    message = refusal(lambda: aws.create_config(aws.name(), instances(model), KmsKeyId="no key!"))
    assert "at 'kmsKeyId' failed to satisfy constraint: Member must satisfy regular expression pattern" in message


@source("hashicorp/terraform-provider-aws #45926")
def test_managed_instance_scaling_is_for_inference_components(local: Target, local_model: str) -> None:
    variant = instances(local_model, ManagedInstanceScaling={"Status": "ENABLED", "MaxInstanceCount": 2})
    message = refusal(lambda: local.create_config(local.name(), variant))
    assert message == "ManagedInstanceScaling is only supported for inference component endpoints."


@source("hashicorp/terraform-provider-aws #48738")
def test_network_isolation_of_a_config_is_for_inference_components(local: Target, local_model: str) -> None:
    refusal(lambda: local.create_config(local.name(), instances(local_model), EnableNetworkIsolation=True))


@reference("CreateEndpointConfig: ExecutionRoleArn, VpcConfig")
def test_a_configs_role_and_vpc_are_kept(local: Target, local_model: str) -> None:
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    name = local.config(instances(local_model), ExecutionRoleArn=local.role_arn, VpcConfig=vpc)
    described = local.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert (described["ExecutionRoleArn"], described["VpcConfig"]) == (local.role_arn, vpc)


@reference("ProductionVariantRoutingConfig")
def test_a_routing_strategy_is_kept(local: Target, local_model: str) -> None:
    routing = {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}
    name = local.config(instances(local_model, RoutingConfig=routing))
    (variant,) = local.sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    assert variant["RoutingConfig"] == routing
    prefix = {"RoutingStrategy": "RANDOM", "PrefixAwareRoutingConfig": {"PrefixLength": 2048}}
    refusal(lambda: local.create_config(local.name(), instances(local_model, RoutingConfig=prefix)))


@reference("ProductionVariant: AcceleratorType")
def test_elastic_inference_is_no_more(local: Target, local_model: str) -> None:
    refusal(lambda: local.create_config(local.name(), instances(local_model, AcceleratorType="ml.eia2.medium")))


@reference("InstancePool")
def test_instance_pools_stand_for_an_instance_type(local: Target, local_model: str) -> None:
    pools = [{"InstanceType": "ml.m5.large", "Priority": 1}, {"InstanceType": "ml.m5.xlarge", "Priority": 2}]
    variant = {"VariantName": "a", "ModelName": local_model, "InitialInstanceCount": 1, "InstancePools": pools}
    local.create_config(local.name(), variant)
    refusal(lambda: local.create_config(local.name(), {**variant, "InstanceType": "ml.m5.large"}))
    refusal(lambda: local.create_config(local.name(), {**variant, "InstancePools": [pools[0], pools[0]]}))


@reference("DeleteEndpointConfig")
def test_a_deleted_config_is_gone(aws: Target, model: str) -> None:
    name = aws.config(instances(model))
    aws.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    refusal(lambda: aws.sagemaker.describe_endpoint_config(EndpointConfigName=name))
