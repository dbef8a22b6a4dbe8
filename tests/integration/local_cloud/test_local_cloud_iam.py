# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud that enforces permissions: who may call our services, and what for.

The rules are those of AWS's Service Authorization Reference, the words those that people quote from AWS.
"""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import WaiterError
from local_cloud_process import LocalCloud
from local_cloud_users import (
    ACCOUNT,
    REGION,
    Identity,
    Refusal,
    allow,
    assume,
    denial,
    deny,
    document,
    new_role,
    new_user,
    refusal,
    sagemaker_arn,
)
from local_cloud_workbench import Workbench, furnish

EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/execution"
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
# What the execution role of the workbench may do, as the project's own may.
EXECUTION_STATEMENTS = (
    allow(PULL, f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/demo/serving"),
    allow("ecr:GetAuthorizationToken"),
    allow("s3:GetObject", "arn:aws:s3:::models/demo/*"),
)
PASS_EXECUTION_ROLE = allow(
    "iam:PassRole", EXECUTION_ROLE, StringEquals={"iam:PassedToService": "sagemaker.amazonaws.com"}
)


def empty_zip() -> bytes:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    return file.getvalue()


TAGS = [{"Key": "team", "Value": "blue"}]
FUNCTION = {
    "FunctionName": "mine",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/for-lambda",
    "Code": {"ZipFile": empty_zip()},
    "Runtime": "python3.13",
    "Handler": "f.f",
}


@pytest.fixture(scope="module")
def cloud(new_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    cloud = new_cloud(options=("--enforce-iam",))
    cloud.start()
    return cloud


@pytest.fixture(scope="module")
def bench(cloud: LocalCloud) -> Workbench:
    """Everything in it is made by the account's root user."""
    bench = furnish(cloud)
    grant(cloud, "execution", *EXECUTION_STATEMENTS)
    return bench


@pytest.fixture(scope="module")
def endpoint(bench: Workbench) -> str:
    return bench.serving()


def grant(cloud: LocalCloud, role: str, *statements: dict[str, Any]) -> None:
    cloud.client("iam").put_role_policy(RoleName=role, PolicyName="only", PolicyDocument=document(*statements))


def model_of(bench: Workbench, **more: Any) -> dict[str, Any]:
    container = {"Image": bench.image, "ModelDataUrl": bench.artifact}
    return {
        "ModelName": bench.name("model"),
        "PrimaryContainer": container,
        "ExecutionRoleArn": EXECUTION_ROLE,
        **more,
    }


def serverless(model: str, memory: int = 2048) -> list[dict[str, Any]]:
    size = {"MemorySizeInMB": memory, "MaxConcurrency": 5}
    return [{"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": size}]


# Who signs


def test_the_root_user_of_an_account_is_its_twelve_digits_and_may_do_everything(
    bench: Workbench, endpoint: str
) -> None:
    assert bench.invoke(endpoint)["pid"]


@pytest.mark.parametrize(
    ("service", "call", "parameters"),
    [
        ("sagemaker", "list_endpoints", {}),
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
        ("ecr", "batch_check_layer_availability", {"repositoryName": "demo/serving", "layerDigests": ["sha256:0"]}),
    ],
)
def test_a_wrong_secret_and_an_unknown_key_are_refused(
    cloud: LocalCloud, service: str, call: str, parameters: dict[str, Any]
) -> None:
    user = new_user(cloud, allow("*"))
    assert refusal(getattr(user.client(service), call), **parameters) is None
    wrong = refusal(getattr(replace(user, secret_key="not the secret").client(service), call), **parameters)
    assert wrong is not None
    assert wrong.code == "InvalidSignatureException"
    unknown = refusal(getattr(replace(user, access_key="AKIANOBODY").client(service), call), **parameters)
    assert unknown == Refusal(
        "UnrecognizedClientException", 400, "The security token included in the request is invalid."
    )


def test_the_runtime_checks_signatures_too(cloud: LocalCloud, endpoint: str) -> None:
    user = replace(new_user(cloud, allow("*")), secret_key="not the secret")
    refused = refusal(user.client("sagemaker-runtime").invoke_endpoint, EndpointName=endpoint, Body=b"{}")
    assert refused is not None
    assert (refused.code, refused.status) == ("InvalidSignatureException", 403)


