# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a local stage, from a check of nothing to a teardown, in the order a person lives it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest
from stage_project import ANSWER, SENTENCES, Project, Traffic, ask

SAGEMAKER_ROTATION = ["sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:UpdateEndpoint"]


@pytest.fixture(scope="module", autouse=True)
def stages(project: Project) -> None:
    project.new_stage("first")
    project.new_stage("second")


def sagemaker(writes: list[str]) -> list[str]:
    """The calls that make or change something; tags are a generation's book-keeping."""
    return [call for call in writes if call.startswith("sagemaker:") and not call.endswith("Tags")]


def test_a_check_of_a_new_stage_runs_to_the_end_and_touches_nothing(project: Project) -> None:
    run = project.play("deploy", "first", "--check", "--diff")
    assert "new Endpoint modelhost-first" in run.output
    assert project.writes(0) == []


def test_a_deploy_ends_with_a_line_that_works_when_pasted(project: Project) -> None:
    run = project.play("deploy", "first")
    line = re.search(r"Try it +(curl .*)", run.output)
    assert line, run.output
    answer = subprocess.run(shlex.split(line[1]), capture_output=True, check=True, text=True).stdout
    assert json.loads(answer) == ANSWER
    for fact in ("modelhost-first", "@sha256:", "4096 MB", project.url("first")):
        assert fact in run.output


def test_the_url_is_printed_alone_and_ends_in_demo(project: Project) -> None:
    assert re.fullmatch(rf"{project.endpoint_url}/\S+/demo", project.url("first"))


def test_a_second_deploy_changes_nothing_and_makes_no_writing_call(project: Project) -> None:
    before = project.calls_so_far()
    run = project.play("deploy", "first")
    assert run.changed == 0
    assert project.writes(before) == []
    assert len(project.calls(before)) > 10


def test_a_check_of_an_unchanged_stage_shows_nothing(project: Project) -> None:
    before = project.calls_so_far()
    run = project.play("deploy", "first", "--check", "--diff")
    assert run.changed == 0
    assert project.writes(before) == []


def test_one_input_may_come_without_a_list(project: Project) -> None:
    status, answer = ask(project.url("first"), {"inputs": SENTENCES[1]})
    assert (status, answer["body"]) == (200, {"predictions": ["NEGATIVE"]})


def test_boto3_sees_what_the_roles_made(project: Project) -> None:
    client = project.client("sagemaker")
    endpoint = client.describe_endpoint(EndpointName="modelhost-first")
    config = client.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = client.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert endpoint["EndpointStatus"] == "InService"
    assert "@sha256:" in model["PrimaryContainer"]["Image"]
    (api,) = project.client("apigatewayv2").get_apis()["Items"]
    assert api["ApiId"] in project.url("first")
    answer = project.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="modelhost-first", ContentType="application/json", Body=json.dumps({"inputs": SENTENCES})
    )
    assert json.load(answer["Body"]) == ANSWER["body"]


def test_the_aws_command_line_sees_the_same(project: Project) -> None:
    lines = project.command(
        "ansible-playbook", "env.yml", "-i", "inventories/first",
        env={"ANSIBLE_STDOUT_CALLBACK": "modelhost.sagemaker.bare"},
    ).output  # fmt: skip
    env = dict(re.findall(r"^export (\w+)=(\S+)$", lines, re.MULTILINE))
    run = project.command("aws", "sagemaker", "describe-endpoint", "--endpoint-name", "modelhost-first", env=env)
    assert run.code == 0, run.output
    assert json.loads(run.output)["EndpointStatus"] == "InService"
    out = project.root / "answer.json"
    run = project.command(
        "aws", "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "modelhost-first",
        "--content-type", "application/json",
        "--body", json.dumps({"inputs": SENTENCES}), str(out), env=env,
    )  # fmt: skip
    assert run.code == 0, run.output
    assert json.loads(out.read_text()) == ANSWER["body"]


def test_a_second_stage_of_the_same_inventory_lives_beside_the_first(project: Project) -> None:
    project.play("deploy", "second")
    assert project.url("second") != project.url("first")
    for stage in ("first", "second"):
        assert ask(project.url(stage)) == (200, ANSWER)


def test_an_edited_handler_makes_one_rotation_and_loses_no_request(project: Project) -> None:
    handler = project.root / "files" / "docker" / "serving" / "model_handler.py"
    handler.write_text(handler.read_text() + "\n# edited\n")
    check = project.play("deploy", "first", "--check", "--diff")
    assert "image" in check.output
    before = project.calls_so_far()
    with Traffic(project.url("first")) as traffic:
        project.play("deploy", "first")
    writes = project.writes(before)
    assert sagemaker(writes) == SAGEMAKER_ROTATION
    assert {call.split(":")[0] for call in writes} == {"ecr", "sagemaker"}
    assert not traffic.bad, traffic.bad[:3]
    assert traffic.good > 10


def test_another_memory_size_makes_a_new_config_for_the_same_model(project: Project) -> None:
    project.change("first", model_serving_serverless_memory_size_mb=2048)
    before = project.calls_so_far()
    with Traffic(project.url("first")) as traffic:
        project.play("deploy", "first")
    assert sagemaker(project.writes(before)) == SAGEMAKER_ROTATION[1:]
    assert {call.split(":")[0] for call in project.writes(before)} == {"sagemaker"}
    assert not traffic.bad, traffic.bad[:3]
    assert traffic.good > 10


def test_another_lambda_rotates_nothing(project: Project) -> None:
    source = project.root / "files" / "lambda" / "demo.py"
    source.write_text(source.read_text() + "\n# edited\n")
    before = project.calls_so_far()
    with Traffic(project.url("first")) as traffic:
        project.play("deploy", "first")
    assert {call.split(":")[0] for call in project.writes(before)} == {"lambda"}
    assert not traffic.bad, traffic.bad[:3]
    assert ask(project.url("first")) == (200, ANSWER)


def test_a_stopped_stage_says_so_and_comes_back_as_it_was(project: Project) -> None:
    url = project.url("first")
    project.play("stop", "first")
    run = project.try_play("url", "first")
    assert run.code != 0
    assert "No local cloud answers" in run.output
    project.play("deploy", "first")
    assert project.url("first") == url
    assert ask(url) == (200, ANSWER)


def test_tearing_one_stage_down_leaves_the_other_serving(project: Project) -> None:
    second = project.url("second")
    with Traffic(second) as traffic:
        run = project.play("teardown", "first")
    assert "endpoint modelhost-first" in run.output
    assert not traffic.bad, traffic.bad[:3]
    assert traffic.good > 10
    assert project.client("sagemaker").list_endpoints()["Endpoints"][0]["EndpointName"] == "modelhost-second"


def test_a_teardown_can_be_run_twice(project: Project) -> None:
    before = project.calls_so_far()
    run = project.play("teardown", "first")
    assert project.writes(before) == []
    assert "did not find" in run.output


def test_the_last_teardown_leaves_nothing_and_stops_the_local_cloud(project: Project) -> None:
    project.play("teardown", "second")
    with pytest.raises(OSError, match="refused"):
        project.calls()
