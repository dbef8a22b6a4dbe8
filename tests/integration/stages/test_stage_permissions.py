# SPDX-License-Identifier: GPL-3.0-or-later
"""A local stage on a cloud that enforces permissions, by users who have the documented policies and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from stage_policies import User, actions_in, actions_of, demo_url, denied, new_user, start_cloud
from stage_project import ANSWER, Project, ask

ROLES = ("modelhost-guarded-demo", "modelhost-guarded-execution")
# Actions that this life of a stage has no occasion for; docs/iam/README.md says what each is for.
NO_OCCASION = {
    "read": {
        "codebuild:BatchGetBuilds",  # builds by CodeBuild (tests/container)
        "codebuild:ListBuildsForProject",
        "logs:GetLogEvents",
    },
    "deploy": {
        "ecr:GetAuthorizationToken",  # images that Docker builds and pushes
        "s3:AbortMultipartUpload",  # a large model whose upload is broken off
        "s3:ListBucketMultipartUploads",  # one that is gone on with
        "s3:ListMultipartUploadParts",
        "sagemaker:DeleteEndpoint",  # model_serving_replace and model_serving_retry_failed
        "sagemaker:DeleteTags",  # model_serving_purge_tags
        "application-autoscaling:DeregisterScalableTarget",  # another instance type, or scaling that ends
    },
    "teardown": {
        "iam:DetachRolePolicy",  # a role that somebody attached a policy to
        "codebuild:BatchDeleteBuilds",  # builds by CodeBuild
        "codebuild:DeleteProject",
        "codebuild:StopBuild",
        "s3:AbortMultipartUpload",  # a large model whose upload is broken off
    },
}


SCALING = {"min_capacity": 1, "max_capacity": 2, "target_value": 0.7}


def alarm(name: str) -> dict[str, object]:
    return {"name": name, "metric_name": "Invocation5XXErrors", "threshold": 1}


@dataclass(frozen=True)
class People:
    """auditor: read. deployer: read, deploy. remover: read, teardown. policies: the documents, filled in."""

    policies: Path
    auditor: User
    deployer: User
    remover: User


@pytest.fixture(scope="module")
def people(project: Project) -> People:
    """The stage's policies as policy.yml writes them, and users who have them."""
    project.new_stage(
        "guarded",
        local_cloud_enforce_iam=True,
        demo_api_lambda_reserved_concurrency=5,
        model_serving_serverless_provisioned_concurrency=1,
        model_serving_autoscaling=SCALING,
        model_serving_alarms=[alarm("errors"), alarm("more-errors")],
    )
    written = project.play("policy", "guarded")
    policies = project.root / "build" / "policies" / "guarded"
    assert f"file://{policies}/deploy.json" in written.output
    start_cloud(project, "guarded")
    iam = project.client("iam")
    text = (policies / "boundary.json").read_text()
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=text)["Policy"]["Arn"]
    project.change("guarded", stage_permissions_boundary=boundary)
    return People(
        policies,
        new_user(project, "auditor", policies, "read"),
        new_user(project, "deployer", policies, "read", "deploy"),
        new_user(project, "remover", policies, "read", "teardown"),
    )


def test_the_policies_name_the_stage_and_leave_no_placeholder(people: People) -> None:
    for document in ("read", "deploy", "build", "teardown", "boundary"):
        text = (people.policies / f"{document}.json").read_text()
        assert "<" not in text
        assert "modelhost-guarded" in text
        # AWS's limit for a managed policy, without white space (IAM user guide, "IAM and AWS STS quotas").
        assert len(json.dumps(json.loads(text), separators=(",", ":"))) <= 6144


def test_every_star_is_an_action_without_resources_or_one_that_says_why(people: People) -> None:
    """The three statements on `*` list what the Service Authorization Reference gives no resource type."""
    stars = {}
    for document in ("read", "deploy", "build", "teardown", "boundary"):
        for statement in json.loads((people.policies / f"{document}.json").read_text())["Statement"]:
            if statement["Resource"] == "*":
                stars[statement["Sid"]] = statement["Action"]
    assert set(stars) == {"ListWhatHasNoResource", "LogInToTheRegistry", "DoWhatHasNoResource"}


