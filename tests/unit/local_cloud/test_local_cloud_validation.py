# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.model import ShapeResolver
from local_cloud.aws.errors import AwsError
from local_cloud.aws.json_protocol import failure, parse_body, shaped
from local_cloud.aws.service_model import Api, load_api, read_description
from local_cloud.aws.validation import compiled, validate

OPERATIONS = frozenset({"CreateModel", "ListModels", "CreateEndpointConfig", "DescribeEndpoint", "UpdateEndpoint"})


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
        "Value 'a_b' at 'endpointName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; "
        "Value null at 'endpointConfigName' failed to satisfy constraint: Member must not be null"
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


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"EndpointName": 7}, "NUMBER_VALUE can not be converted to a String"),
        ({"EndpointName": True}, "TRUE_VALUE can not be converted to a String"),
        ({"EndpointName": []}, "Start of list found where not expected"),
        ({"EndpointName": {}}, "Start of structure or map found where not expected."),
        ({"RetainAllVariantProperties": "true"}, "STRING_VALUE can not be converted to an Boolean"),
        ({"RetainAllVariantProperties": 1}, "NUMBER_VALUE can not be converted to an Boolean"),
        ({"ExcludeRetainedVariantProperties": "x"}, "Expected list or null"),
        ({"ExcludeRetainedVariantProperties": {}}, "Start of structure or map found where not expected."),
        ({"DeploymentConfig": "x"}, "Expected null"),
        ({"DeploymentConfig": []}, "Start of list found where not expected"),
    ],
)
def test_a_value_of_the_wrong_type_is_no_validation_error(
    sagemaker: Api, parameters: dict[str, Any], words: str
) -> None:
    error = refusal(sagemaker, "UpdateEndpoint", parameters)
    assert (error.code, error.message) == ("SerializationException", words)


WEIGHT = {"VariantName": "v", "ModelName": "m"}


@pytest.mark.parametrize("count", [float("inf"), float("nan"), 2**31, -(2**31) - 1, 2**64, 10**400, "1"])
def test_a_number_that_is_none_of_awss_integers_is_refused(sagemaker: Api, count: Any) -> None:
    parameters = {"EndpointConfigName": "c", "ProductionVariants": [{**WEIGHT, "InitialInstanceCount": count}]}
    assert refusal(sagemaker, "CreateEndpointConfig", parameters).code == "SerializationException"


def test_parameters_become_what_aws_reads_them_as(sagemaker: Api) -> None:
    variant = {**WEIGHT, "InitialInstanceCount": 2.9, "InstanceType": None, "Unknown": [[[]]]}
    parameters = {"EndpointConfigName": "c", "ProductionVariants": [None, variant], "Tags": None, "Other": 1}
    validate(sagemaker.operation("CreateEndpointConfig").input_shape, parameters)
    assert parameters == {"EndpointConfigName": "c", "ProductionVariants": [{**WEIGHT, "InitialInstanceCount": 2}]}


def test_a_value_that_breaks_several_constraints_is_told_by_each(sagemaker: Api) -> None:
    error = refusal(sagemaker, "CreateModel", {"ModelName": "_" * 64})
    assert error.message.startswith("2 validation errors detected: ")
    assert error.message.index("less than or equal to 63") < error.message.index("regular expression")


def test_a_map_is_told_once_for_its_keys_and_once_for_its_values(sagemaker: Api) -> None:
    environment = {"A-B": "x", "C-D": "y" * 1025, "E": None}
    error = refusal(sagemaker, "CreateModel", {"ModelName": "m", "PrimaryContainer": {"Environment": environment}})
    limits = "Member must have length less than or equal to 1024, Member must have length greater than or equal to 0"
    assert error.message == (
        "2 validation errors detected: "
        "Value '{A-B, C-D, E}' at 'primaryContainer.environment' failed to satisfy constraint: Map keys must satisfy "
        f"constraint: [{limits}, Member must satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*]; "
        "Value '{A-B, C-D, E}' at 'primaryContainer.environment' failed to satisfy constraint: Map value must satisfy "
        f"constraint: [{limits}, Member must satisfy regular expression pattern: [\\S\\s]*]"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'"text"',
        b"1",
        b"null",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"\\uDFFF": 1}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        '{"a": 1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_body_that_cannot_be_read_is_refused_without_words(body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        parse_body(body)
    assert (caught.value.code, caught.value.message) == ("SerializationException", "")
    assert b"message" not in failure(caught.value).body


