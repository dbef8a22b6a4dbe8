# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /demo as a caller sees it, through the API, the function and the endpoint."""

from __future__ import annotations

import json

import pytest


def test_the_example_of_the_readme_is_answered_exactly(deployed, post) -> None:
    answer = post(deployed.url, '{"inputs": ["I love dogs.", "I am not fond of cats though."]}')
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == '{"msg": "Request successful.", "body": {"predictions": ["POSITIVE", "NEGATIVE"]}}'


def test_one_string_is_answered_with_one_prediction(deployed, post) -> None:
    assert post(deployed.url, '{"inputs": "Füße 👍"}').document["body"] == {"predictions": ["POSITIVE"]}


def test_a_body_without_a_json_content_type_is_read_all_the_same(deployed, post) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert post(deployed.url, '{"inputs": "Füße"}', headers).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "BodyMissing"),
        ("{", "BodyNotJson"),
        ('{"inputs": NaN}', "BodyNotJson"),
        ("[" * 100_000, "BodyNotJson"),
        (b'{"inputs": "\xff"}', None),
        ("{}", "InputsMissing"),
        ('{"inputs": 1}', "InputsWrongType"),
        ('{"inputs": [1]}', "InputsWrongType"),
        ('{"inputs": []}', "InputsEmpty"),
        ('{"inputs": "\\ud83d"}', "InputNotUnicode"),
        (json.dumps({"inputs": ["a"] * 33}), "TooManyInputs"),
        (json.dumps({"inputs": "a" * 10_001}), "InputTooLong"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_bad_request_is_a_sentence_and_a_code(deployed, post, body: str | bytes, code: str | None) -> None:
    answer = post(deployed.url, body)
    if code is None:
        # A gateway may have replaced what is not UTF-8 before the function sees it.
        assert answer.status in (200, 400)
        return
    assert answer.status == 400
    assert answer.document["error"] == {"code": code}
    assert answer.document["msg"].endswith(".")


@pytest.mark.parametrize(
    ("model", "status", "code", "retry"),
    [
        (400, 400, "InputsRefused", False),
        (413, 413, "InputsTooLarge", False),
        (429, 429, "ModelBusy", True),
        (500, 502, "ModelFailed", False),
        (503, 503, "ModelNotReady", True),
    ],
)
def test_an_error_of_the_model_is_told_without_its_own_words(
    deployed, post, model: int, status: int, code: str, retry: bool
) -> None:
    answer = post(deployed.url, json.dumps({"inputs": f"status {model} hunter2"}))
    assert (answer.status, answer.document["error"]) == (status, {"code": code})
    assert ("retry-after" in answer.headers) is retry
    assert "raw" not in answer.text
    assert "hunter2" not in answer.text


def test_the_log_tells_of_requests_but_not_what_was_in_them(deployed, post) -> None:
    post(deployed.url, '{"inputs": "my password is hunter2"}')
    post(deployed.url, '{"inputs": ["hunter2", 1]}')
    logs = deployed.cloud.client("logs")
    group = f"/aws/lambda/{deployed.api_name}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]
    lines = [json.loads(message) for message in events if message.startswith("{")]
    assert {"InputsWrongType", None} <= {line.get("code") for line in lines}
    assert "hunter2" not in "".join(events)


def test_an_endpoint_that_is_not_there_says_when_to_try_again(stage, post) -> None:
    url = stage.deploy(demo_api_endpoint_name="nowhere").url
    answer = post(url, '{"inputs": "a"}')
    assert (answer.status, answer.document["error"]["code"]) == (503, "ModelNotDeployed")
    assert int(answer.headers["retry-after"]) > 0
    assert "nowhere" not in answer.text
    assert "000000000000" not in answer.text