def test_a_body_that_is_not_the_signed_one_is_refused(cloud: LocalCloud, endpoint: str) -> None:
    user = new_user(cloud, allow("*"))
    client = user.client("sagemaker-runtime")

    def forge(request: Any, **_: Any) -> None:
        request.body = b"[]"

    client.meta.events.register("before-send.sagemaker-runtime.InvokeEndpoint", forge)
    refused = refusal(client.invoke_endpoint, EndpointName=endpoint, Body=b"{}")
    assert refused is not None
    assert refused.code == "InvalidSignatureException"


def test_a_request_that_is_not_signed_is_refused(cloud: LocalCloud) -> None:
    request = urllib.request.Request(cloud.url, b"{}", {"X-Amz-Target": "SageMaker.ListEndpoints"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert json.load(caught.value)["__type"] == "MissingAuthenticationTokenException"


def test_a_signature_for_another_service_does_not_open_this_one(cloud: LocalCloud) -> None:
    client = new_user(cloud, allow("*")).client("sagemaker")
    client.meta.events.register("choose-signer.sagemaker.*", lambda **_: None)
    client._request_signer._signing_name = "logs"
    refused = refusal(client.list_endpoints)
    assert refused is not None
    assert refused.code == "InvalidSignatureException"


def test_a_users_key_acts_in_the_users_account(cloud: LocalCloud, endpoint: str) -> None:
    iam = replace(Identity(cloud, "", "111111111111", "any")).client("iam")
    iam.create_user(UserName="elsewhere")
    iam.put_user_policy(UserName="elsewhere", PolicyName="only", PolicyDocument=document(allow("sagemaker:*")))
    key = iam.create_access_key(UserName="elsewhere")["AccessKey"]
    user = Identity(cloud, "", key["AccessKeyId"], key["SecretAccessKey"])
    assert user.client("sagemaker").list_endpoints()["Endpoints"] == []
    assert cloud.client("sagemaker").list_endpoints()["Endpoints"] != []


# What SageMaker's operations need


def test_without_a_policy_nothing_is_allowed_and_the_words_are_awss(bench: Workbench) -> None:
    user, wanted = new_user(bench.cloud), model_of(bench)
    arn = sagemaker_arn("model", wanted["ModelName"])
    assert refusal(user.client("sagemaker").create_model, **wanted) == Refusal(
        "AccessDeniedException", 400, denial(user, "sagemaker:CreateModel", arn)
    )


def test_an_explicit_deny_wins_over_every_allow(bench: Workbench, endpoint: str) -> None:
    user = new_user(bench.cloud, allow("*"), deny("sagemaker:DescribeEndpoint"))
    refused = refusal(user.client("sagemaker").describe_endpoint, EndpointName=endpoint)
    assert refused is not None
    assert refused.message.endswith("with an explicit deny in an identity-based policy")


def test_a_permissions_boundary_limits_what_a_policy_allows(bench: Workbench, endpoint: str) -> None:
    iam, user = bench.cloud.client("iam"), new_user(bench.cloud, allow("sagemaker:*"))
    text = document(allow("sagemaker:Describe*"))
    boundary = iam.create_policy(PolicyName="only-describe", PolicyDocument=text)["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user.arn.rpartition("/")[2], PermissionsBoundary=boundary)
    client = user.client("sagemaker")
    assert refusal(client.describe_endpoint, EndpointName=endpoint) is None
    refused = refusal(client.list_endpoints)
    assert refused is not None
    assert refused.message.endswith("because no permissions boundary allows the sagemaker:ListEndpoints action")


def test_resources_are_named_in_lower_case(bench: Workbench) -> None:
    name = bench.name("CamelCase")
    config = bench.config(bench.model(), name=name)
    arn = sagemaker_arn("endpoint-config", name)
    by_name = new_user(bench.cloud, allow("sagemaker:DescribeEndpointConfig", arn))
    assert refusal(by_name.client("sagemaker").describe_endpoint_config, EndpointConfigName=config) is not None
    in_lower_case = new_user(bench.cloud, allow("sagemaker:DescribeEndpointConfig", arn.lower()))
    assert refusal(in_lower_case.client("sagemaker").describe_endpoint_config, EndpointConfigName=config) is None


def test_a_list_is_allowed_on_every_resource_or_not_at_all(bench: Workbench) -> None:
    user = new_user(bench.cloud, allow("sagemaker:ListEndpoints", sagemaker_arn("endpoint", "*")))
    refused = refusal(user.client("sagemaker").list_endpoints)
    assert refused is not None
    assert refused.message == denial(user, "sagemaker:ListEndpoints", "*")
    assert refusal(new_user(bench.cloud, allow("sagemaker:ListEndpoints")).client("sagemaker").list_endpoints) is None


@pytest.mark.parametrize("operation", ["create_endpoint", "update_endpoint"])
def test_an_endpoint_and_its_config_both_have_to_be_allowed(bench: Workbench, endpoint: str, operation: str) -> None:
    config = bench.config(bench.model())
    name = endpoint if operation == "update_endpoint" else bench.name()
    action = "sagemaker:" + operation.title().replace("_", "")
    user = new_user(bench.cloud, allow(action, sagemaker_arn("endpoint", name)))
    refused = refusal(getattr(user.client("sagemaker"), operation), EndpointName=name, EndpointConfigName=config)
    assert refused is not None
    assert refused.message == denial(user, action, sagemaker_arn("endpoint-config", config))


def test_a_model_needs_the_right_to_pass_its_role_to_sagemaker(bench: Workbench) -> None:
    create = allow("sagemaker:CreateModel", sagemaker_arn("model", "*"))
    to_lambda = allow("iam:PassRole", EXECUTION_ROLE, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})
    for statements in ((create,), (create, to_lambda)):
        user = new_user(bench.cloud, *statements)
        refused = refusal(user.client("sagemaker").create_model, **model_of(bench))
        assert refused is not None
        assert refused.message == denial(user, "iam:PassRole", EXECUTION_ROLE)
    user = new_user(bench.cloud, create, PASS_EXECUTION_ROLE)
    assert refusal(user.client("sagemaker").create_model, **model_of(bench)) is None


def test_tags_on_creation_need_a_right_of_their_own(bench: Workbench) -> None:
    create = allow("sagemaker:CreateModel", sagemaker_arn("model", "*"))
    wanted = model_of(bench, Tags=TAGS)
    arn = sagemaker_arn("model", wanted["ModelName"])
    user = new_user(bench.cloud, create, PASS_EXECUTION_ROLE)
    refused = refusal(user.client("sagemaker").create_model, **wanted)
    assert refused is not None
    assert refused.message == denial(user, "sagemaker:AddTags", arn)
    tagging = allow("sagemaker:AddTags", arn, StringEquals={"sagemaker:TaggingAction": "CreateModel"})
    user = new_user(bench.cloud, create, PASS_EXECUTION_ROLE, tagging)
    assert refusal(user.client("sagemaker").create_model, **wanted) is None
    assert refusal(user.client("sagemaker").add_tags, ResourceArn=arn, Tags=TAGS) is not None


def test_a_policy_can_look_at_the_tags_asked_for_and_at_those_there(bench: Workbench) -> None:
    model, name = bench.model(), bench.name("config")
    blue = {"aws:RequestTag/team": "blue"}
    user = new_user(
        bench.cloud,
        allow(["sagemaker:CreateEndpointConfig", "sagemaker:AddTags"], StringEquals=blue),
        allow("sagemaker:DeleteEndpointConfig", StringEquals={"aws:ResourceTag/team": "blue"}),
    )
    client = user.client("sagemaker")
    assert refusal(client.create_endpoint_config, EndpointConfigName=bench.name(), ProductionVariants=serverless(model))
    wanted = {"EndpointConfigName": name, "ProductionVariants": serverless(model), "Tags": TAGS}
    assert refusal(client.create_endpoint_config, **wanted) is None
    assert refusal(client.delete_endpoint_config, EndpointConfigName=bench.config(model)) is not None
    assert refusal(client.delete_endpoint_config, EndpointConfigName=name) is None


def test_a_policy_can_limit_what_a_config_costs(bench: Workbench) -> None:
    model = bench.model()
    small_instances = {
        "ForAllValues:StringEquals": {"sagemaker:InstanceTypes": "ml.m5.large"},
        "Null": {"sagemaker:InstanceTypes": "false"},
    }
    user = new_user(
        bench.cloud,
        allow("sagemaker:CreateEndpointConfig", NumericLessThanEquals={"sagemaker:ServerlessMemorySize": "2048"}),
        allow("sagemaker:CreateEndpointConfig", **small_instances),
    )
    client = user.client("sagemaker")

    def create(variants: list[dict[str, Any]]) -> Refusal | None:
        return refusal(client.create_endpoint_config, EndpointConfigName=bench.name(), ProductionVariants=variants)

    def instances(kind: str) -> list[dict[str, Any]]:
        variant = {"VariantName": "v", "ModelName": model, "InstanceType": kind, "InitialInstanceCount": 1}
        return [variant]

    assert create(serverless(model, 2048)) is None
    assert create(serverless(model, 4096)) is not None
    assert create(instances("ml.m5.large")) is None
    assert create(instances("ml.p4d.24xlarge")) is not None


def test_a_right_that_is_taken_away_is_gone_at_once(bench: Workbench, endpoint: str) -> None:
    user = new_user(bench.cloud, allow("sagemaker:DescribeEndpoint"))
    client = user.client("sagemaker")
    assert refusal(client.describe_endpoint, EndpointName=endpoint) is None
    bench.cloud.client("iam").delete_user_policy(UserName=user.arn.rpartition("/")[2], PolicyName="only")
    assert refusal(client.describe_endpoint, EndpointName=endpoint) is not None


# The runtime


def test_a_role_may_ask_the_one_endpoint_that_its_policy_names(bench: Workbench, endpoint: str) -> None:
    statement = allow("sagemaker:InvokeEndpoint", sagemaker_arn("endpoint", endpoint))
    role = new_role(bench.cloud, statement, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    session = assume(bench.cloud, role)
    runtime = session.client("sagemaker-runtime")
    assert runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}")["InvokedProductionVariant"] == "AllTraffic"
    other = refusal(runtime.invoke_endpoint, EndpointName="another", Body=b"{}")
    words = denial(session, "sagemaker:InvokeEndpoint", sagemaker_arn("endpoint", "another"))
    assert other == Refusal("AccessDeniedException", 403, words)
    without_token = replace(session, session_token=None).client("sagemaker-runtime")
    refused = refusal(without_token.invoke_endpoint, EndpointName=endpoint, Body=b"{}")
    assert refused is not None
    assert refused.code == "UnrecognizedClientException"


# The execution role


def test_a_model_whose_role_may_not_read_the_artifact_is_refused(bench: Workbench) -> None:
    role = new_role(bench.cloud, trusts={"Service": "sagemaker.amazonaws.com"})
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    refused = refusal(bench.sagemaker.create_model, **model_of(bench, ExecutionRoleArn=arn))
    assert refused is not None
    assert refused.message.startswith(f'Could not access model data at {bench.artifact}. Please ensure that the role "')
    assert 's3:GetObject" permissions' in refused.message


def test_an_endpoint_fails_where_the_role_may_not_pull_the_image(bench: Workbench) -> None:
    statement = allow("s3:GetObject", "arn:aws:s3:::models/demo/*")
    role = new_role(
        bench.cloud, statement, allow("ecr:GetAuthorizationToken"), trusts={"Service": "sagemaker.amazonaws.com"}
    )
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    wanted = model_of(bench, ExecutionRoleArn=arn)
    bench.sagemaker.create_model(**wanted)
    failed = failed_endpoint(bench, bench.config(wanted["ModelName"]))
    assert failed.endswith(f"The role '{arn}' does not have BatchGetImage permission for the image: '{bench.image}'.")


def test_an_endpoint_fails_where_the_role_lost_the_artifact(bench: Workbench) -> None:
    role = new_role(bench.cloud, *EXECUTION_STATEMENTS, trusts={"Service": "sagemaker.amazonaws.com"})
    wanted = model_of(bench, ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}")
    bench.sagemaker.create_model(**wanted)
    grant(bench.cloud, role, *EXECUTION_STATEMENTS[:2])
    failed = failed_endpoint(bench, bench.config(wanted["ModelName"]))
    assert failed.startswith('Failed to download model data for container "container_1" from URL: ')
    assert failed.endswith("the role passed to CreateModel has permissions to download the object.")


def failed_endpoint(bench: Workbench, config: str) -> str:
    """The FailureReason of a new endpoint that has to fail."""
    name = bench.name()
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    with pytest.raises(WaiterError):
        bench.wait("endpoint_in_service", name)
    described = bench.describe(name)
    assert described["EndpointStatus"] == "Failed"
    return str(described["FailureReason"])


def test_a_container_has_the_keys_of_its_execution_role_and_no_more(bench: Workbench, endpoint: str) -> None:
    environment = bench.invoke(endpoint)["environment"]
    container = Identity(
        bench.cloud,
        f"arn:aws:sts::{ACCOUNT}:assumed-role/execution/SageMaker",
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_SESSION_TOKEN"],
    )
    assert container.client("sts").get_caller_identity()["Arn"] == container.arn
    assert refusal(container.client("s3").get_object, Bucket="models", Key="demo/model.tar.gz") is None
    refused = refusal(container.client("s3").get_object, Bucket="models", Key="others/model.tar.gz")
    assert refused is not None
    assert refused.code == "AccessDenied"
    assert refusal(container.client("sagemaker").list_endpoints) is not None


# Our other services, and what ministack leaves out of its own


def test_scaling_an_endpoint_needs_rights_on_targets_endpoint_and_role(bench: Workbench) -> None:
    endpoint = bench.endpoint(bench.config(bench.model(), instances=1))
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 2,
    }
    register = allow(
        "application-autoscaling:RegisterScalableTarget",
        f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/*",
        StringEquals={"application-autoscaling:service-namespace": "sagemaker"},
    )
    on_endpoint = allow(
        ["sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"],
        sagemaker_arn("endpoint", endpoint),
    )
    make_role = allow(
        "iam:CreateServiceLinkedRole",
        StringEquals={"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"},
    )
    for statements, missing in (
        ((), "application-autoscaling:RegisterScalableTarget"),
        ((register,), "sagemaker:DescribeEndpoint"),
        ((register, on_endpoint), "iam:CreateServiceLinkedRole"),
    ):
        user = new_user(bench.cloud, *statements)
        refused = refusal(user.client("application-autoscaling").register_scalable_target, **target)
        assert refused is not None
        assert f"perform: {missing} on" in refused.message
    user = new_user(bench.cloud, register, on_endpoint, make_role)
    assert refusal(user.client("application-autoscaling").register_scalable_target, **target) is None
    # SageMaker deregisters the targets of an endpoint that is deleted, in the caller's name.
    deletes = new_user(bench.cloud, allow("sagemaker:DeleteEndpoint"))
    refused = refusal(deletes.client("sagemaker").delete_endpoint, EndpointName=endpoint)
    assert refused is not None
    assert refused.message.startswith("An Application AutoScaling scalable target exists for a variant being deleted")


def test_images_are_pushed_to_the_repository_that_a_policy_names(bench: Workbench) -> None:
    mine = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/demo/serving"
    client = new_user(bench.cloud, allow(["ecr:InitiateLayerUpload", "ecr:DescribeRepositories"], mine)).client("ecr")
    assert refusal(client.initiate_layer_upload, repositoryName="demo/serving") is None
    assert refusal(client.describe_repositories, repositoryNames=["demo/serving"]) is None
    for call in (client.initiate_layer_upload, client.put_image):
        more = {"imageManifest": "{}"} if call == client.put_image else {}
        refused = refusal(call, repositoryName="others", **more)
        assert refused is not None
        assert refused.code == "AccessDeniedException"


def test_docker_logs_in_as_the_user_and_reaches_what_the_user_may(bench: Workbench) -> None:
    mine = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/demo/serving"
    user = new_user(bench.cloud, allow("ecr:GetAuthorizationToken"), allow("ecr:BatchGetImage", mine))
    (login,) = user.client("ecr").get_authorization_token()["authorizationData"]

    def ask(path: str, method: str = "GET", token: str = login["authorizationToken"]) -> int:
        request = urllib.request.Request(bench.cloud.url + path, method=method)
        if token:
            request.add_header("Authorization", f"Basic {token}")
        try:
            return int(urllib.request.urlopen(request).status)
        except urllib.error.HTTPError as error:
            return error.code

    assert ask("/v2/demo/serving/manifests/latest") == 200
    assert ask("/v2/demo/serving/manifests/latest", token="") == 401
    assert ask("/v2/demo/serving/blobs/uploads/", "POST") == 403
    assert ask("/v2/others/manifests/latest") == 403


@pytest.mark.parametrize(
    ("service", "call", "parameters", "action", "dependent"),
    [
        (
            "lambda",
            "create_function",
            FUNCTION,
            "lambda:CreateFunction",
            "iam:PassRole",
        ),
        (
            "lambda",
            "create_function",
            {**FUNCTION, "Tags": {"a": "b"}},
            "lambda:CreateFunction",
            "lambda:TagResource",
        ),
        (
            "ecr",
            "create_repository",
            {"repositoryName": "tagged", "tags": TAGS},
            "ecr:CreateRepository",
            "ecr:TagResource",
        ),
        (
            "logs",
            "create_log_group",
            {"logGroupName": "g", "tags": {"a": "b"}},
            "logs:CreateLogGroup",
            "logs:TagResource",
        ),
        (
            "iam",
            "create_role",
            {"RoleName": "tagged", "AssumeRolePolicyDocument": document(), "Tags": TAGS},
            "iam:CreateRole",
            "iam:TagRole",
        ),
        (
            "apigatewayv2",
            "create_api",
            {"Name": "n", "ProtocolType": "HTTP", "Tags": {"a": "b"}},
            "apigateway:POST",
            "apigateway:TagResource",
        ),
    ],
)
def test_what_ministack_leaves_out_is_asked_for_as_on_aws(
    cloud: LocalCloud, service: str, call: str, parameters: dict[str, Any], action: str, dependent: str
) -> None:
    user = new_user(cloud, allow(action))
    refused = refusal(getattr(user.client(service), call), **parameters)
    assert refused is not None
    assert refused.code in ("AccessDenied", "AccessDeniedException")
    assert f"is not authorized to perform: {dependent} on resource: arn:aws:" in refused.message


def test_a_function_may_be_made_by_who_may_pass_its_role_to_lambda(cloud: LocalCloud) -> None:
    role = new_role(cloud, trusts={"Service": "lambda.amazonaws.com"})
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    passing = allow("iam:PassRole", arn, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:mine"
    user = new_user(cloud, passing, allow(["lambda:CreateFunction", "lambda:GetAlias"], [function, f"{function}:*"]))
    client = user.client("lambda")
    assert refusal(client.create_function, **{**FUNCTION, "Role": arn}) is None
    others = refusal(client.create_function, **{**FUNCTION, "Role": arn, "FunctionName": "others"})
    assert others is not None
    assert "lambda:CreateFunction" in others.message
    # ministack takes GetAlias for ListAliases; AWS has an action for each.
    missing = refusal(client.get_alias, FunctionName="mine", Name="live")
    assert missing is not None
    assert missing.code == "ResourceNotFoundException"


# What people see


def test_the_call_log_says_who_was_refused(cloud: LocalCloud) -> None:
    user = new_user(cloud)
    since = cloud.get("/_local_cloud/calls?since=0")["next"]
    refusal(user.client("sagemaker").list_models)
    (call,) = cloud.get(f"/_local_cloud/calls?since={since}")["calls"]
    assert (call["operation"], call["error"], call["caller"]) == ("ListModels", "AccessDeniedException", user.arn)


def test_without_enforcement_every_key_may_do_everything(new_cloud: Callable[..., LocalCloud]) -> None:
    cloud = new_cloud()
    cloud.start()
    nobody = Identity(cloud, "", "AKIANOBODY", "any")
    assert nobody.client("sagemaker").list_endpoints()["Endpoints"] == []
    assert nobody.client("s3").list_buckets()["Buckets"] == []
