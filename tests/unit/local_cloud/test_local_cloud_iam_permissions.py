# SPDX-License-Identifier: GPL-3.0-or-later
"""Which actions, resources and condition keys a call needs; each test names its page of AWS's documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.iam import autoscaling, ecr, ministack_corrections, ministack_services, sagemaker
from local_cloud.iam.permissions import Permission
from local_cloud.routing import OUR_ECR_OPERATIONS
from local_cloud.sagemaker.operations import SageMakerControlPlane

CALLER = Caller("111111111111", "eu-west-1")
ARN = "arn:aws:sagemaker:eu-west-1:111111111111:"
ROLE = "arn:aws:iam::111111111111:role/serve"


def no_tags(_arn: str) -> Mapping[str, str]:
    return {}


def needed(operation: str, **parameters: Any) -> list[tuple[str, str]]:
    return [(each.action, each.resource) for each in sagemaker.required(CALLER, operation, parameters, no_tags)]


def test_every_operation_that_sagemaker_serves_has_a_row() -> None:
    """An operation without one would be allowed by no policy that names its resource."""
    served = SageMakerControlPlane(*[None] * 4)._operations  # type: ignore[arg-type]
    known = set(sagemaker.RESOURCES) | sagemaker.TAG_OPERATIONS | sagemaker.WITHOUT_RESOURCE
    assert set(served) <= known


@pytest.mark.parametrize("operation", ["CreateEndpoint", "UpdateEndpoint"])
def test_an_endpoint_is_authorised_with_its_config(operation: str) -> None:
    """Service Authorization Reference, SageMaker: endpoint* and endpoint-config*."""
    assert needed(operation, EndpointName="Demo", EndpointConfigName="Demo-CONFIG-1") == [
        (f"sagemaker:{operation}", ARN + "endpoint/demo"),
        (f"sagemaker:{operation}", ARN + "endpoint-config/demo-config-1"),
    ]


def test_a_model_takes_its_role_and_its_tags_along() -> None:
    """Service Authorization Reference, SageMaker: CreateModel's dependent actions."""
    wanted = sagemaker.required(
        CALLER,
        "CreateModel",
        {"ModelName": "M", "ExecutionRoleArn": ROLE, "Tags": [{"Key": "a", "Value": "b"}]},
        no_tags,
    )
    create, pass_role, add_tags = wanted
    assert create.conditions["aws:RequestTag/a"] == "b"
    assert create.conditions["aws:TagKeys"] == ["a"]
    assert create.conditions["sagemaker:NetworkIsolation"] == "false"
    assert pass_role == Permission(
        "iam:PassRole",
        ROLE,
        {"iam:PassedToService": "sagemaker.amazonaws.com", "iam:AssociatedResourceArn": ARN + "model/m"},
    )
    assert (add_tags.action, add_tags.resource) == ("sagemaker:AddTags", ARN + "model/m")
    assert add_tags.conditions["sagemaker:TaggingAction"] == "CreateModel"


def test_the_keys_of_a_config_are_those_that_limit_its_cost() -> None:
    """Service Authorization Reference, SageMaker: CreateEndpointConfig's condition keys."""
    variants = [
        {"ModelName": "M", "InstanceType": "ml.m5.large"},
        {"ModelName": "N", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}},
    ]
    parameters = {"EndpointConfigName": "c", "ProductionVariants": variants, "KmsKeyId": "key"}
    (permission,) = sagemaker.required(CALLER, "CreateEndpointConfig", parameters, no_tags)
    assert permission.conditions == {
        "sagemaker:InstanceTypes": ["ml.m5.large"],
        "sagemaker:ModelArn": [ARN + "model/m", ARN + "model/n"],
        "sagemaker:ServerlessMemorySize": "2048",
        "sagemaker:ServerlessMaxConcurrency": "5",
        "sagemaker:VolumeKmsKey": "key",
    }


def test_the_tags_of_what_is_there_are_keys_under_both_names() -> None:
    """Service Authorization Reference, SageMaker: aws:ResourceTag and sagemaker:ResourceTag."""
    (permission,) = sagemaker.required(CALLER, "DeleteEndpoint", {"EndpointName": "E"}, lambda arn: {"team": arn[-1:]})
    assert permission.conditions == {"aws:ResourceTag/team": "e", "sagemaker:ResourceTag/team": "e"}


