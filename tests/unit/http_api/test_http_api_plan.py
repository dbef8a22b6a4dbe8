# SPDX-License-Identifier: GPL-3.0-or-later
"""What http_api decides to do, from what is wanted and what is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import (
    Cors,
    FoundApi,
    FoundIntegration,
    FoundRoute,
    FoundStage,
    Integration,
    Permission,
    Throttle,
    WantedApi,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.plan import (
    ACTION,
    PRINCIPAL,
    plan_absent,
    plan_present,
    statement_id,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Later, Step

REGION = "eu-central-1"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:demo"
LIVE = f"{FUNCTION}:live"
TAGS = {"modelhost:project": "modelhost", "modelhost:stage": "prod"}
SID = statement_id("demo", "POST /demo")

WANTED = WantedApi(
    name="demo",
    routes={"POST /demo": Integration(LIVE, 30000)},
    description="POST /demo of prod",
    throttle=Throttle(20.0, 40),
    tags=TAGS,
)
FOUND = FoundApi(
    api_id="a1b2",
    name="demo",
    api_endpoint="https://a1b2.execute-api.eu-central-1.amazonaws.com",
    description="POST /demo of prod",
    tags=TAGS,
    integrations=(FoundIntegration("i1", LIVE, 30000),),
    routes=(FoundRoute("r1", "POST /demo", "i1"),),
    stage=FoundStage(auto_deploy=True, throttle=Throttle(20.0, 40), tags=TAGS),
)


def permission(api_id: str = "a1b2", place: str = "*/POST/demo") -> Permission:
    return Permission(PRINCIPAL, ACTION, f"arn:aws:execute-api:eu-central-1:123456789012:{api_id}/{place}")


PERMISSIONS = {LIVE: {SID: permission()}}


def plan(wanted: WantedApi = WANTED, found: FoundApi | None = FOUND, permissions=PERMISSIONS) -> list[Step]:
    return plan_present(wanted, found, permissions, REGION)


def operations(steps: list[Step]) -> list[str]:
    return [step.operation for step in steps]


def test_an_api_as_wanted_needs_no_step() -> None:
    assert plan() == []


def test_a_new_api_is_made_whole_and_in_order() -> None:
    steps = plan(found=None, permissions={})
    assert operations(steps) == ["create_api", "create_integration", "create_route", "create_stage", "add_permission"]
    assert [step.sentence for step in steps] == [
        "Create the HTTP API demo",
        f"Create an integration with {LIVE}",
        f"Create the route POST /demo to {LIVE}",
        "Create the stage $default, which deploys changes by itself",
        f"Allow demo to call {LIVE}",
    ]


def test_a_new_api_is_tagged_and_so_is_its_stage() -> None:
    api, _, _, stage, _ = plan(found=None, permissions={})
    assert api.parameters["Tags"] == TAGS
    assert stage.parameters["Tags"] == TAGS


def test_a_new_api_asks_the_function_with_payload_format_2() -> None:
    integration = plan(found=None, permissions={})[1].parameters
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert integration["IntegrationUri"] == LIVE
    assert integration["TimeoutInMillis"] == 30000


def test_what_only_aws_can_tell_is_filled_in_later() -> None:
    api, integration, route, stage, grant = plan(found=None, permissions={})
    assert api.saves == {"ApiId": "api_id"}
    assert integration.parameters["ApiId"] == stage.parameters["ApiId"] == Later("api_id")
    assert route.parameters["Target"] == Later(integration.saves["IntegrationId"], "integrations/{}")
    source = "arn:aws:execute-api:eu-central-1:123456789012:{}/*/POST/demo"
    assert grant.parameters["SourceArn"] == Later("api_id", source)


def test_the_permission_is_on_the_alias_and_not_on_the_function() -> None:
    grant = plan(found=None, permissions={})[-1].parameters
    assert (grant["FunctionName"], grant["Qualifier"]) == (FUNCTION, "live")
    assert (grant["Principal"], grant["Action"]) == ("apigateway.amazonaws.com", "lambda:InvokeFunction")


def test_routes_to_the_same_function_share_an_integration() -> None:
    wanted = replace(WANTED, routes={"POST /demo": Integration(LIVE, 30000), "GET /": Integration(LIVE, 30000)})
    steps = plan(wanted, None, {})
    assert operations(steps).count("create_integration") == 1
    assert operations(steps).count("create_route") == 2
    assert operations(steps).count("add_permission") == 2


def test_an_api_that_was_cut_off_after_its_first_step_is_completed() -> None:
    bare = FoundApi("a1b2", "demo", FOUND.api_endpoint, description=WANTED.description, tags=TAGS)
    steps = plan(found=bare, permissions={})
    assert operations(steps) == ["create_integration", "create_route", "create_stage", "add_permission"]
    assert steps[0].parameters["ApiId"] == "a1b2"


def test_an_integration_that_an_interrupted_run_left_is_used() -> None:
    steps = plan(found=replace(FOUND, routes=()))
    assert operations(steps) == ["create_route"]
    assert steps[0].parameters["Target"] == "integrations/i1"


def test_of_two_equal_integrations_the_one_in_use_is_kept() -> None:
    twins = (FoundIntegration("i0", LIVE, 30000), FoundIntegration("i1", LIVE, 30000))
    steps = plan(found=replace(FOUND, integrations=twins))
    assert operations(steps) == ["delete_integration"]
    assert steps[0].parameters["IntegrationId"] == "i0"


@pytest.mark.parametrize(
    "integration",
    [
        FoundIntegration("i1", LIVE, 10000),
        FoundIntegration("i1", f"{FUNCTION}:old", 30000),
        FoundIntegration("i1", LIVE, 30000, proxy=False),
    ],
    ids=["timeout", "function", "kind"],
)
def test_another_integration_is_made_before_the_route_moves_and_the_old_one_goes(integration: FoundIntegration) -> None:
    steps = plan(found=replace(FOUND, integrations=(integration,)))
    assert operations(steps) == ["create_integration", "update_route", "delete_integration"]
    assert steps[1].parameters["RouteId"] == "r1"


def test_a_route_that_leads_to_a_deleted_integration_is_repaired() -> None:
    steps = plan(found=replace(FOUND, integrations=()))
    assert operations(steps) == ["create_integration", "update_route"]


def test_a_route_that_is_no_longer_wanted_goes_with_its_permission() -> None:
    sid = statement_id("demo", "GET /")
    found = replace(FOUND, routes=(*FOUND.routes, FoundRoute("r2", "GET /", "i1")))
    steps = plan(found=found, permissions={LIVE: {SID: permission(), sid: permission(place="*/GET/")}})
    assert operations(steps) == ["delete_route", "remove_permission"]
    assert steps[1].parameters == {"FunctionName": FUNCTION, "Qualifier": "live", "StatementId": sid}


def test_a_function_that_no_route_calls_any_more_loses_its_permission() -> None:
    other = LIVE.replace(":demo:", ":other:")
    found = replace(FOUND, integrations=(*FOUND.integrations, FoundIntegration("i2", other, 30000)))
    steps = plan(found=found, permissions={**PERMISSIONS, other: {"x": permission()}})
    assert operations(steps) == ["delete_integration", "remove_permission"]


def test_permissions_of_other_apis_are_left_alone() -> None:
    assert plan(permissions={LIVE: {SID: permission(), "theirs": permission("zzzz")}}) == []


@pytest.mark.parametrize(
    "old",
    [permission("gone"), permission(place="*/*/*"), replace(permission(), principal="events.amazonaws.com")],
    ids=["another api", "too wide", "another service"],
)
def test_a_permission_that_says_something_else_is_replaced(old: Permission) -> None:
    steps = plan(permissions={LIVE: {SID: old}})
    assert operations(steps) == ["remove_permission", "add_permission"]
    assert steps[1].parameters["SourceArn"].endswith(":a1b2/*/POST/demo")


def test_a_permission_of_an_api_that_is_gone_makes_room_for_the_new_one() -> None:
    steps = plan(found=None, permissions={LIVE: {SID: permission("gone")}})
    assert operations(steps)[-2:] == ["remove_permission", "add_permission"]


def test_a_missing_stage_is_made_and_one_without_auto_deploy_gets_it() -> None:
    assert operations(plan(found=replace(FOUND, stage=None))) == ["create_stage"]
    (step,) = plan(found=replace(FOUND, stage=replace(FOUND.stage, auto_deploy=False)))
    assert step.parameters == {"ApiId": "a1b2", "StageName": "$default", "AutoDeploy": True}


def test_throttling_is_changed_where_it_differs() -> None:
    (step,) = plan(found=replace(FOUND, stage=replace(FOUND.stage, throttle=None)))
    assert step.parameters["DefaultRouteSettings"] == {"ThrottlingRateLimit": 20.0, "ThrottlingBurstLimit": 40}
    assert step.sentence == "Make the stage $default take 20 requests a second and 40 at once"


def test_throttling_is_left_as_it_is_where_nobody_asks_for_any() -> None:
    assert plan(replace(WANTED, throttle=None)) == []


def test_the_description_is_changed_where_it_differs() -> None:
    (step,) = plan(found=replace(FOUND, description="old"))
    assert (step.operation, step.parameters) == ("update_api", {"ApiId": "a1b2", "Description": WANTED.description})


CORS = Cors(allow_origins=("https://a", "https://b"), allow_methods=("POST",), allow_headers=("Content-Type",))


def test_cors_is_set_changed_and_removed() -> None:
    assert operations(plan(replace(WANTED, cors=CORS))) == ["update_api"]
    assert operations(plan(replace(WANTED, cors=CORS), replace(FOUND, cors=replace(CORS, max_age=5)))) == ["update_api"]
    assert operations(plan(found=replace(FOUND, cors=CORS))) == ["delete_cors_configuration"]


def test_cors_that_only_reads_differently_is_the_same() -> None:
    written = Cors(allow_origins=("https://b", "https://a"), allow_methods=("post",), allow_headers=("content-type",))
    assert plan(replace(WANTED, cors=CORS), replace(FOUND, cors=written)) == []


def test_tags_of_api_and_stage_are_set_and_removed() -> None:
    found = replace(FOUND, tags={**TAGS, "old": "x"}, stage=replace(FOUND.stage, tags={}))
    steps = plan(found=found)
    assert operations(steps) == ["untag_resource", "tag_resource"]
    assert steps[0].parameters == {"ResourceArn": "arn:aws:apigateway:eu-central-1::/apis/a1b2", "TagKeys": ["old"]}
    assert steps[1].parameters["ResourceArn"] == "arn:aws:apigateway:eu-central-1::/apis/a1b2/stages/$default"


def test_tags_of_aws_itself_are_left_alone() -> None:
    assert plan(found=replace(FOUND, tags={**TAGS, "aws:cloudformation:stack-name": "x"})) == []


def test_removing_takes_the_permissions_first_and_the_api_last() -> None:
    steps = plan_absent(FOUND, {LIVE: {SID: permission(), "theirs": permission("zzzz")}})
    assert operations(steps) == ["remove_permission", "delete_api"]
    assert steps[0].parameters["StatementId"] == SID


def test_removing_what_is_gone_in_the_meantime_is_no_failure() -> None:
    for step in plan_absent(FOUND, PERMISSIONS):
        assert {"NotFoundException", "ResourceNotFoundException"} <= set(step.gone_codes)


def test_removing_nothing_needs_no_step() -> None:
    assert plan_absent(None, {}) == []


def test_statement_ids_are_what_lambda_takes_and_differ_for_each_route() -> None:
    ids = {statement_id("x" * 128, key) for key in ("GET /a-b", "GET /a/b", "ANY /{proxy+}", "$default")}
    assert len(ids) == 4
    assert all(len(sid) <= 100 and sid.replace("-", "").replace("_", "").isalnum() for sid in ids)