def test_the_deployer_deploys_and_everybody_may_ask(project: Project, people: People) -> None:
    project.play("deploy", "guarded", env=people.deployer.environment)
    assert ask(demo_url(project)) == (200, ANSWER)
    for role in ROLES:
        assert "PermissionsBoundary" in project.client("iam").get_role(RoleName=role)["Role"]
    # Written as the execution role.
    group = "/aws/sagemaker/Endpoints/modelhost-guarded"
    assert project.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert denied(project.calls()) == []


def test_an_unchanged_stage_takes_no_more_than_reading(project: Project, people: People) -> None:
    before = project.calls_so_far()
    assert project.play("deploy", "guarded", env=people.auditor.environment).changed == 0
    assert project.writes(before) == []
    assert denied(project.calls(before)) == []


def test_the_deployer_rotates_and_puts_right_what_others_changed(project: Project, people: People) -> None:
    handler = project.root / "files" / "docker" / "serving" / "model_handler.py"
    handler.write_text(handler.read_text() + "\n# edited\n")
    source = project.root / "files" / "lambda" / "demo.py"
    source.write_text(source.read_text() + "\n# edited\n")
    project.change(
        "guarded",
        model_serving_keep_generations=0, model_serving_log_retention_days=7, image_untagged_days=7,
        demo_api_lambda_memory_size_mb=512, demo_api_lambda_reserved_concurrency=-1, demo_api_throttle_rate=10,
        stage_extra_tags={"team": "blue"}, model_serving_alarms=[alarm("errors")],
    )  # fmt: skip
    bystander(project)
    change_by_hand(project)
    before = project.calls_so_far()
    project.play("deploy", "guarded", env=people.deployer.environment)
    assert ask(demo_url(project)) == (200, ANSWER)
    assert denied(project.calls(before)) == []
    asked = {call["resource"] for call in project.calls(before) if call["operation"] == "DescribeEndpoint"}
    assert "bystander" in asked
    project.client("sagemaker").delete_endpoint(EndpointName="bystander")