def test_lists_have_no_resource_and_tags_have_the_one_they_name() -> None:
    assert needed("ListModels", NameContains="x") == [("sagemaker:ListModels", "*")]
    assert needed("AddTags", ResourceArn=ARN + "endpoint/Demo", Tags=[]) == [
        ("sagemaker:AddTags", ARN + "endpoint/demo")
    ]


@pytest.mark.parametrize(
    "parameters",
    [{}, {"ModelName": 5}, {"ModelName": None, "Tags": "x"}, {"ModelName": ["a"], "Tags": [5, {}], "VpcConfig": 7}],
)
def test_a_call_that_makes_no_sense_needs_a_right_on_nothing_that_a_policy_names(parameters: dict[str, Any]) -> None:
    for permission in sagemaker.required(CALLER, "CreateModel", parameters, no_tags):
        assert not permission.resource.endswith("*")
    sagemaker.required(CALLER, "CreateEndpointConfig", {**parameters, "ProductionVariants": [1, {}]}, no_tags)
    sagemaker.required(CALLER, "AddTags", parameters, no_tags)


@pytest.mark.parametrize(
    ("path", "action", "name"),
    [
        ("/endpoints/Demo/invocations", "InvokeEndpoint", "demo"),
        ("/endpoints/demo/async-invocations", "InvokeEndpointAsync", "demo"),
        ("/endpoints/demo/invocations-response-stream", "InvokeEndpointWithResponseStream", "demo"),
        ("/endpoints/a%2Fb/invocations", "InvokeEndpoint", "a/b"),
        ("/something/else", "InvokeEndpoint", ""),
    ],
)
def test_each_way_to_ask_an_endpoint_has_its_action(path: str, action: str, name: str) -> None:
    headers = {"x-amzn-sagemaker-target-model": "m.tar.gz"}
    (permission,) = sagemaker.required_to_invoke(CALLER, path, headers, no_tags)
    assert (permission.action, permission.resource) == (f"sagemaker:{action}", ARN + f"endpoint/{name}")
    assert name == "" or permission.conditions == {"sagemaker:TargetModel": "m.tar.gz"}


def test_the_first_scalable_target_makes_the_service_linked_role() -> None:
    """SageMaker developer guide, "Auto scaling prerequisites"."""
    parameters = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": "endpoint/Demo/variant/All",
    }
    first = autoscaling.required(CALLER, "RegisterScalableTarget", parameters, has_service_linked_role=False)
    later = autoscaling.required(CALLER, "RegisterScalableTarget", parameters, has_service_linked_role=True)
    assert [each.action for each in later] == [
        "application-autoscaling:RegisterScalableTarget",
        "sagemaker:DescribeEndpoint",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
    ]
    assert later[0].conditions["application-autoscaling:service-namespace"] == "sagemaker"
    assert later[1].resource == ARN + "endpoint/demo"
    (more,) = first[len(later) :]
    assert more.action == "iam:CreateServiceLinkedRole"
    assert more.conditions == {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}


def test_target_tracking_puts_alarms_in_the_callers_name() -> None:
    parameters = {"ResourceId": "endpoint/demo/variant/All", "PolicyType": "TargetTrackingScaling"}
    wanted = autoscaling.required(CALLER, "PutScalingPolicy", parameters, True)
    assert [each.action for each in wanted[1:]] == ["cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm"]
    assert wanted[1].resource.endswith(":alarm:TargetTracking-endpoint/demo/variant/All-*")


def test_ecr_asks_for_the_repository_of_every_operation_but_the_token() -> None:
    for operation in OUR_ECR_OPERATIONS:
        (permission,) = ecr.required(CALLER, operation, {"repositoryName": "a/b"})
        arn = "arn:aws:ecr:eu-west-1:111111111111:repository/a/b"
        assert permission.resource == ("*" if operation == "GetAuthorizationToken" else arn)


