# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of the runtime, read by the service model."""

from __future__ import annotations

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.sagemaker.runtime.requests import RequestParser, RuntimeRequest

CALLER = Caller("000000000000", "us-east-1")
INVOKE = "/endpoints/demo/invocations"


@pytest.fixture(scope="module")
def parser() -> RequestParser:
    return RequestParser()


def parse(parser: RequestParser, path: str, method: str = "POST", **headers: str) -> RuntimeRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parser.parse(CALLER, method, path, named, b"{}", "a-request")


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        (INVOKE, "InvokeEndpoint"),
        ("/endpoints/demo/async-invocations", "InvokeEndpointAsync"),
        ("/endpoints/demo/invocations-response-stream", "InvokeEndpointWithResponseStream"),
    ],
)
def test_the_path_names_the_operation_and_the_endpoint(parser: RequestParser, path: str, operation: str) -> None:
    request = parse(parser, path)
    assert (request.operation, request.endpoint_name) == (operation, "demo")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", INVOKE), ("POST", "/"), ("POST", "/endpoints/demo"), ("POST", "/endpoints/a/b/invocations")],
)
def test_any_other_path_or_method_is_an_unknown_operation(parser: RequestParser, method: str, path: str) -> None:
    with pytest.raises(AwsError) as refused:
        parse(parser, path, method)
    assert (refused.value.code, refused.value.status) == ("UnknownOperationException", 404)


def test_a_slash_in_a_name_is_part_of_the_name(parser: RequestParser) -> None:
    with pytest.raises(AwsError, match="Value 'de/mo' at 'endpointName' failed to satisfy constraint"):
        parse(parser, "/endpoints/de%2Fmo/invocations")


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ({"x_amzn_sagemaker_inference_id": "x" * 65}, "less than or equal to 64"),
        ({"x_amzn_sagemaker_inference_id": " x"}, "regular expression pattern"),
        ({"x_amzn_sagemaker_target_variant": "no_variant"}, "'targetVariant' failed"),
        ({"x_amzn_sagemaker_session_id": "-"}, "'sessionId' failed"),
        ({"x_amzn_sagemaker_custom_attributes": "x" * 1025}, "less than or equal to 1024"),
        ({"x_amzn_sagemaker_custom_attributes": "ü"}, "regular expression pattern"),
    ],
)
def test_a_header_that_breaks_its_constraint_is_refused(
    parser: RequestParser, headers: dict[str, str], complaint: str
) -> None:
    with pytest.raises(AwsError, match=complaint) as refused:
        parse(parser, INVOKE, **headers)
    assert (refused.value.code, refused.value.status) == ("ValidationError", 400)


def test_numbers_in_headers_are_numbers(parser: RequestParser) -> None:
    path = "/endpoints/demo/async-invocations"
    request = parse(parser, path, x_amzn_sagemaker_requestttlseconds="60")
    assert request.parameters["RequestTTLSeconds"] == 60
    with pytest.raises(AwsError, match="less than or equal to 3600"):
        parse(parser, path, x_amzn_sagemaker_invocationtimeoutseconds="3601")
    with pytest.raises(AwsError) as refused:
        parse(parser, path, x_amzn_sagemaker_requestttlseconds="soon")
    assert refused.value.code == "SerializationException"


def test_the_container_gets_what_the_api_knows_and_nothing_else(parser: RequestParser) -> None:
    request = parse(
        parser,
        "/endpoints/demo/invocations-response-stream",
        content_type="text/csv",
        x_amzn_sagemaker_accept="text/plain",
        accept="*/*",
        authorization="AWS4-HMAC-SHA256 …",
        cookie="a=b",
        x_amzn_trace_id="Root=1",
    )
    assert dict(request.container_headers()) == {
        "Content-Type": "text/csv",
        "Accept": "text/plain",
        "X-Amzn-Trace-Id": "Root=1",
    }
