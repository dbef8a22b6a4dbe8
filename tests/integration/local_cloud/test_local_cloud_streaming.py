# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpointWithResponseStream, as boto3 reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from local_cloud_workbench import Workbench


@pytest.fixture(scope="module")
def endpoint(workbench: Workbench) -> str:
    return workbench.serving(instances=1)


def stream(workbench: Workbench, endpoint: str, request: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = workbench.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=json.dumps(request), **parameters
    )
    return answer


def parts(answer: dict[str, Any]) -> Iterator[bytes]:
    for event in answer["Body"]:
        yield event["PayloadPart"]["Bytes"]


def log_of(workbench: Workbench, endpoint: str) -> str:
    logs = Path(workbench.cloud.home, "endpoints", endpoint).glob("*/container.log")
    return "".join(log.read_text() for log in logs)


def test_an_answer_comes_in_the_pieces_in_which_the_container_sends_it(workbench: Workbench, endpoint: str) -> None:
    answer = stream(
        workbench, endpoint, {"stream": ["one ", "two ", "three"], "pause": 0.2}, CustomAttributes="mine", Accept="a/b"
    )
    assert answer["ContentType"] == "text/plain"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["CustomAttributes"] == "mine seen"
    assert list(parts(answer)) == [b"one ", b"two ", b"three"]


def test_the_first_piece_does_not_wait_for_the_last(workbench: Workbench, endpoint: str, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    pieces = parts(stream(workbench, endpoint, {"stream": ["first", "last"], "until": str(go_on)}))
    assert next(pieces) == b"first"
    go_on.touch()
    assert list(pieces) == [b"last"]


def test_an_answer_that_is_no_stream_is_one_part(workbench: Workbench, endpoint: str) -> None:
    assert json.loads(b"".join(parts(stream(workbench, endpoint, {}))))["pid"]


def test_a_containers_error_is_a_model_error_before_the_stream(workbench: Workbench, endpoint: str) -> None:
    with pytest.raises(workbench.runtime.exceptions.ModelError) as caught:
        stream(workbench, endpoint, {"status": 422})
    assert caught.value.response["OriginalStatusCode"] == 422
    assert "as asked" in caught.value.response["OriginalMessage"]


def test_a_container_that_breaks_off_is_told_in_the_stream(workbench: Workbench, endpoint: str) -> None:
    pieces = parts(stream(workbench, endpoint, {"stream": ["a"], "then": "die"}))
    assert next(pieces) == b"a"
    with pytest.raises(EventStreamError) as caught:
        next(pieces)
    assert caught.value.response["Error"]["Code"] == "ModelStreamError"
    assert "was reset or closed" in caught.value.response["Error"]["Message"]


def test_a_caller_that_hangs_up_is_hung_up_on_the_container(workbench: Workbench, endpoint: str) -> None:
    pieces = stream(workbench, endpoint, {"stream": ["x"] * 2000, "pause": 0.02})
    next(parts(pieces))
    pieces["Body"].close()
    for _ in range(300):
        if "the caller hung up" in log_of(workbench, endpoint):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the container was never told")


def test_unknown_endpoints_and_targets_are_refused_as_for_a_whole_answer(workbench: Workbench, endpoint: str) -> None:
    for parameters, code in (({"TargetVariant": "Other"}, "ValidationError"), ({}, "ValidationError")):
        with pytest.raises(ClientError) as caught:
            stream(workbench, endpoint if parameters else "nobody", {}, **parameters)
        assert caught.value.response["Error"]["Code"] == code