@pytest.mark.parametrize(
    ("service", "method", "path", "target", "body", "actions"),
    [
        ("lambda", "POST", "/2015-03-31/functions", "", {"FunctionName": "f"}, ["lambda:CreateFunction"]),
        (
            "lambda",
            "PUT",
            "/2015-03-31/functions/f/configuration",
            "",
            {"Role": ROLE},
            ["lambda:UpdateFunctionConfiguration", "iam:PassRole"],
        ),
        ("lambda", "GET", "/2015-03-31/functions/f", "", {}, []),
        ("apigateway", "POST", "/v2/apis", "", {"tags": {"a": "b"}}, ["apigateway:POST", "apigateway:TagResource"]),
        ("apigateway", "POST", "/v2/apis/1/routes", "", {"tags": {"a": "b"}}, []),
        ("ecr", "POST", "/", "X.CreateRepository", {"repositoryName": "r"}, ["ecr:CreateRepository"]),
        ("logs", "POST", "/", "X.PutLogEvents", {"logGroupName": "g"}, []),
        ("s3", "PUT", "/bucket/key", "", {}, []),
    ],
)
def test_what_ministack_leaves_out_is_known(
    service: str, method: str, path: str, target: str, body: dict[str, Any], actions: list[str]
) -> None:
    raw = json.dumps(body).encode()
    found = ministack_services.required(CALLER, service, method, path, target, raw)
    assert [permission.action for permission in found] == actions


def test_a_role_made_with_tags_and_a_boundary_says_so() -> None:
    """Service Authorization Reference, IAM: CreateRole's condition keys."""
    form = b"Action=CreateRole&RoleName=r&PermissionsBoundary=arn&Tags.member.1.Key=a&Tags.member.1.Value=b"
    create, tag = ministack_services.required(CALLER, "iam", "POST", "/", "", form)
    assert create.resource == "arn:aws:iam::111111111111:role/r"
    assert create.conditions["iam:PermissionsBoundary"] == "arn"
    assert (tag.action, tag.conditions["aws:RequestTag/a"]) == ("iam:TagRole", "b")


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"5", b"{"])
def test_a_body_that_is_none_breaks_nothing(body: bytes) -> None:
    for service in ministack_services.SERVICES:
        for path in ("/", "/2015-03-31/functions", "/v2/apis"):
            ministack_services.required(CALLER, service, "POST", path, "X.CreateLogGroup", body)


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "/2015-03-31/functions/f/aliases/live", "lambda:GetAlias"),
        ("PUT", "/2015-03-31/functions/f/aliases/live", "lambda:UpdateAlias"),
        ("DELETE", "/2017-10-31/functions/f/concurrency", "lambda:DeleteFunctionConcurrency"),
        ("POST", "/2015-03-31/functions/f/invocations", "lambda:InvokeFunction"),
        ("POST", "/nonsense/functions", None),
    ],
)
def test_lambdas_actions_are_told_apart(method: str, path: str, action: str | None) -> None:
    """Service Authorization Reference, Lambda. ministack takes all of an alias's reading calls for ListAliases."""
    assert ministack_corrections.action_of(method, path) == action


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "resource"),
    [
        ("ecr", "DescribeRepositories", {"repositoryNames": ["r"]}, "ecr:eu-west-1:111111111111:repository/r"),
        ("ecr", "DescribeRepositories", {}, "ecr:eu-west-1:111111111111:repository/*"),
        ("ecr", "ListTagsForResource", {"resourceArn": "arn:aws:ecr:x"}, "ecr:x"),
        ("logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s"}, "log-group:g:log-stream:s"),
        ("logs", "CreateLogGroup", {"logGroupName": "g"}, "logs:eu-west-1:111111111111:log-group:g:log-stream:"),
        ("logs", "TagResource", {"resourceArn": "x"}, None),
        ("lambda", "POST /2015-03-31/functions", {"FunctionName": "f"}, ":function:f"),
        ("monitoring", "PutMetricAlarm", {"AlarmName": "a"}, "cloudwatch:eu-west-1:111111111111:alarm:a"),
        ("monitoring", "DeleteAlarms", {"AlarmNames": ["a"]}, "cloudwatch:eu-west-1:111111111111:alarm:a"),
        ("monitoring", "TagResource", {"ResourceARN": "arn:aws:cloudwatch:x"}, "cloudwatch:x"),
        ("monitoring", "DescribeAlarms", {"AlarmNames": ["a"]}, None),
        ("s3", "GET /", {}, None),
    ],
)
def test_resources_are_named_where_ministack_would_ask_for_any(
    service: str, operation: str, parameters: dict[str, Any], resource: str | None
) -> None:
    found = ministack_corrections.resource_of(service, operation, parameters, "eu-west-1", "111111111111")
    assert found is None if resource is None else str(found).endswith(resource)
