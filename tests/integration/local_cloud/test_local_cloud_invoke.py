# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpoint: what is passed on, and what is refused."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
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


def test_an_answer_has_the_limit_that_a_request_has(workbench: Workbench, real_time: str, serverless: str) -> None:
    limit = 4 * 1024 * 1024
    assert len(workbench.invoke(real_time, {"big": limit})) == limit
    with pytest.raises(workbench.runtime.exceptions.ModelError, match="exceeds the limit of 4194304 bytes"):
        workbench.invoke(serverless, {"big": limit})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"TargetModel": "a.tar.gz"},
            "Endpoint {} is not a multi-model endpoint and does not support target model header.",
        ),
        (
            {"InferenceComponentName": "a"},
            "Inference Component Name header is not allowed for endpoints to which you dont plan to deploy inference "
            "components. Please remove the Inference Component Name header and try again.",
        ),
        (
            {"TargetContainerHostname": "a"},
            "Endpoint {} is not a multi-container endpoint and does not support target container hostname header.",
        ),
        (
            {"EnableExplanations": "`true`"},
            "Endpoint {} has no explainer and does not support enable explanations header.",
        ),
    ],
)
def test_what_the_endpoint_is_not_made_for_is_refused(
    workbench: Workbench, real_time: str, parameters: dict[str, str], message: str
) -> None:
    refusal = code_of(lambda: workbench.invoke(real_time, **parameters))
    assert refusal == ("ValidationError", 400, message.format(real_time))


def test_parameters_are_checked_by_the_service_model(workbench: Workbench, real_time: str) -> None:
    code, status, message = code_of(lambda: workbench.invoke(real_time, InferenceId="x" * 65))
    assert (code, status) == ("ValidationError", 400)
    assert message == (
        f"1 validation error detected: Value '{'x' * 65}' at 'inferenceId' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )
    assert code_of(lambda: workbench.invoke("x" * 64))[0] == "ValidationError"


def test_the_inference_id_and_the_content_type_reach_the_container(workbench: Workbench, real_time: str) -> None:
    headers = workbench.invoke(real_time, InferenceId="mine", ContentType="application/json; charset=utf-8")["headers"]
    assert headers["x-amzn-sagemaker-inference-id"] == "mine"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert "authorization" not in headers


def test_a_session_is_the_containers_to_open_and_to_close(workbench: Workbench, real_time: str) -> None:
    def ask(session: str, **parameters: str) -> dict[str, Any]:
        answer: dict[str, Any] = workbench.runtime.invoke_endpoint(
            EndpointName=real_time, Body=b"{}", SessionId=session, **parameters
        )
        return answer

    opened = ask("NEW_SESSION")
    assert opened["NewSessionId"].endswith("; Expires=2030-01-01T00:00:00Z")
    session = opened["NewSessionId"].partition(";")[0]
    going_on = ask(session)
    assert json.loads(going_on["Body"].read())["headers"]["x-amzn-sagemaker-session-id"] == session
    assert "ClosedSessionId" not in going_on
    assert ask(session, CustomAttributes="close")["ClosedSessionId"] == session


def test_a_sessions_requests_go_to_the_instance_that_opened_it(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=3)
    opened = workbench.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}", SessionId="NEW_SESSION")
    session = opened["NewSessionId"].partition(";")[0]
    pid = int(session.removeprefix("of-"))
    assert {workbench.invoke(endpoint, SessionId=session)["pid"] for _ in range(12)} == {pid}
    assert len({workbench.invoke(endpoint)["pid"] for _ in range(40)}) > 1


def test_a_path_that_is_no_operation_is_answered_as_aws_answers(workbench: Workbench) -> None:
    request = AWSRequest("POST", f"{workbench.cloud.url}/endpoints/demo/explanations", data=b"{}")
    SigV4Auth(Credentials("000000000000", "local"), "sagemaker", "us-east-1").add_auth(request)
    prepared = request.prepare()
    connection = http.client.HTTPConnection("127.0.0.1", workbench.cloud.port)
    connection.request("POST", "/endpoints/demo/explanations", b"{}", dict(prepared.headers))
    response = connection.getresponse()
    assert (response.status, response.read()) == (404, b"<UnknownOperationException/>\n")
    connection.close()


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
