# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateModel, DescribeModel and DeleteModel by AWS's documented rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conformance_source import guide, reference, source
from conformance_target import ARN, Target, instances, refusal

WORDS = "aws/amazon-sagemaker-operator-for-k8s, the constants of its clientwrapper"


@reference("CreateModel")
def test_a_model_is_described_as_it_was_made(aws: Target) -> None:
    name = aws.name("Model")
    answer = aws.create_model(name)
    described = aws.sagemaker.describe_model(ModelName=name)
    assert described["ModelName"] == name
    assert described["ModelArn"] == answer["ModelArn"]
    assert described["ExecutionRoleArn"] == aws.role_arn
    assert described["PrimaryContainer"]["Image"] == aws.image
    assert described["PrimaryContainer"]["ModelDataUrl"] == aws.artifact
    assert described["EnableNetworkIsolation"] is False


@source("boto/boto3 #4606", "prometheus-community/yet-another-cloudwatch-exporter #1178")
def test_an_arn_has_the_name_in_lower_case(aws: Target) -> None:
    name = aws.name("Model-CAPITALS")
    assert aws.create_model(name)["ModelArn"] == f"{ARN}:model/{name.lower()}"


@reference("CreateModel")
def test_a_model_says_that_it_holds_a_single_model(aws: Target, model: str) -> None:
    assert aws.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["Mode"] == "SingleModel"


@source("astronomer/astronomer-providers #1055")
def test_a_duplicate_model_is_refused(aws: Target, model: str) -> None:
    arn = f"{ARN}:model/{model}"
    assert refusal(lambda: aws.create_model(model)) == f'Cannot create already existing model "{arn}".'


@reference("CreateModel")
def test_names_differ_by_more_than_case(aws: Target) -> None:
    name = aws.model(aws.name("Model"))
    assert refusal(lambda: aws.create_model(name.upper())).startswith("Cannot create already existing model")


@source(WORDS)
def test_a_model_that_is_not_there_could_not_be_found(aws: Target) -> None:
    expected = f'Could not find model "{ARN}:model/none".'
    assert refusal(lambda: aws.sagemaker.describe_model(ModelName="none")) == expected
    assert refusal(lambda: aws.sagemaker.delete_model(ModelName="none")) == expected


@reference("DeleteModel")
def test_a_deleted_model_is_gone(aws: Target, model: str) -> None:
    aws.sagemaker.delete_model(ModelName=model)
    refusal(lambda: aws.sagemaker.describe_model(ModelName=model))


@reference("DeleteModel")
def test_a_model_in_use_can_be_deleted(aws: Target, model: str) -> None:
    config = aws.config(instances(model))
    aws.sagemaker.delete_model(ModelName=model)
    described = aws.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    assert described["ProductionVariants"][0]["ModelName"] == model


@reference("CreateModel")
@pytest.mark.parametrize("name", ["has_underscore", "-leading", "trailing-", "has space", "é", "m" * 64, ""])
def test_a_models_name_is_63_letters_digits_and_hyphens(aws: Target, name: str) -> None:
    message = refusal(lambda: aws.create_model(name))
    assert "validation error" in message
    assert "at 'modelName' failed to satisfy constraint: Member must " in message


@source("bentoml/BentoML #892")
def test_an_execution_role_that_is_not_there_is_refused(aws: Target) -> None:
    role = "arn:aws:iam::000000000000:role/nobody"
    assert refusal(lambda: aws.create_model(aws.name(), ExecutionRoleArn=role)) == (
        f'The execution role ARN "{role}" is invalid. Please ensure that the role exists and that its trust '
        'relationship policy allows the action "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com".'
    )


@guide("How to use SageMaker AI execution roles")
def test_an_execution_role_that_sagemaker_may_not_assume_is_refused(local: Target) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    name = local.name("role")
    role = local.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    assert "is invalid" in refusal(lambda: local.create_model(local.name(), ExecutionRoleArn=role))


@reference("CreateModel")
def test_an_execution_role_is_an_iam_role(aws: Target) -> None:
    message = refusal(lambda: aws.create_model(aws.name(), ExecutionRoleArn="arn:aws:iam::000000000000:user/x"))
    assert "at 'executionRoleArn' failed to satisfy constraint: Member must satisfy regular expression" in message


@source("philschmid/llm-sagemaker-sample #2")
def test_an_artifact_that_is_not_there_is_refused(aws: Target) -> None:
    container = {"Image": aws.image, "ModelDataUrl": "s3://models/no/model.tar.gz"}
    message = refusal(lambda: aws.create_model(aws.name(), PrimaryContainer=container))
    assert message.startswith(
        "Could not access model data at s3://models/no/model.tar.gz. Please ensure that the role "
        f'"{aws.role_arn}" exists and that its trust relationship policy allows the action "sts:AssumeRole" for the '
        'service principal "sagemaker.amazonaws.com".'
    )


@source("aws-samples/easy-amazon-sagemaker-deployments #4")
def test_an_image_that_is_not_there_is_refused(aws: Target) -> None:
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/no/such:latest"
    message = refusal(lambda: aws.create_model(aws.name(), PrimaryContainer={"Image": image}))
    assert message == f"Requested image {image} not found."


