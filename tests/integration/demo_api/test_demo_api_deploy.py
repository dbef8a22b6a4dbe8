# SPDX-License-Identifier: GPL-3.0-or-later
"""The role: what it makes, what it leaves alone, what it repairs and what it removes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

EXAMPLE = '{"inputs": ["I love dogs.", "I am not fond of cats though."]}'


def test_check_mode_on_a_new_stage_runs_to_its_end_and_writes_nothing(stage) -> None:
    runs = []
    writes = stage.cloud.writes_of(lambda: runs.append(stage.deploy("--check", "--diff")))
    assert writes == []
    assert runs[0].changed >= 4


def test_a_second_run_changes_nothing_and_makes_no_writing_call(deployed) -> None:
    runs = []
    writes = deployed.cloud.writes_of(lambda: runs.append(deployed.deploy()))
    assert (writes, runs[0].changed) == ([], 0)
    assert deployed.deploy("--check", "--diff").changed == 0


def test_the_url_can_be_asked_for_later(deployed) -> None:
    url = deployed.deploy().url
    runs = []
    assert deployed.cloud.writes_of(lambda: runs.append(deployed.run("url"))) == []
    assert runs[0].url == url
    assert url.endswith("/demo")


def test_a_stage_without_an_api_is_told_to_deploy_first(stage) -> None:
    run = stage.run("url", ok=False)
    assert run.returncode != 0
    assert f"There is no HTTP API named {stage.api_name}" in " ".join(run.output.split())


def test_changed_source_is_published_and_served_and_nothing_else_is_written(stage, source: Path, post) -> None:
    url = stage.deploy().url
    handler = source / "demo_api" / "response.py"
    handler.write_text(handler.read_text().replace("Request successful.", "Changed."))
    assert stage.writes() == ["UpdateFunctionCode", "PublishVersion", "UpdateAlias"]
    assert post(url, EXAMPLE).document["msg"] == "Changed."

    (source / "demo.py").touch()
    (source / "__pycache__").mkdir(exist_ok=True)
    (source / "__pycache__" / "demo.cpython-311.pyc").write_bytes(b"x")
    assert stage.writes() == []


def test_a_changed_limit_is_published_and_served(stage, post) -> None:
    url = stage.deploy().url
    writes = stage.writes(demo_api_max_inputs=1)
    assert writes == ["UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"]
    assert post(url, EXAMPLE).document["error"]["code"] == "TooManyInputs"


def test_the_api_calls_the_alias_and_may_do_so_on_one_route_only(deployed) -> None:
    api_gateway, functions = deployed.cloud.client("apigatewayv2"), deployed.cloud.client("lambda")
    (api,) = [item for item in api_gateway.get_apis()["Items"] if item["Name"] == deployed.api_name]
    (integration,) = api_gateway.get_integrations(ApiId=api["ApiId"])["Items"]
    assert integration["IntegrationUri"].endswith(f":function:{deployed.api_name}:live")
    assert functions.get_alias(FunctionName=deployed.api_name, Name="live")["FunctionVersion"].isdigit()
    policy = json.loads(functions.get_policy(FunctionName=deployed.api_name, Qualifier="live")["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Condition"]["ArnLike"]["AWS:SourceArn"].endswith(f":{api['ApiId']}/*/POST/demo")


def test_the_role_may_ask_one_endpoint_and_write_one_log(deployed, endpoint: str) -> None:
    iam = deployed.cloud.client("iam")
    assert iam.list_attached_role_policies(RoleName=deployed.api_name)["AttachedPolicies"] == []
    (name,) = iam.list_role_policies(RoleName=deployed.api_name)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=deployed.api_name, PolicyName=name)["PolicyDocument"]["Statement"]
    assert {(str(item["Action"]), item["Resource"]) for item in statements} == {
        ("sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{endpoint}"),
        (
            "['logs:CreateLogStream', 'logs:PutLogEvents']",
            f"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{deployed.api_name}:*",
        ),
    }


def test_everything_that_is_made_carries_the_tags_of_the_stage(deployed) -> None:
    cloud, name = deployed.cloud, deployed.api_name
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    (api,) = [item for item in cloud.client("apigatewayv2").get_apis()["Items"] if item["Name"] == name]
    stage_arn = f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}/stages/$default"
    role_tags = cloud.client("iam").list_role_tags(RoleName=name)["Tags"]
    for tags in (
        api["Tags"],
        cloud.client("apigatewayv2").get_tags(ResourceArn=stage_arn)["Tags"],
        cloud.client("lambda").list_tags(Resource=arn)["Tags"],
        {tag["Key"]: tag["Value"] for tag in role_tags},
        cloud.client("logs").list_tags_log_group(logGroupName=f"/aws/lambda/{name}")["tags"],
    ):
        assert tags == {"modelhost:project": "modelhost", "modelhost:stage": deployed.name, "team": "x"}


def _delete_routes(stage) -> None:
    client, api_id = _api(stage)
    for route in client.get_routes(ApiId=api_id)["Items"]:
        client.delete_route(ApiId=api_id, RouteId=route["RouteId"])


def _delete_integrations(stage) -> None:
    client, api_id = _api(stage)
    for integration in client.get_integrations(ApiId=api_id)["Items"]:
        client.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])


def _delete_api_stage(stage) -> None:
    client, api_id = _api(stage)
    client.delete_stage(ApiId=api_id, StageName="$default")


def _delete_api(stage) -> None:
    client, api_id = _api(stage)
    client.delete_api(ApiId=api_id)


def _delete_permission(stage) -> None:
    client = stage.cloud.client("lambda")
    policy = json.loads(client.get_policy(FunctionName=stage.api_name, Qualifier="live")["Policy"])
    client.remove_permission(FunctionName=stage.api_name, Qualifier="live", StatementId=policy["Statement"][0]["Sid"])


def _delete_alias(stage) -> None:
    stage.cloud.client("lambda").delete_alias(FunctionName=stage.api_name, Name="live")


def _delete_function(stage) -> None:
    stage.cloud.client("lambda").delete_function(FunctionName=stage.api_name)


def _delete_log_group(stage) -> None:
    stage.cloud.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{stage.api_name}")


def _delete_policy(stage) -> None:
    stage.cloud.client("iam").delete_role_policy(RoleName=stage.api_name, PolicyName="ask-the-endpoint")


def _api(stage):
    client = stage.cloud.client("apigatewayv2")
    (api,) = [item for item in client.get_apis()["Items"] if item["Name"] == stage.api_name]
    return client, api["ApiId"]


# What can be missing at the same time is missing in one run: a run takes some seconds.
DAMAGES = [
    [_delete_routes, _delete_log_group],
    [_delete_integrations, _delete_permission],
    [_delete_api_stage, _delete_alias, _delete_policy],
    [_delete_api],
    [_delete_function],
]


@pytest.mark.parametrize("damages", DAMAGES, ids=lambda damages: damages[0].__name__.strip("_"))
def test_what_is_missing_is_made_again(deployed, post, damages) -> None:
    for damage in damages:
        damage(deployed)
    assert post(deployed.deploy().url, EXAMPLE).document["body"] == {"predictions": ["POSITIVE", "NEGATIVE"]}


@pytest.mark.parametrize("damage", [_delete_api, _delete_function, _delete_log_group])
def test_what_is_left_of_a_half_removed_stage_is_removed(stage, damage) -> None:
    stage.deploy()
    damage(stage)
    stage.run("absent")
    assert _left(stage) == []


def test_a_removed_stage_leaves_nothing_and_is_not_removed_twice(stage) -> None:
    stage.deploy()
    assert stage.writes("absent", "--check") == []
    stage.run("absent")
    assert _left(stage) == []
    runs = []
    writes = stage.cloud.writes_of(lambda: runs.append(stage.run("absent")))
    assert (writes, runs[0].changed) == ([], 0)


def test_check_mode_on_a_deployed_stage_says_what_would_change_and_writes_nothing(deployed) -> None:
    runs = []
    changes = {
        "demo_api_max_inputs": 1,
        "demo_api_log_retention_days": 30,
        "demo_api_throttle_rate": 1,
        "demo_api_cors_allow_origins": ["https://www.example.com"],
    }
    writes = deployed.cloud.writes_of(lambda: runs.append(deployed.deploy("--check", "--diff", **changes)))
    assert writes == []
    assert runs[0].changed == 2
    assert "- https://www.example.com" in runs[0].output


def _left(stage) -> list[str]:
    cloud, name = stage.cloud, stage.api_name
    apis = [item["Name"] for item in cloud.client("apigatewayv2").get_apis()["Items"]]
    functions = [item["FunctionName"] for item in cloud.client("lambda").list_functions()["Functions"]]
    roles = [item["RoleName"] for item in cloud.client("iam").list_roles()["Roles"]]
    groups = [item["logGroupName"] for item in cloud.client("logs").describe_log_groups()["logGroups"]]
    return [item for item in [*apis, *functions, *roles, *groups] if item.removeprefix("/aws/lambda/") == name]