def bystander(project: Project) -> None:
    """Somebody else's endpoint: a generation that is about to be deleted might be in use there."""
    client = project.client("sagemaker")
    config = client.describe_endpoint(EndpointName="modelhost-guarded")["EndpointConfigName"]
    variants = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    model = client.describe_model(ModelName=variants[0]["ModelName"])
    container = {key: model["PrimaryContainer"][key] for key in ("Image", "ModelDataUrl", "Environment")}
    client.create_model(ModelName="bystander", PrimaryContainer=container, ExecutionRoleArn=model["ExecutionRoleArn"])
    size = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    variant = {"VariantName": "AllTraffic", "ModelName": "bystander", "ServerlessConfig": size}
    client.create_endpoint_config(EndpointConfigName="bystander", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="bystander", EndpointConfigName="bystander")
    waiter = client.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName="bystander", WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def change_by_hand(project: Project) -> None:
    """What a person with more rights may do to a stage between two deployments."""
    iam, ecr = project.client("iam"), project.client("ecr")
    arn = "arn:aws:iam::000000000000:policy/boundary"
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for role in ROLES:
        iam.update_role(RoleName=role, Description="changed")
        iam.update_assume_role_policy(
            RoleName=role, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        iam.tag_role(RoleName=role, Tags=[{"Key": "by", "Value": "hand"}])
    iam.attach_role_policy(RoleName=ROLES[0], PolicyArn=arn)
    ecr.put_image_scanning_configuration(
        repositoryName="modelhost-guarded", imageScanningConfiguration={"scanOnPush": False}
    )
    repository = ecr.describe_repositories(repositoryNames=["modelhost-guarded"])["repositories"][0]["repositoryArn"]
    ecr.tag_resource(resourceArn=repository, tags=[{"Key": "by", "Value": "hand"}])
    functions, apis = project.client("lambda"), project.client("apigatewayv2")
    function = functions.get_function(FunctionName="modelhost-guarded-demo")["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=function, Tags={"by": "hand"})
    policy = functions.get_policy(FunctionName=f"{function}:live")["Policy"]
    for statement in json.loads(policy)["Statement"]:
        where = {"FunctionName": f"{function}:live", "StatementId": statement["Sid"]}
        functions.remove_permission(**where)
        source = "arn:aws:execute-api:us-east-1:000000000000:gone/*/*/*"
        functions.add_permission(
            **where, Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn=source
        )
    (api,) = apis.get_apis()["Items"]
    apis.tag_resource(ResourceArn=f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}", Tags={"by": "hand"})
    (arn,) = (
        each["AlarmArn"]
        for each in project.client("cloudwatch").describe_alarms(AlarmNames=["modelhost-guarded-errors"])[
            "MetricAlarms"
        ]
    )
    project.client("cloudwatch").tag_resource(ResourceARN=arn, Tags=[{"Key": "by", "Value": "hand"}])
    logs = project.client("logs")
    logs.tag_log_group(logGroupName="/aws/lambda/modelhost-guarded-demo", tags={"by": "hand"})


def test_the_functions_role_may_ask_this_endpoint_and_says_so_where_it_may_not(project: Project) -> None:
    iam, url = project.client("iam"), demo_url(project)
    policy = {"RoleName": "modelhost-guarded-demo", "PolicyName": "ask-the-endpoint"}
    before = json.dumps(iam.get_role_policy(**policy)["PolicyDocument"])
    iam.put_role_policy(**policy, PolicyDocument=before.replace(":endpoint/modelhost-guarded", ":endpoint/another"))
    status, answer = ask(url)
    assert (status, answer["error"]["code"]) == (500, "Misconfigured")
    (refused,) = [call for call in project.calls() if call["operation"] == "InvokeEndpoint" and call["error"]]
    assert (refused["error"], refused["status"]) == ("AccessDeniedException", 403)
    iam.put_role_policy(**policy, PolicyDocument=before)
    assert ask(url) == (200, ANSWER)


def test_another_project_is_out_of_reach(project: Project, people: People) -> None:
    project.new_stage("others", local_cloud_enforce_iam=True, stage_project="elsewhere")
    before = project.calls_so_far()
    run = project.try_play("deploy", "others", env=people.deployer.environment)
    assert run.code != 0
    assert "is not authorized to perform: ecr:DescribeRepositories" in run.output
    assert project.writes(before) == []


def test_who_deploys_may_not_tear_down_and_who_tears_down_may_not_deploy(project: Project, people: People) -> None:
    with pytest.raises(ClientError, match="ecr:DeleteRepository"):
        people.deployer.client(project, "ecr").delete_repository(repositoryName="modelhost-guarded", force=True)
    with pytest.raises(ClientError, match="ecr:CreateRepository"):
        people.remover.client(project, "ecr").create_repository(repositoryName="modelhost-guarded")


def test_the_remover_tears_down_and_every_action_of_the_policies_had_its_use(project: Project, people: People) -> None:
    # Another stage on the cloud, so that it goes on running and can be asked.
    (project.root / ".local_cloud" / str(project.port) / "stages" / "another").touch()
    before = project.calls_so_far()
    run = project.play("teardown", "guarded", env=people.remover.environment)
    assert "did not find" in run.output
    assert denied(project.calls(before)) == []
    calls = project.calls()
    users = {"read": (people.auditor, people.deployer, people.remover), "deploy": (people.deployer,)}
    for document in ("read", "deploy", "teardown"):
        used = set().union(*(actions_of(calls, user) for user in users.get(document, (people.remover,))))
        assert actions_in(people.policies, document) - used == NO_OCCASION[document]