def test_a_body_that_is_a_list_is_refused() -> None:
    with pytest.raises(AwsError, match="Start of list found where not expected"):
        parse_body(b"[]")


def test_a_pair_of_surrogates_is_a_character_and_the_last_of_two_keys_counts() -> None:
    assert parse_body(b'{"a": 1, "a": "\\ud83d\\ude00"}') == {"a": "😀"}


def shape_of(**shapes: Any) -> Any:
    return ShapeResolver(shapes).get_shape_by_name("Top", {})


def test_unions_blobs_documents_and_json_values_are_read() -> None:
    shape = shape_of(
        Top={
            "type": "structure",
            "members": {
                "Either": {"shape": "Either"},
                "Blob": {"shape": "Blob"},
                "Anything": {"shape": "Anything"},
                "Json": {"shape": "Text", "jsonvalue": True},
            },
        },
        Either={"type": "structure", "union": True, "members": {"A": {"shape": "Text"}, "B": {"shape": "Text"}}},
        Blob={"type": "blob"},
        Anything={"type": "structure", "document": True, "members": {}},
        Text={"type": "string"},
    )
    good = {"Either": {"A": "x"}, "Blob": "eA==", "Anything": [{"x": None}], "Json": "[1]"}
    read = dict(good)
    validate(shape, read)
    assert read == good
    for bad in ({"Either": {"A": "x", "B": "y"}}, {"Either": {}}, {"Blob": "no base64"}, {"Json": "{"}):
        with pytest.raises(AwsError) as caught:
            validate(shape, dict(bad))
        assert caught.value.code == "SerializationException"


@pytest.mark.parametrize("moment", [1e300, -1e12, "2026-01-01T00:00:00Z", True])
def test_a_timestamp_is_a_number_that_a_date_can_be_made_of(sagemaker: Api, moment: Any) -> None:
    assert refusal(sagemaker, "ListModels", {"CreationTimeAfter": moment}).code == "SerializationException"


@pytest.mark.parametrize("service", ["sagemaker", "sagemaker-runtime", "application-autoscaling", "ecr"])
def test_every_pattern_of_a_service_that_we_serve_works_in_python(service: str) -> None:
    shapes = read_description(service)["shapes"]
    # Two of SageMaker's, for the metadata of model packages, are no patterns in any language.
    patterns = {shape["pattern"] for shape in shapes.values() if shape.get("pattern")}
    broken = {pattern for pattern in patterns if not compiles(pattern)}
    assert patterns
    assert all("${1," in pattern for pattern in broken)


def compiles(pattern: str) -> bool:
    try:
        compiled(pattern)
    except re.error:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"\p{Print}+", "a b", True),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "modelhost:stage été 7½Ⅷ", True),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "two\nlines", False),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "half;", False),
        (r"[\p{L}]+", "a-b", False),
        (r"[\p{L}]+", "a1", False),
        (r"\p{N}", "²", True),
        (r"[\S]+", "a\u00a0b", True),
        (r"\d", "٣", False),
        (r"\w+", "é", False),
        (r".*", "a\rb", False),
        (r"^[a-z]+$", "abc\n", False),
        (r"[\S\s]*", "a\nb", True),
        (r"(?!.*\.\.)[a-z.]+", "a..b", False),
    ],
)
def test_a_pattern_means_in_python_what_it_means_in_java(pattern: str, text: str, matches: bool) -> None:
    assert bool(compiled(pattern).fullmatch(text)) is matches


def test_an_answer_has_only_what_the_service_model_names(sagemaker: Api) -> None:
    shape = sagemaker.operation("DescribeEndpoint").output_shape
    document = {"EndpointName": "e", "FailureReason": None, "CreationTime": 1.5, "_deployed": {"variants": []}}
    assert shaped(shape, document) == {"EndpointName": "e", "CreationTime": 1.5}


def test_operations_that_are_not_served_are_known_by_name(sagemaker: Api) -> None:
    assert "CreateTrainingJob" in sagemaker.all_operations
    assert "CreateTrainingJob" not in sagemaker.model.operation_names
