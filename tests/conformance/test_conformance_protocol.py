# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no proper call: unknown operations, bodies that cannot be read, values of the wrong type, no signature."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from conformance_source import source
from conformance_target import ACCOUNT, REGION, Target
from local_cloud_workbench import Workbench

MEASURED = "athena-local's changelog of 2026-09-23: 46 malformed requests, measured on a service of the same framework"
SCOPE = f"{ACCOUNT}/20260101/{REGION}/sagemaker/aws4_request"
SIGNED = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0",
    "Content-Type": "application/x-amz-json-1.1",
}


def post(target: Target, operation: str | None, body: bytes | str, **headers: str) -> tuple[int, dict[str, Any]]:
    """A raw call of the JSON protocol: its status and its answer."""
    address = target.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address)
    sent = {**SIGNED, **headers}
    if operation is not None:
        sent["X-Amz-Target"] = operation
    connection.request("POST", "/", body, {key: value for key, value in sent.items() if value})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if content.startswith(b"<"):
        return response.status, {"__type": content.decode().strip()}
    answer = json.loads(content or b"{}")
    if error := response.headers.get("x-amzn-errortype"):
        answer.setdefault("__type", error.partition(":")[0])
    return response.status, answer


def error_of(answer: dict[str, Any]) -> tuple[str, str | None]:
    return answer["__type"].rpartition("#")[2], answer.get("message", answer.get("Message"))


@source(MEASURED, "Smithy: AWS JSON 1.1 protocol, UnknownOperationException")
@pytest.mark.parametrize("operation", ["SageMaker.NoSuchOperation", "SageMaker."])
def test_an_operation_that_does_not_exist_is_unknown(aws: Target, operation: str) -> None:
    status, answer = post(aws, operation, "{}")
    assert status == 400
    assert error_of(answer) == ("UnknownOperationException", None)


@source("The local cloud's own: an operation that AWS has and it does not is told from a misspelt one")
def test_an_operation_that_is_not_served_says_so(local: Target) -> None:
    status, answer = post(local, "SageMaker.ListTrainingJobs", "{}")
    expected = ("UnknownOperationException", "The local cloud does not serve SageMaker's ListTrainingJobs.")
    assert (status, error_of(answer)) == (400, expected)


@source(MEASURED)
@pytest.mark.parametrize("body", ["", "{", "null", '"x"', "1", '{"ModelName": "x",}', b'{"ModelName": "\xff"}'])
def test_a_body_that_is_no_json_object_is_refused_without_words(aws: Target, body: bytes | str) -> None:
    status, answer = post(aws, "SageMaker.DescribeModel", body)
    assert (status, error_of(answer)) == (400, ("SerializationException", None))


@source(MEASURED)
@pytest.mark.parametrize(
    ("operation", "parameters", "words"),
    [
        ("DescribeModel", [], "Start of list found where not expected"),
        ("DescribeModel", {"ModelName": 1}, "NUMBER_VALUE can not be converted to a String"),
        ("DescribeModel", {"ModelName": True}, "TRUE_VALUE can not be converted to a String"),
        ("DescribeModel", {"ModelName": False}, "FALSE_VALUE can not be converted to a String"),
        ("DescribeModel", {"ModelName": ["x"]}, "Start of list found where not expected"),
        ("DescribeModel", {"ModelName": {"a": 1}}, "Start of structure or map found where not expected."),
        ("ListModels", {"MaxResults": "1"}, "STRING_VALUE can not be converted to an Integer"),
        ("ListModels", {"MaxResults": True}, "TRUE_VALUE can not be converted to an Integer"),
        ("DeleteTags", {"ResourceArn": "x", "TagKeys": "x"}, "Expected list or null"),
        ("DeleteTags", {"ResourceArn": "x", "TagKeys": [1]}, "NUMBER_VALUE can not be converted to a String"),
        ("CreateModel", {"ModelName": "x", "PrimaryContainer": "x"}, "Expected null"),
        ("CreateModel", {"ModelName": "x", "PrimaryContainer": []}, "Start of list found where not expected"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_in_the_frameworks_words(
    aws: Target, operation: str, parameters: Any, words: str
) -> None:
    status, answer = post(aws, f"SageMaker.{operation}", json.dumps(parameters))
    assert (status, error_of(answer)) == (400, ("SerializationException", words))


@source(MEASURED)
@pytest.mark.parametrize("body", ["{}", '{"ModelName": null}'])
def test_a_member_that_is_missing_or_null_must_not_be(aws: Target, body: str) -> None:
    status, answer = post(aws, "SageMaker.DescribeModel", body)
    message = (
        "1 validation error detected: Value null at 'modelName' failed to satisfy constraint: Member must not be null"
    )
    assert (status, error_of(answer)) == (400, ("ValidationException", message))


@source(MEASURED)
def test_a_member_that_does_not_exist_is_as_good_as_absent(aws: Target) -> None:
    status, answer = post(aws, "SageMaker.ListModels", '{"NoSuch": {"a": [1]}, "MaxResults": null}')
    assert status == 200
    assert "Models" in answer


@source("Smithy: AWS JSON 1.1 protocol: responses are of the content type application/x-amz-json-1.1 with a request id")
def test_an_answer_has_the_protocols_headers(aws: Target) -> None:
    answer = aws.sagemaker.list_models()["ResponseMetadata"]
    assert answer["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"
    assert answer["HTTPHeaders"]["x-amzn-requestid"]


@source("AWS General Reference, common errors: MissingAuthenticationToken, 403")
def test_a_call_without_a_signature_is_refused(local: Target) -> None:
    status, answer = post(local, "SageMaker.ListModels", "{}", Authorization="")
    assert (status, error_of(answer)[0]) == (403, "MissingAuthenticationTokenException")


@source("Smithy: AWS REST JSON 1 protocol; services answer a path that is no operation's with this XML")
def test_a_signed_call_without_a_target_is_no_operation_of_the_runtimes(local: Target) -> None:
    status, answer = post(local, None, "{}")
    assert (status, answer["__type"]) == (404, "<UnknownOperationException/>")


@source("The local cloud's own: it has no service of that name")
def test_a_service_that_is_not_there_says_so(local: Target) -> None:
    scope = SIGNED["Authorization"].replace("/sagemaker/", "/nosuchservice/")
    status, answer = post(local, None, "{}", Authorization=scope)
    assert (status, error_of(answer)[0]) == (400, "UnknownOperationException")


@source("The local cloud's own: the account is the 12-digit access key, as in ministack")
def test_accounts_and_regions_do_not_see_each_other(workbench: Workbench, local: Target, local_model: str) -> None:
    for scope in (SCOPE.replace(ACCOUNT, "111111111111"), SCOPE.replace(REGION, "eu-west-1")):
        authorization = SIGNED["Authorization"].replace(SCOPE, scope)
        body = json.dumps({"ModelName": local_model})
        status, answer = post(local, "SageMaker.DescribeModel", body, Authorization=authorization)
        account, _, region = scope.split("/")[:3]
        expected = f'Could not find model "arn:aws:sagemaker:{region}:{account}:model/{local_model}".'
        assert (status, error_of(answer)[1]) == (400, expected)
