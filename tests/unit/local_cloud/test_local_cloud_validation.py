# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from local_cloud.aws.errors import AwsError
from local_cloud.aws.json_protocol import parse_body, shaped
from local_cloud.aws.service_model import Api, load_api
from local_cloud.aws.validation import compiled, validate

OPERATIONS = frozenset({"CreateModel", "CreateEndpointConfig", "DescribeEndpoint", "UpdateEndpoint"})


@pytest.fixture(scope="module")
def sagemaker() -> Api:
    return load_api("sagemaker", OPERATIONS)


def refusal(sagemaker: Api, operation: str, parameters: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        validate(sagemaker.operation(operation).input_shape, parameters)
    return caught.value


def test_every_broken_constraint_is_told_in_awss_words(sagemaker: Api) -> None:
    error = refusal(sagemaker, "UpdateEndpoint", {"EndpointName": "a_b"})
    assert error.code == "ValidationException"
    assert error.message == (
        "2 validation errors detected: "
        "Value null at 'endpointConfigName' failed to satisfy constraint: Member must not be null; "
        "Value 'a_b' at 'endpointName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    )


@pytest.mark.parametrize(
    ("serverless", "complaint"),
    [
        (
            {"MemorySizeInMB": 512, "MaxConcurrency": 1},
            "Member must have value greater than or equal to 1024",
        ),
        ({"MemorySizeInMB": 1024, "MaxConcurrency": 201}, "Member must have value less than or equal to 200"),
    ],
)
def test_numbers_have_limits(sagemaker: Api, serverless: dict[str, int], complaint: str) -> None:
    variant = {"VariantName": "v", "ModelName": "m", "ServerlessConfig": serverless}
    parameters = {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    error = refusal(sagemaker, "CreateEndpointConfig", parameters)
    assert "productionVariants.1.member.serverlessConfig" in error.message
    assert complaint in error.message


def test_an_environments_values_are_never_repeated(sagemaker: Api) -> None:
    container = {"Image": "x", "Environment": {"BAD-KEY": "a secret"}}
    error = refusal(sagemaker, "CreateModel", {"ModelName": "m", "PrimaryContainer": container})
    assert "BAD-KEY" in error.message
    assert "secret" not in error.message


def test_a_value_of_the_wrong_type_is_no_validation_error(sagemaker: Api) -> None:
    assert refusal(sagemaker, "UpdateEndpoint", {"EndpointName": 7}).code == "SerializationException"
    assert refusal(sagemaker, "UpdateEndpoint", {"RetainAllVariantProperties": 1}).code == "SerializationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(AwsError, match="not"):
        parse_body(body)


@pytest.mark.parametrize(
    ("service", "operations"),
    [
        ("sagemaker", OPERATIONS | {"AddTags", "ListEndpoints", "UpdateEndpointWeightsAndCapacities"}),
        ("application-autoscaling", frozenset({"RegisterScalableTarget", "PutScalingPolicy"})),
        ("ecr", frozenset({"PutImage", "UploadLayerPart", "CompleteLayerUpload"})),
    ],
)
def test_every_pattern_of_what_we_serve_works_in_python(service: str, operations: frozenset[str]) -> None:
    model = load_api(service, operations).model
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names} - {None}
    assert patterns
    for pattern in patterns:
        compiled(pattern)


def test_java_classes_of_characters_work_inside_and_outside_of_sets() -> None:
    assert compiled(r"\p{Print}+").fullmatch("a b")
    assert compiled(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)").fullmatch("modelhost:stage été 7")
    assert not compiled(r"[\p{L}]+").fullmatch("a-b")


def test_an_answer_has_only_what_the_service_model_names(sagemaker: Api) -> None:
    shape = sagemaker.operation("DescribeEndpoint").output_shape
    document = {"EndpointName": "e", "FailureReason": None, "CreationTime": 1.5, "_deployed": {"variants": []}}
    assert shaped(shape, document) == {"EndpointName": "e", "CreationTime": 1.5}


def test_operations_that_are_not_served_are_known_by_name(sagemaker: Api) -> None:
    assert "CreateTrainingJob" in sagemaker.all_operations
    assert "CreateTrainingJob" not in sagemaker.model.operation_names
