# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from local_cloud.aws.caller import Scope, parse_scope
from local_cloud.operation_names import Operation, name_operation
from local_cloud.routing import Destination, route

SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261123/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=00"


def test_the_scope_is_read_from_the_authorization_header() -> None:
    headers = {"authorization": SIGNED.format("000000000000", "sagemaker")}
    assert parse_scope(headers, "") == Scope("000000000000", "eu-west-1", "sagemaker")


def test_the_scope_of_a_presigned_request_is_read_from_its_query() -> None:
    query = "X-Amz-Algorithm=x&X-Amz-Credential=AKIA%2F20261123%2Fus-east-1%2Fs3%2Faws4_request"
    assert parse_scope({}, query) == Scope("AKIA", "us-east-1", "s3")


@pytest.mark.parametrize("authorization", ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=nonsense"])
def test_an_unsigned_request_has_no_scope(authorization: str) -> None:
    assert parse_scope({"authorization": authorization}, "X-Amz-Credential=nonsense") is None


@pytest.mark.parametrize(
    ("path", "target", "service", "destination"),
    [
        ("/", "SageMaker.DescribeEndpoint", "sagemaker", Destination.SAGEMAKER),
        ("/endpoints/demo/invocations", "", "sagemaker", Destination.SAGEMAKER_RUNTIME),
        ("/", "AnyScaleFrontendService.PutScalingPolicy", "application-autoscaling", Destination.AUTOSCALING),
        ("/", "AmazonEC2ContainerRegistry_V20150921.PutImage", "ecr", Destination.ECR),
        ("/", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", "ecr", Destination.MINISTACK),
        ("/v2/", "", None, Destination.ECR_REGISTRY),
        ("/v2/team/image/blobs/uploads/", "", None, Destination.ECR_REGISTRY),
        ("/v2/team/image/manifests/latest", "", None, Destination.ECR_REGISTRY),
        ("/v2/team/image/tags/list", "", None, Destination.ECR_REGISTRY),
        ("/v2/apis/abc/routes", "", "apigateway", Destination.MINISTACK),
        ("/v2/email/blobs/x", "", "ses", Destination.MINISTACK),
        ("/bucket/key", "", "s3", Destination.MINISTACK),
        ("/_aws/execute-api/abc/demo", "", None, Destination.MINISTACK),
        ("/", "", "quicksight", Destination.UNKNOWN),
    ],
)
def test_every_request_has_one_that_answers_it(
    path: str, target: str, service: str | None, destination: Destination
) -> None:
    assert route(path, target, service) is destination


@pytest.mark.parametrize(
    ("service", "method", "path", "query", "headers", "named"),
    [
        ("s3", "PUT", "/b/k/x.tar", "", {}, ("PutObject", "write")),
        ("s3", "PUT", "/b/k", "", {"x-amz-copy-source": "/a/b"}, ("CopyObject", "write")),
        ("s3", "PUT", "/b/k", "partNumber=1&uploadId=x", {}, ("UploadPart", "write")),
        ("s3", "GET", "/b", "list-type=2&prefix=x", {}, ("ListObjectsV2", "read")),
        ("s3", "GET", "/b", "versioning", {}, ("GetBucketVersioning", "read")),
        ("s3", "HEAD", "/b", "", {}, ("HeadBucket", "read")),
        ("s3", "GET", "/", "", {}, ("ListBuckets", "read")),
        ("lambda", "POST", "/2015-03-31/functions/f/invocations", "", {}, ("Invoke", "data")),
        ("lambda", "GET", "/2015-03-31/functions/f/policy", "Qualifier=live", {}, ("GetPolicy", "read")),
        ("apigateway", "POST", "/v2/apis", "", {}, ("CreateApi", "write")),
        ("apigateway", "GET", "/v2/tags/arn%3Aaws%3Ax%2Fy", "", {}, ("GetTags", "read")),
        ("sagemaker", "POST", "/endpoints/x/invocations", "", {}, ("InvokeEndpoint", "data")),
        ("sagemaker", "POST", "/", "", {"x-amz-target": "SageMaker.UpdateEndpoint"}, ("UpdateEndpoint", "write")),
        ("monitoring", "POST", "/service/Granite/operation/PutMetricAlarm", "", {}, ("PutMetricAlarm", "write")),
        ("s3", "PATCH", "/b/k", "", {}, ("PATCH /b/k", "write")),
    ],
)
def test_a_request_is_logged_by_awss_name_for_it(
    service: str, method: str, path: str, query: str, headers: dict[str, str], named: tuple[str, str]
) -> None:
    assert name_operation(service, method, path, query, headers, b"") == Operation(service, *named)


def test_a_form_names_its_action() -> None:
    form = b"Action=GetRole&Version=2010-05-08&RoleName=x"
    assert name_operation("iam", "POST", "/", "", {}, form) == Operation("iam", "GetRole", "read")


def test_what_users_of_the_api_send_is_data() -> None:
    call = name_operation(None, "POST", "/_aws/execute-api/abc/demo", "", {}, b"")
    assert call == Operation("execute-api", "POST /demo", "data")
