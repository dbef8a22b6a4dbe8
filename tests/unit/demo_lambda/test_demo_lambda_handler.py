# SPDX-License-Identifier: GPL-3.0-or-later
"""The handler as API Gateway sees it, with a client that stands in for the SageMaker runtime."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from demo_api.endpoint import Endpoint
from demo_api.handler import make_handler
from demo_api.settings import Settings, SettingsError

SETTINGS = Settings(endpoint_name="modelhost-test", max_inputs=8, max_input_characters=1000, read_timeout=26)
ENVIRONMENT = {
    "ENDPOINT_NAME": "modelhost-test",
    "MAX_INPUTS": "8",
    "MAX_INPUT_CHARACTERS": "1000",
    "READ_TIMEOUT_SECONDS": "26",
}


class StubRuntime:
    """Gives the prepared outcomes one after another (bytes are answered, exceptions raised) and keeps the requests."""

    def __init__(self, *outcomes: bytes | Exception) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[dict[str, Any]] = []

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return {"Body": io.BytesIO(outcome)}


class Clock:
    """Tells the prepared times one after another, in seconds."""

    def __init__(self, *times: float) -> None:
        self.times = list(times)

    def __call__(self) -> float:
        return self.times.pop(0)


class Context:
    aws_request_id = "request-1"


def post(client: StubRuntime, document: object, clock: Clock | None = None) -> tuple[int, dict[str, str], Any]:
    endpoint = Endpoint(client, SETTINGS.endpoint_name, *([clock] if clock else []))
    event = {"version": "2.0", "routeKey": "POST /demo", "headers": {}, "body": json.dumps(document)}
    response = make_handler(endpoint, SETTINGS)(event, Context())
    assert response["isBase64Encoded"] is False
    return response["statusCode"], response["headers"], json.loads(response["body"])


def answer(*predictions: str) -> bytes:
    return json.dumps({"predictions": list(predictions)}).encode()


def closed() -> ConnectionClosedError:
    return ConnectionClosedError(endpoint_url="https://runtime")


def test_the_example_of_the_readme_is_answered_exactly() -> None:
    client = StubRuntime(answer("POSITIVE", "NEGATIVE"))
    event = {"body": '{"inputs": ["I love dogs.", "I am not fond of cats though."]}', "isBase64Encoded": False}
    response = make_handler(Endpoint(client, "modelhost-test"), SETTINGS)(event, Context())
    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "application/json"
    assert response["body"] == '{"msg": "Request successful.", "body": {"predictions": ["POSITIVE", "NEGATIVE"]}}'


def test_the_endpoint_gets_the_inputs_as_utf8_json() -> None:
    client = StubRuntime(answer("POSITIVE"))
    post(client, {"inputs": "Füße"})
    assert client.requests == [
        {
            "EndpointName": "modelhost-test",
            "ContentType": "application/json",
            "Accept": "application/json",
            "Body": '{"inputs": ["Füße"]}'.encode(),
        }
    ]


def test_a_refused_request_never_reaches_the_endpoint() -> None:
    client = StubRuntime()
    status, headers, body = post(client, {"inputs": []})
    assert (status, client.requests) == (400, [])
    assert body == {
        "msg": "inputs is an empty list; it must hold at least one string.",
        "error": {"code": "InputsEmpty"},
    }
    assert "retry-after" not in headers


def test_a_model_that_is_not_ready_says_when_to_try_again() -> None:
    error = ClientError({"Error": {"Code": "ModelNotReadyException", "Message": ""}}, "InvokeEndpoint")
    status, headers, body = post(StubRuntime(error), {"inputs": "a"})
    assert (status, headers["retry-after"]) == (503, "15")
    assert body == {"msg": "The model is not ready yet; try again shortly.", "error": {"code": "ModelNotReady"}}


def test_a_throttled_request_says_when_to_try_again() -> None:
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "InvokeEndpoint")
    status, headers, _ = post(StubRuntime(error), {"inputs": "a"})
    assert (status, headers["retry-after"]) == (429, "2")


def test_a_slow_model_is_asked_once() -> None:
    client = StubRuntime(ReadTimeoutError(endpoint_url="https://runtime"))
    status, _, body = post(client, {"inputs": "a"})
    assert (status, body["error"]["code"], len(client.requests)) == (504, "ModelTimeout", 1)


def test_a_connection_that_died_while_the_function_slept_is_made_again() -> None:
    client = StubRuntime(closed(), answer("POSITIVE"))
    status, _, body = post(client, {"inputs": "a"}, Clock(0.0, 0.01))
    assert (status, body["body"], len(client.requests)) == (200, {"predictions": ["POSITIVE"]}, 2)


def test_a_connection_that_dies_while_the_model_works_is_not_made_again() -> None:
    client = StubRuntime(closed())
    status, _, body = post(client, {"inputs": "a"}, Clock(0.0, 8.0))
    assert (status, body["error"]["code"], len(client.requests)) == (503, "ModelUnavailable", 1)


def test_a_connection_that_keeps_dying_is_given_up() -> None:
    client = StubRuntime(closed(), closed())
    status, headers, _ = post(client, {"inputs": "a"}, Clock(0.0, 0.01))
    assert (status, headers["retry-after"], len(client.requests)) == (503, "2", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        b"{}",
        b'{"predictions": "POSITIVE"}',
        b'{"predictions": []}',
        b'{"predictions": ["POSITIVE", "POSITIVE"]}',
        b'{"predictions": [NaN]}',
        b"[" * 200_000,
    ],
    ids=["empty", "html", "bytes", "list", "no predictions", "text", "too few", "too many", "NaN", "nesting"],
)
def test_an_answer_that_is_not_one_prediction_for_each_input_is_not_passed_on(wrong: bytes) -> None:
    status, _, body = post(StubRuntime(wrong), {"inputs": "a"})
    assert status == 502
    assert body == {"msg": "The model gave an answer that cannot be used.", "error": {"code": "ModelAnswerInvalid"}}


def test_what_nobody_foresaw_is_a_sentence_and_not_a_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, body = post(StubRuntime(RuntimeError("hunter2")), {"inputs": "a"})
    assert status == 500
    assert body == {
        "msg": "The request failed for a reason that is not yours.",
        "error": {"code": "InternalError"},
    }
    line = json.loads(capsys.readouterr().out)
    assert line["detail"].startswith("RuntimeError at handler:")
    assert "hunter2" not in line["detail"]


def test_an_event_that_is_not_one_is_answered_too() -> None:
    response = make_handler(Endpoint(StubRuntime(), "x"), SETTINGS)(None, None)  # type: ignore[arg-type]
    assert response["statusCode"] == 500


def test_each_request_leaves_one_line_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    post(StubRuntime(answer("POSITIVE")), {"inputs": "my password is hunter2"})
    post(StubRuntime(), {"inputs": ["hunter2", 1]})
    captured = capsys.readouterr()
    assert "hunter2" not in captured.out + captured.err
    good, bad = (json.loads(line) for line in captured.out.splitlines())
    assert (good["request_id"], good["status"], good["inputs"]) == ("request-1", 200, 1)
    assert (bad["status"], bad["code"]) == (400, "InputsWrongType")


def test_the_settings_come_from_the_environment() -> None:
    assert Settings.from_environment(ENVIRONMENT) == SETTINGS


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in ENVIRONMENT.items() if key != name}
    if value is not None:
        environment[name] = value
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(environment)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "²"])
def test_a_setting_that_is_no_whole_number_above_0_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="MAX_INPUTS is"):
        Settings.from_environment({**ENVIRONMENT, "MAX_INPUTS": value})


def test_the_client_waits_as_long_as_it_is_told_and_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    config = Endpoint.connect(SETTINGS)._client.meta.config  # type: ignore[attr-defined]
    assert config.read_timeout == 26
    assert config.retries["total_max_attempts"] == 1