@source("aws/sagemaker-python-sdk #4700")
def test_an_image_of_another_registry_is_refused(aws: Target) -> None:
    message = refusal(lambda: aws.create_model(aws.name(), PrimaryContainer={"Image": "python:3.11-slim"}))
    assert message == 'Using non-ECR image "python:3.11-slim" without Vpc repository access mode is not supported.'


@reference("ContainerDefinition")
def test_an_environment_has_100_entries_of_1024_characters(aws: Target) -> None:
    good = {f"K{n}": "v" * 300 for n in range(100)}
    aws.create_model(aws.name(), PrimaryContainer={"Image": aws.image, "Environment": good})
    for bad in (
        {f"K{n}": "" for n in range(101)},
        {"K": "v" * 1025},
        {"K" * 1025: ""},
        {"has-hyphen": ""},
        {"1": ""},
    ):
        container = {"Image": aws.image, "Environment": bad}
        message = refusal(lambda container=container: aws.create_model(aws.name(), PrimaryContainer=container))
        assert "at 'primaryContainer.environment' failed to satisfy constraint: " in message


@reference("ContainerDefinition")
def test_the_environments_of_a_model_are_32_kb_in_all(aws: Target) -> None:
    environment = {f"K{n:02}": "v" * 1021 for n in range(17)}
    containers = [{"Image": aws.image, "Environment": environment}] * 2
    aws.create_model(aws.name(), PrimaryContainer=containers[0])
    refusal(lambda: aws.create_model(aws.name(), PrimaryContainer=None, Containers=containers))


@reference("CreateModel")
def test_a_model_has_one_container_or_a_list_of_them(local: Target) -> None:
    container = {"Image": local.image}
    refusal(lambda: local.create_model(local.name(), PrimaryContainer=None))
    refusal(lambda: local.create_model(local.name(), PrimaryContainer=container, Containers=[container]))
    local.create_model(local.name(), PrimaryContainer=None, Containers=[container])


@reference("CreateModel")
def test_a_pipeline_has_15_containers_at_most(aws: Target) -> None:
    container = {"Image": aws.image}
    name = aws.model(PrimaryContainer=None, Containers=[container] * 15)
    assert len(aws.sagemaker.describe_model(ModelName=name)["Containers"]) == 15
    message = refusal(lambda: aws.create_model(aws.name(), PrimaryContainer=None, Containers=[container] * 16))
    assert "at 'containers' failed to satisfy constraint: Member must have length less than or equal to 15" in message


@reference("ContainerDefinition")
def test_the_containers_of_a_pipeline_all_have_a_host_name_or_none_has(local: Target) -> None:
    def create(*hosts: str | None, mode: str = "Serial") -> Any:
        containers = [{"Image": local.image, **({"ContainerHostname": host} if host else {})} for host in hosts]
        return local.create_model(
            local.name(), PrimaryContainer=None, Containers=containers, InferenceExecutionConfig={"Mode": mode}
        )

    create("a", "b")
    create(None, None)
    refusal(lambda: create("a", None))
    refusal(lambda: create("a", "a"))
    refusal(lambda: create(None, None, mode="Direct"))


@source("a public script that deploys a model package quotes CreateModel so")
def test_a_container_has_an_image_or_a_model_package(aws: Target) -> None:
    message = refusal(lambda: aws.create_model(aws.name(), PrimaryContainer={}))
    assert message == "Specify one of either Image and Model Data URL or ModelPackageName in container definition."


@reference("ContainerDefinition")
def test_a_model_data_source_excludes_a_model_data_url(local: Target) -> None:
    source = {"S3Uri": local.artifact, "S3DataType": "S3Object", "CompressionType": "Gzip"}
    container = {"Image": local.image, "ModelDataSource": {"S3DataSource": source}}
    name = local.model(PrimaryContainer=container)
    described = local.sagemaker.describe_model(ModelName=name)["PrimaryContainer"]
    assert described["ModelDataSource"]["S3DataSource"]["S3Uri"] == local.artifact
    both = {**container, "ModelDataUrl": local.artifact}
    refusal(lambda: local.create_model(local.name(), PrimaryContainer=both))
    multi = {**container, "Mode": "MultiModel"}
    refusal(lambda: local.create_model(local.name(), PrimaryContainer=multi))


@reference("VpcConfig")
def test_a_vpc_config_has_subnets_and_security_groups(aws: Target) -> None:
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    name = aws.model(VpcConfig=vpc, EnableNetworkIsolation=True)
    described = aws.sagemaker.describe_model(ModelName=name)
    assert described["VpcConfig"] == vpc
    assert described["EnableNetworkIsolation"] is True
    for bad in ({"Subnets": ["s"]}, {**vpc, "SecurityGroupIds": []}, {**vpc, "Subnets": ["s"] * 17}):
        message = refusal(lambda bad=bad: aws.create_model(aws.name(), VpcConfig=bad))
        assert "at 'vpcConfig." in message


@reference("ContainerDefinition: Environment keeps its keys as they are")
def test_an_environments_keys_and_values_come_back_unchanged(aws: Target) -> None:
    environment = {"HF_MODEL_ID": "a/b", "lower_CASE": "Grüße\n\t'\"\\ ✓", "_": ""}
    name = aws.model(PrimaryContainer={"Image": aws.image, "Environment": environment})
    assert aws.sagemaker.describe_model(ModelName=name)["PrimaryContainer"]["Environment"] == environment
