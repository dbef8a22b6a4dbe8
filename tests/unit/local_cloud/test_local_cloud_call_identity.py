# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request is recognised as, and how an error is written for it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from botocore.parsers import create_parser
from local_cloud.aws.error_response import Protocol, error_response, protocol_of, throttled
from local_cloud.aws.errors import AwsError
from local_cloud.call_identity import Call, has_small_body, identify
from local_cloud.exchange import Request
from local_cloud.faults.stale_reads import renamed

FORM = "application/x-www-form-urlencoded"


def request(service: str | None, method: str = "POST", path: str = "/", query: str = "", **headers: str) -> Request:
    if service:
        scope = f"000000000000/20261123/us-east-1/{service}/aws4_request"
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request.of(
        {
            "method": method,
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode(),
            "headers": raw,
        }
    )


def call(service: str | None, body: bytes | None = b"", **request_parts: str) -> Call:
    return identify(request(service, **request_parts), "000000000000", "us-east-1", "000000000000", body)


def json_call(service: str, target: str, **parameters: Any) -> Call:
    return call(service, json.dumps(parameters).encode(), x_amz_target=target)


def test_the_first_resource_is_what_the_operation_is_named_after() -> None:
    created = json_call("sagemaker", "SageMaker.CreateEndpoint", EndpointConfigName="c", EndpointName="e")
    assert [(resource.kind, resource.name) for resource in created.resources] == [
        ("endpoint", "e"),
        ("endpointconfig", "c"),
    ]


@pytest.mark.parametrize(
    ("made", "kind", "name"),
    [
        (call("s3", None, method="PUT", path="/b/k/x%20y"), "object", "b/k/x y"),
        (call("s3", None, method="HEAD", path="/b"), "bucket", "b"),
        (call("lambda", method="GET", path="/2015-03-31/functions/f/policy"), "function", "f"),
        (
            call(
                "lambda", method="GET", path="/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af"
            ),
            "function",
            "f",
        ),
        (call("lambda", b'{"FunctionName":"f"}', path="/2015-03-31/functions"), "function", "f"),
        (call("apigateway", b'{"name":"api"}', path="/v2/apis"), "", "api"),
        (call(None, None, method="GET", path="/v2/demo/serving/manifests/latest"), "repository", "demo/serving"),
        (call(None, None, path="/_aws/execute-api/abc/demo"), "api", "abc"),
        (call("iam", b"Action=GetRole&RoleName=r", content_type=FORM), "role", "r"),
        (call("iam", b"Action=PutRolePolicy&PolicyName=p&RoleName=r", content_type=FORM), "role", "r"),
        (call("monitoring", b"Action=DeleteAlarms&AlarmNames.member.1=a", content_type=FORM), "alarm", "a"),
        (
            json_call("sagemaker", "SageMaker.AddTags", ResourceArn="arn:aws:sagemaker:r:1:endpoint-config/c"),
            "endpointconfig",
            "c",
        ),
    ],
)
def test_what_a_call_is_about_is_found_wherever_its_protocol_keeps_it(made: Call, kind: str, name: str) -> None:
    assert made.primary is not None
    assert (made.primary.kind, made.primary.name) == (kind, name)


def test_a_config_names_its_models() -> None:
    made = json_call(
        "sagemaker", "SageMaker.CreateEndpointConfig", ProductionVariants=[{"ModelName": "m"}], EndpointConfigName="c"
    )
    assert [resource.name for resource in made.resources] == ["c", "m"]


def test_a_list_is_about_no_single_thing_but_its_filter_is_a_name() -> None:
    made = json_call("sagemaker", "SageMaker.ListEndpoints", NameContains="modelhost-local")
    assert made.primary is None
    assert [resource.name for resource in made.resources] == ["modelhost-local"]


def test_a_digest_is_of_what_is_asked_for_not_of_how_it_is_written_or_signed() -> None:
    first, second = (
        json_call("sagemaker", "SageMaker.X", **parameters) for parameters in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )
    assert first.digest == second.digest
    presigned = [
        call("s3", None, method="GET", path="/b/k", query=f"X-Amz-Signature={n}&X-Amz-Date={n}&versionId=1")
        for n in "12"
    ]
    assert presigned[0].digest == presigned[1].digest
    assert presigned[0].digest != call("s3", None, method="GET", path="/b/k", query="versionId=2").digest


@pytest.mark.parametrize("size", [1, 1000, 100_000, 2_000_000])
def test_bodies_of_any_size_have_digests_that_differ(size: int) -> None:
    path = "/endpoints/e/invocations"
    assert call("sagemaker", b"a" * size, path=path).digest == call("sagemaker", b"a" * size, path=path).digest
    assert call("sagemaker", b"a" * size, path=path).digest != call("sagemaker", b"b" + b"a" * size, path=path).digest


