# SPDX-License-Identifier: GPL-3.0-or-later
"""Where asynchronous results go, what is told of them, and what the queue keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.json_protocol import Response
from local_cloud.containers.container_client import Answer
from local_cloud.sagemaker.runtime.async_queue import AsyncQueue, EndpointKey, Entry
from local_cloud.sagemaker.runtime.async_result import Outcome, notification, result_locations, topic_of
from local_cloud.sagemaker.runtime.async_worker import AsyncWorker, outcome_of
from local_cloud.sagemaker.runtime.latest import LatestRequests
from local_cloud.sagemaker.runtime.metric_recorder import MetricRecorder
from local_cloud.sagemaker.runtime.metrics import EndpointMetrics
from local_cloud.sagemaker.runtime.roles import ExecutionRoles
from local_cloud.sagemaker.runtime.s3 import S3, S3Location, parse_location
from local_cloud.store import Store

CALLER = Caller("000000000000", "us-east-1")
PATHS = {"S3OutputPath": "s3://results/out/", "S3FailurePath": "s3://results/failed"}
DOCUMENT: dict[str, Any] = {
    "inference_id": "mine",
    "endpoint_name": "demo",
    "received": 1643150760.455,
    "parameters": {"EndpointName": "demo", "ContentType": "text/csv", "InputLocation": "s3://in/1.csv"},
    "output_location": "s3://results/out/u.out",
    "failure_location": "s3://results/failed/u-error.out",
}


@pytest.mark.parametrize(
    ("parameters", "output", "failure"),
    [
        ({}, "s3://results/out/u.out", "s3://results/failed/u-error.out"),
        ({"Filename": "a.json"}, "s3://results/out/a.json", "s3://results/failed/a-error.out"),
        ({"S3OutputPathExtension": "x/y/"}, "s3://results/out/x/y/u.out", "s3://results/failed/x/y/u-error.out"),
    ],
)
def test_results_are_named_by_the_request_or_by_themselves(
    parameters: dict[str, str], output: str, failure: str
) -> None:
    places = result_locations(PATHS, parameters, "u")
    assert [place.url for place in places if place] == [output, failure]


def test_without_a_path_there_is_no_place() -> None:
    assert result_locations({"S3OutputPath": "s3://results"}, {}, "u") == (S3Location("results", "u.out"), None)
    assert result_locations({}, {}, "u") == (None, None)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://bucket/a/b", S3Location("bucket", "a/b")),
        ("s3://bucket", S3Location("bucket", "")),
        ("https://s3.eu-west-1.amazonaws.com/bucket/a", S3Location("bucket", "a")),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a", S3Location("bucket", "a")),
        ("https://example.com/a", None),
        ("", None),
    ],
)
def test_an_s3_location_is_read_in_both_its_forms(url: str, place: S3Location | None) -> None:
    assert parse_location(url) == place


def test_a_success_is_told_with_where_its_result_is() -> None:
    message = notification(DOCUMENT, "us-east-1", Outcome(None, b"1", "text/csv"), 1643150760.608, False)
    assert message == {
        "awsRegion": "us-east-1",
        "eventTime": "2022-01-25T22:46:00.608Z",
        "receivedTime": "2022-01-25T22:46:00.455Z",
        "invocationStatus": "Completed",
        "requestParameters": {"contentType": "text/csv", "endpointName": "demo", "inputLocation": "s3://in/1.csv"},
        "responseParameters": {"contentType": "text/csv", "outputLocation": "s3://results/out/u.out"},
        "inferenceId": "mine",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def test_a_failure_is_told_with_its_reason_and_the_answer_where_that_is_asked_for() -> None:
    message = notification(DOCUMENT, "us-east-1", Outcome("it broke", b"why", "text/plain"), 0.0, True)
    assert (message["invocationStatus"], message["failureReason"]) == ("Failed", "it broke")
    assert message["responseParameters"]["outputLocation"] == "s3://results/failed/u-error.out"
    assert message["responseBody"] == {"content": "d2h5", "encoding": "BASE64"}


def test_an_answer_too_large_for_a_notification_is_left_out() -> None:
    message = notification(DOCUMENT, "us-east-1", Outcome(None, b"x" * (128 * 1024 + 1), "text/plain"), 0.0, True)
    assert "responseBody" not in message


def test_each_outcome_has_a_topic_of_its_own() -> None:
    config = {
        "NotificationConfig": {
            "SuccessTopic": "good",
            "ErrorTopic": "bad",
            "IncludeInferenceResponseIn": ["ERROR_NOTIFICATION_TOPIC"],
        }
    }
    assert topic_of(config, Outcome(None, b"", "")) == ("good", False)
    assert topic_of(config, Outcome("broke", b"", "")) == ("bad", True)
    assert topic_of({}, Outcome(None, b"", "")) == (None, False)


def test_a_containers_refusal_is_kept_as_it_is() -> None:
    outcome = outcome_of(Answer(400, {"content-type": "application/json", "content-length": "2"}, b"{}"))
    assert outcome == Outcome('Received client error (400) from primary with message "{}".', b"{}", "application/json")


def test_an_answer_without_its_length_is_a_failure() -> None:
    outcome = outcome_of(Answer(200, {"transfer-encoding": "chunked"}, b"{}"))
    assert outcome.failure == "The response from container primary did not specify the required Content-Length header"


def test_the_queue_outlives_the_cloud_and_keeps_its_order(tmp_path: Path) -> None:
    endpoint = EndpointKey(CALLER, "demo", 1.0)
    store = Store(tmp_path / "store.sqlite3")
    queue = AsyncQueue(store)
    for received in (3.0, 1.0, 2.0):
        queue.put(endpoint, {**DOCUMENT, "received": received}, f"{received}".encode())
    store.close()

    store = Store(tmp_path / "store.sqlite3")
    queue = AsyncQueue(store)
    assert list(queue.load()) == [endpoint]
    waiting = queue.waiting(endpoint)
    assert [entry.received for entry in waiting] == [1.0, 2.0, 3.0]
    read = queue.read(endpoint, waiting[0])
    assert read is not None
    assert read[1] == b"1.0"

    queue.remove(endpoint, waiting.popleft())
    queue.drop(endpoint)
    assert list(AsyncQueue(store).load()) == []
    store.close()


def test_a_request_expires_when_it_has_waited_too_long() -> None:
    entry = Entry("key", received=100.0, ttl=60.0)
    assert not entry.is_expired(160.0)
    assert entry.is_expired(160.1)


class FakeMinistack:
    """An S3 and a CloudWatch that take everything."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def request(self, caller: Caller, service: str, method: str, path: str, **more: Any) -> Response:
        self.objects[path] = more["body"]
        return Response(200, b"")

    async def json_call(self, *_: Any) -> dict[str, Any]:
        return {}


def test_an_expired_request_is_a_failure_and_never_reaches_the_endpoint(tmp_path: Path) -> None:
    async def work() -> tuple[FakeMinistack, bool, list[EndpointKey]]:
        ministack: Any = FakeMinistack()
        recorder = MetricRecorder(ministack)
        worker = AsyncWorker(
            ministack, S3(ministack), ExecutionRoles(False), EndpointMetrics(recorder), LatestRequests()
        )
        endpoint = EndpointKey(CALLER, "demo", 1.0)
        store = Store(tmp_path / "store.sqlite3")
        queue = AsyncQueue(store)
        details = {"output_config": PATHS, "variant": "v", "role_arn": "arn:aws:iam::0:role/r", "trace_id": None}
        queue.put(endpoint, {**DOCUMENT, **details}, b"")
        done = await worker.run(queue, endpoint, queue.waiting(endpoint).popleft(), None)
        await worker.close()
        await recorder.close()
        left = list(AsyncQueue(store).load())
        store.close()
        return ministack, done, left

    ministack, done, left = asyncio.run(work())
    assert done
    assert left == []
    [(path, body)] = ministack.objects.items()
    assert path == "/results/failed/u-error.out"
    assert body == b"ClientError: The request expired: it waited for more than 21600 seconds."
