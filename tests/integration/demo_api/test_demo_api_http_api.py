# SPDX-License-Identifier: GPL-3.0-or-later
"""The module http_api where it meets what others made."""

from __future__ import annotations

ARN = "arn:aws:lambda:us-east-1:000000000000:function:elsewhere:1"
ROUTES = [{"route_key": "GET /", "function_arn": ARN}]


def owner(stage) -> dict[str, str]:
    return {"modelhost:project": "modelhost", "modelhost:stage": stage.name}


def test_an_api_of_the_same_name_that_is_someone_elses_is_left_alone(stage) -> None:
    client = stage.cloud.client("apigatewayv2")
    theirs = client.create_api(Name=stage.api_name, ProtocolType="HTTP", Tags={"modelhost:stage": "other"})["ApiId"]
    stage.deploy()
    stage.run("absent")
    left = [api["ApiId"] for api in client.get_apis()["Items"] if api["Name"] == stage.api_name]
    assert left == [theirs]


def test_two_apis_that_could_both_be_meant_are_named_and_nothing_is_written(stage) -> None:
    client = stage.cloud.client("apigatewayv2")
    ids = {client.create_api(Name="twin", ProtocolType="HTTP", Tags=owner(stage))["ApiId"] for _ in range(2)}
    runs = []
    writes = stage.cloud.writes_of(
        lambda: runs.append(stage.module("http_api", ok=False, name="twin", routes=ROUTES, tags=owner(stage)))
    )
    text = " ".join(runs[0].output.split())
    assert writes == []
    assert runs[0].returncode != 0
    assert "There are 2 HTTP APIs named twin" in text
    assert all(api_id in text for api_id in ids)
    for api_id in ids:
        client.delete_api(ApiId=api_id)


def test_a_function_without_an_alias_is_refused_before_aws_is_asked(stage) -> None:
    runs = []
    routes = [{"route_key": "GET /", "function_arn": ARN.removesuffix(":1")}]
    _, before = stage.cloud.calls(0)
    runs.append(stage.module("http_api", ok=False, name="x", routes=routes))
    calls, _ = stage.cloud.calls(before)
    assert calls == []
    assert "which means $LATEST" in " ".join(runs[0].output.split())


def test_what_failed_is_told_as_the_step_that_failed(stage) -> None:
    run = stage.module("http_api", ok=False, name=stage.api_name, routes=ROUTES, tags=owner(stage))
    text = " ".join(run.output.split())
    assert f"This step failed: Allow {stage.api_name} to call {ARN}" in text
    assert "Traceback" not in text
    stage.module("http_api", name=stage.api_name, state="absent", tags=owner(stage))


def test_apis_can_be_listed_with_their_urls(deployed) -> None:
    run = deployed.module("http_api_info", name=deployed.api_name)
    assert deployed.url.removesuffix("/demo") in run.output
    assert "route_key: POST /demo" in run.output