def test_objects_and_layers_are_not_read_to_tell_what_they_are() -> None:
    assert not has_small_body(request("s3", "PUT", "/b/k"))
    assert not has_small_body(request(None, "PATCH", "/v2/demo/blobs/uploads/x"))
    assert has_small_body(request("sagemaker", x_amz_target="SageMaker.ListModels"))


def test_nonsense_is_recognised_as_something() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        service = chance.choice([None, "s3", "iam", "lambda", "sagemaker", "ecr", "monitoring", "apigateway", "\xe9"])
        rubbish = bytes(chance.randrange(256) for _ in range(chance.randrange(60)))
        path = "/" + "".join(chr(chance.randrange(33, 256)) for _ in range(chance.randrange(20)))
        headers = chance.choice(
            [{"x_amz_target": "A.\xff"}, {"content_type": FORM}, {"smithy_protocol": "rpc-v2-cbor"}, {}]
        )
        asked = request(service, chance.choice(["GET", "POST", "HEAD"]), path, "a=%zz&Action=\xc3", **headers)
        made = identify(asked, "1", "r", None, rubbish if has_small_body(asked) else None)
        assert made.name.operation
        assert len(made.digest) == 16
        error_response(made.protocol, AwsError("Code", "message"), made.service, asked.method)


PARSERS = {
    Protocol.JSON: "json",
    Protocol.QUERY: "query",
    Protocol.EC2: "ec2",
    Protocol.REST_JSON: "rest-json",
    Protocol.REST_XML: "rest-xml",
    Protocol.S3: "rest-xml",
    Protocol.CBOR: "smithy-rpc-v2-cbor",
}


@pytest.mark.parametrize("protocol", PARSERS)
@pytest.mark.parametrize("message", ["Why.", "<&\"'> ümläut 火 " * 20])
def test_botocore_reads_an_error_in_every_protocol(protocol: Protocol, message: str) -> None:
    response = error_response(protocol, AwsError("SomeCode", message, 418), "any")
    raw = {"status_code": response.status, "headers": response.headers, "body": response.body}
    error = create_parser(PARSERS[protocol]).parse(raw, None)["Error"]
    assert (error["Code"], error["Message"].strip()) == ("SomeCode", message.strip())


def test_who_is_no_aws_client_gets_an_error_of_its_kind() -> None:
    docker = error_response(Protocol.REGISTRY, throttled(None, Protocol.REGISTRY))
    assert json.loads(docker.body)["errors"][0]["code"] == "TOOMANYREQUESTS"
    user = error_response(Protocol.HTTP_API, throttled(None, Protocol.HTTP_API))
    assert (user.status, json.loads(user.body)) == (429, {"message": "Too Many Requests"})
    assert error_response(Protocol.S3, AwsError("X", "y"), "s3", "HEAD").body == b""


@pytest.mark.parametrize(
    ("asked", "protocol"),
    [
        (request("sagemaker", x_amz_target="SageMaker.X"), Protocol.JSON),
        (request("sagemaker", path="/endpoints/e/invocations"), Protocol.REST_JSON),
        (request("monitoring", path="/service/G/operation/X", smithy_protocol="rpc-v2-cbor"), Protocol.CBOR),
        (request("iam", content_type=FORM + "; charset=utf-8"), Protocol.QUERY),
        (request("ec2", content_type=FORM), Protocol.EC2),
        (request("s3", "GET", "/b", "Action=x"), Protocol.S3),
        (request("route53", "GET", "/2013-04-01/hostedzone"), Protocol.REST_XML),
        (request(None, "GET", "/v2/"), Protocol.REGISTRY),
        (request("apigateway", "GET", "/v2/apis"), Protocol.REST_JSON),
        (request(None, path="/_aws/execute-api/a/demo"), Protocol.HTTP_API),
    ],
)
def test_a_protocol_is_told_by_the_request(asked: Request, protocol: Protocol) -> None:
    service = asked.signed.service if asked.signed else None
    assert protocol_of(service, asked.path, asked.headers, asked.query) is protocol


@pytest.mark.parametrize(
    ("made", "path", "body"),
    [
        (json_call("sagemaker", "SageMaker.DescribeModel", ModelName="m"), "/", b'{"ModelName": "other"}'),
        (
            json_call("sagemaker", "SageMaker.ListTags", ResourceArn="arn:aws:sagemaker:r:1:model/m"),
            "/",
            b'{"ResourceArn": "arn:aws:sagemaker:r:1:model/other"}',
        ),
        (call("iam", b"Action=GetRole&RoleName=m", content_type=FORM), "/", b"Action=GetRole&RoleName=other"),
        (
            call("lambda", method="GET", path="/2015-03-31/functions/m/policy"),
            "/2015-03-31/functions/other/policy",
            b"",
        ),
    ],
)
def test_a_call_can_be_asked_about_another_name(made: Call, path: str, body: bytes) -> None:
    again = renamed(made, "m", "other")
    assert again is not None
    assert (again[0].raw_path, again[1]) == (path, body)
    assert again[0].headers["content-length"] == str(len(body))
    assert renamed(made, "elsewhere", "other") is None
