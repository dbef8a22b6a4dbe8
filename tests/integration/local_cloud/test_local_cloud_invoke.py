# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpoint: what is passed on, and what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_workbench import Workbench


@pytest.fixture(scope="module")
def serverless(workbench: Workbench) -> str:
    return workbench.endpoint(workbench.config(workbench.model(), concurrency=2))


@pytest.fixture(scope="module")
def real_time(workbench: Workbench) -> str:
    return workbench.serving(instances=1)


def code_of(call: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


def test_the_answer_names_its_variant_and_carries_custom_attributes(workbench: Workbench, real_time: str) -> None:
    answer = workbench.runtime.invoke_endpoint(
        EndpointName=real_time, Body=b"{}", ContentType="application/json", Accept="text/x", CustomAttributes="mine"
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["ContentType"] == "application/json"
    assert answer["CustomAttributes"] == "mine seen"
    assert json.loads(answer["Body"].read())["headers"]["accept"] == "text/x"


@pytest.mark.parametrize(("status", "kind"), [(400, "client"), (503, "server")])
def test_a_containers_error_is_a_model_error_with_all_of_it(
    workbench: Workbench, real_time: str, status: int, kind: str
) -> None:
    with pytest.raises(workbench.runtime.exceptions.ModelError) as caught:
        workbench.invoke(real_time, {"status": status})
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert error["OriginalStatusCode"] == status
    assert json.loads(error["OriginalMessage"])["error"]["message"] == "as asked"
    assert error["Error"]["Message"].startswith(f"Received {kind} error ({status}) from primary with message")
    assert f"log-group:/aws/sagemaker/Endpoints/{real_time}:log-stream:AllTraffic/i-" in error["LogStreamArn"]


def test_an_unknown_endpoint_or_variant_is_a_validation_error(workbench: Workbench, real_time: str) -> None:
    assert code_of(lambda: workbench.invoke("nobody")) == (
        "ValidationError",
        400,
        "Endpoint nobody of account 000000000000 not found.",
    )
    assert code_of(lambda: workbench.invoke(real_time, TargetVariant="Other"))[0] == "ValidationError"
    assert workbench.invoke(real_time, TargetVariant="AllTraffic")["pid"]


def test_an_endpoints_name_is_matched_by_its_case(workbench: Workbench) -> None:
    name = workbench.endpoint(workbench.config(workbench.model()), name="CamelCase")
    assert workbench.describe("camelcase")["EndpointName"] == name
    assert workbench.describe(name)["EndpointArn"].endswith(":endpoint/camelcase")
    assert code_of(lambda: workbench.invoke("camelcase"))[0] == "ValidationError"
    assert workbench.invoke("CamelCase")["pid"]


def test_payloads_have_the_limits_that_they_have_on_aws(workbench: Workbench, real_time: str, serverless: str) -> None:
    def send(endpoint: str, size: int) -> Any:
        return workbench.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x" * size)

    limit = 4 * 1024 * 1024
    send(serverless, limit)
    send(real_time, limit + 1)
    assert code_of(lambda: send(serverless, limit + 1))[:2] == ("ValidationError", 400)
    assert code_of(lambda: send(real_time, 6 * 1024 * 1024 + 1))[:2] == ("413", 413)


def test_a_serverless_endpoint_answers_no_more_requests_at_once_than_it_may(
    workbench: Workbench, serverless: str
) -> None:
    def outcome(_: int) -> str:
        try:
            workbench.invoke(serverless, {"sleep": 1})
        except ClientError as error:
            return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
        return "answered"

    with ThreadPoolExecutor(6) as callers:
        outcomes = list(callers.map(outcome, range(6)))
    assert sorted(outcomes) == ["ThrottlingException 429"] * 4 + ["answered"] * 2
    assert workbench.invoke(serverless)["pid"]
