# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's own clients work unchanged: boto3's waiters and paginators, and the AWS command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import WaiterError
from conformance_source import reference, source
from conformance_target import ACCOUNT, ARN, REGION, Target, instances, refusal, serverless

QUICK = {"Delay": 0.1, "MaxAttempts": 600}
Aws = Callable[..., Any]


@source("boto3: SageMaker.Waiter.EndpointInService, SageMaker.Waiter.EndpointDeleted")
def test_the_waiters_see_an_endpoint_come_and_go(local: Target, local_model: str) -> None:
    name, config = local.name(), local.config(instances(local_model))
    local.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    local.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=QUICK)
    assert local.describe(name)["EndpointStatus"] == "InService"
    local.sagemaker.delete_endpoint(EndpointName=name)
    local.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=QUICK)
    refusal(lambda: local.describe(name))


@source("boto3: SageMaker.Waiter.EndpointInService: Failed and ValidationException are terminal")
def test_the_waiters_see_that_an_endpoint_failed_or_is_not_there(local: Target) -> None:
    waiter = local.sagemaker.get_waiter("endpoint_in_service")
    with pytest.raises(WaiterError, match="terminal failure state"):
        waiter.wait(EndpointName="none", WaiterConfig=QUICK)
    model = local.model(PrimaryContainer={"Image": local.image, "Environment": {"TEST_MODE": "crash"}})
    name = local.name()
    local.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=local.config(instances(model)))
    with pytest.raises(WaiterError, match="terminal failure state"):
        waiter.wait(EndpointName=name, WaiterConfig=QUICK)


@source("boto3: SageMaker.Paginator.ListModels, ListEndpointConfigs, ListEndpoints, ListTags")
def test_the_paginators_go_through_every_page(local: Target) -> None:
    part = local.name("paged")
    for number in range(7):
        local.model(f"{part}-{number}")
    pages = local.sagemaker.get_paginator("list_models").paginate(
        NameContains=part, SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 3}
    )
    found = [[model["ModelName"] for model in page["Models"]] for page in pages]
    assert [len(page) for page in found] == [3, 3, 1]
    assert [name for page in found for name in page] == [f"{part}-{number}" for number in range(7)]
    arn = local.sagemaker.describe_model(ModelName=f"{part}-0")["ModelArn"]
    assert local.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn).build_full_result() == {"Tags": []}


@pytest.fixture(scope="module")
def cli(local: Target, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The aws command with nothing but the environment that points it at the local cloud."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": local.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "awscli", "--output", "json", *arguments]
        return subprocess.run(argv, env=environment, cwd=home, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module")
def command(cli: Callable[..., subprocess.CompletedProcess[str]]) -> Aws:
    """A command that has to succeed, and its answer."""

    def run(*arguments: str) -> Any:
        done = cli(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


@pytest.mark.conformance  # a dozen commands, and each takes a second to start
@source("AWS CLI command reference: sagemaker, sagemaker-runtime")
def test_the_command_line_takes_an_endpoint_from_its_model_to_its_end(local: Target, command: Aws) -> None:
    name = local.name("cli")
    model = command(
        "sagemaker",
        "create-model",
        *("--model-name", name),
        *("--execution-role-arn", local.role_arn),
        *("--primary-container", f"Image={local.image},ModelDataUrl={local.artifact},Environment={{GENERATION=cli}}"),
        *("--tags", "Key=stage,Value=test"),
    )
    assert model == {"ModelArn": f"{ARN}:model/{name}"}
    variant = json.dumps(serverless(name))
    command("sagemaker", "create-endpoint-config", "--endpoint-config-name", name, "--production-variants", variant)
    command("sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    local.wait(name)  # the command's own waiter looks every 30 seconds
    command("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", name)
    query = ("--query", "ProductionVariants[0].CurrentServerlessConfig.MemorySizeInMB")
    assert command("sagemaker", "describe-endpoint", "--endpoint-name", name, *query) == 1024
    answer = command(
        "sagemaker-runtime",
        "invoke-endpoint",
        *("--endpoint-name", name),
        *("--content-type", "application/json"),
        *("--body", "{}"),
        "/dev/null",
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert command("sagemaker", "list-tags", "--resource-arn", model["ModelArn"])["Tags"] == [
        {"Key": "stage", "Value": "test"}
    ]
    listed = command("sagemaker", "list-endpoints", "--name-contains", name, "--max-items", "1")
    assert [endpoint["EndpointStatus"] for endpoint in listed["Endpoints"]] == ["InService"]
    command("sagemaker", "delete-endpoint", "--endpoint-name", name)
    local.wait(name, "endpoint_deleted")
    command("sagemaker", "wait", "endpoint-deleted", "--endpoint-name", name)
    command("sagemaker", "delete-endpoint-config", "--endpoint-config-name", name)
    command("sagemaker", "delete-model", "--model-name", name)


@source("AWS CLI user guide: return code 254, the service answered an error")
def test_the_command_line_shows_the_services_refusal(
    cli: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = cli("sagemaker", "describe-endpoint", "--endpoint-name", "none")
    assert done.returncode in (254, 255)
    assert "An error occurred (ValidationException) when calling the DescribeEndpoint operation: " in done.stderr
    assert f'Could not find endpoint "{ARN}:endpoint/none".' in done.stderr


@reference("DescribeEndpoint", "DescribeModel", "ListEndpoints")
def test_answers_have_no_member_that_the_service_model_does_not_know(local: Target, local_model: str) -> None:
    name = local.endpoint(local.config(serverless(local_model)))
    raw: list[bytes] = []

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        raw.append(response_dict["body"])

    # botocore drops what it does not know, so the raw bodies are looked at.
    local.sagemaker.meta.events.register("before-parse.sagemaker", keep)
    answers = [
        local.sagemaker.describe_endpoint(EndpointName=name),
        local.sagemaker.describe_model(ModelName=local_model),
        local.sagemaker.list_endpoints(NameContains=name),
    ]
    local.sagemaker.meta.events.unregister("before-parse.sagemaker", keep)
    for body, answer in zip(raw, answers, strict=True):
        assert set(json.loads(body)) == set(answer) - {"ResponseMetadata"}
    local.sagemaker.delete_endpoint(EndpointName=name)
