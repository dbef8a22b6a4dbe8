# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies that are not JSON, answers that are not predictions, and answers that come in pieces."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from serving_process import Answer, ServerProcess

HANDLER = """
from __future__ import annotations
import os, time
from pathlib import Path
from serving.errors import InputError, RequestError
from serving.handler import RawAnswer, Request, Row

GATES = Path(os.environ["GATES"])

def wait_for(name):
    (GATES / (name + ".reached")).touch()
    while not (GATES / name).exists():
        time.sleep(0.01)

class ModelHandler:
    content_types = ()
    concurrent = False

    def initialize(self, context):
        # Known only when the model is.
        self.content_types = tuple(os.environ.get("TAKEN", "image/*").split())
        self.raw = "RAW" in os.environ

    def example(self):
        return None

    def preprocess(self, request):
        if request.inputs == "crash":
            raise KeyError("secret")
        return [Row(request)]

    def inference(self, rows, threads):
        return [None] * len(rows)

    def postprocess(self, request, rows, outputs):
        if request.stream:
            return RawAnswer(content_type="text/event-stream", chunks=self.pieces(request.inputs))
        if request.inputs == "taken":
            return RawAnswer(b"later", "text/plain", status=202)
        if isinstance(request.inputs, (bytes, type(None))):
            return RawAnswer(b"%d bytes of %s for %s" % (
                len(request.body), request.content_type.encode(), request.accept.encode()), "text/plain")
        return [request.inputs]

    def pieces(self, kind):
        try:
            if kind == "refuse":
                raise InputError("Not in pieces.")
            if kind == "fail at once":
                raise KeyError("secret")
            yield b"one "
            if kind == "fail":
                raise KeyError("secret")
            if kind == "empty piece":
                yield b""
            if kind == "endless":
                number = 0
                while True:
                    number += 1
                    yield b"%d " % number
            if kind.startswith("wait "):
                wait_for(kind.removeprefix("wait "))
            yield b"two"
        finally:
            (GATES / "closed").touch()
"""

Make = Callable[..., ServerProcess]


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    directory = tmp_path / "gates"
    directory.mkdir()
    return directory


@pytest.fixture
def make(
    start: Callable[..., ServerProcess], context_with_handler: Callable[[str], Path], gates: Path, tmp_path: Path
) -> Make:
    context = context_with_handler(HANDLER)

    def start_one(**environment: str) -> ServerProcess:
        return start(tmp_path, context=context, GATES=str(gates), **environment).ready()

    return start_one


def stream(server: ServerProcess, kind: str) -> http.client.HTTPResponse:
    connection = server.connect()
    body = json.dumps({"inputs": kind, "stream": True})
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    return connection.getresponse()


def test_an_answer_has_the_status_that_the_handler_gives_it(make: Make) -> None:
    answer = make().invoke({"inputs": "taken"})
    assert (answer.status, answer.body) == (202, b"later")


def test_a_body_of_a_type_that_the_handler_takes_is_given_as_bytes(make: Make) -> None:
    server = make()
    headers = {"Content-Type": "image/png", "Accept": "text/plain"}
    answer = server.request("POST", "/invocations", b"\x89PNG", headers)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")
    assert answer.body == b"4 bytes of image/png for text/plain"
    assert server.request("POST", "/invocations", b"", headers).status == 400
    refused = server.request("POST", "/invocations", b"x", {"Content-Type": "audio/wav"})
    assert (refused.status, "application/json, image/*" in refused.error["message"]) == (415, True)
    assert server.invoke({"inputs": "a"}).predictions == ["a"]


def test_a_handler_may_ask_for_every_body_as_it_came(make: Make) -> None:
    server = make(RAW="1")
    answer = server.request("POST", "/invocations", b"[1, 2", {"Content-Type": "Application/JSON; a=b"})
    assert (answer.status, answer.body) == (200, b"5 bytes of Application/JSON; a=b for ")


def test_a_fault_while_a_request_is_read_is_a_500_that_says_nothing(make: Make) -> None:
    server = make()
    answer = server.invoke({"inputs": "crash"})
    assert (answer.status, answer.error["code"]) == (500, "ModelError")
    assert "secret" not in answer.error["message"]
    assert "secret" not in json.dumps(server.wait_for("preprocess_failed"))
    assert server.invoke({"inputs": "a"}).predictions == ["a"]


def test_pieces_arrive_one_by_one_and_others_are_answered_meanwhile(make: Make, gates: Path) -> None:
    server = make()
    response = stream(server, "wait middle")
    assert (response.status, response.getheader("content-type")) == (200, "text/event-stream")
    assert response.read1(100) == b"one "
    server.wait_until((gates / "middle.reached").exists, "the second piece was never asked for")
    assert server.invoke({"inputs": "a"}).predictions == ["a"]
    assert server.ping().json()["requests_in_progress"] == 1
    (gates / "middle").touch()
    assert response.read() == b"two"
    server.wait_until(lambda: server.ping().json()["requests_in_progress"] == 0, "the stream never ended")


def test_a_piece_of_nothing_does_not_end_the_answer(make: Make) -> None:
    assert stream(make(), "empty piece").read() == b"one two"


@pytest.mark.parametrize(("kind", "status"), [("refuse", 400), ("fail at once", 500)])
def test_a_stream_that_fails_before_its_first_piece_is_an_ordinary_error(make: Make, kind: str, status: int) -> None:
    answer = Answer(stream(make(), kind))
    assert answer.status == status
    assert "secret" not in answer.error["message"]


def test_a_stream_that_fails_in_the_middle_is_cut_and_the_caller_can_tell(make: Make) -> None:
    server = make()
    response = stream(server, "fail")
    assert response.status == 200
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    assert "secret" not in json.dumps(server.wait_for("stream_failed"))
    assert server.ping().status == 200


def test_a_caller_that_leaves_stops_the_stream(make: Make, gates: Path) -> None:
    server = make()
    response = stream(server, "endless")
    assert response.read1(4) == b"one "
    response.close()
    server.wait_until((gates / "closed").exists, "the generator was never closed")
    line = server.wait_for("request")
    assert line["disconnected"] is True
    assert server.invoke({"inputs": "a"}).predictions == ["a"]


def test_a_piece_that_does_not_come_ends_the_stream(make: Make, gates: Path) -> None:
    server = make(SERVING_REQUEST_TIMEOUT="0.3")
    response = stream(server, "wait middle")
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    assert server.wait_for("request")["error"] == "ModelTimeout"
    assert not (gates / "closed").exists()
    (gates / "middle").touch()
    server.wait_until((gates / "closed").exists, "the generator was never closed")


def test_sigterm_lets_a_stream_finish(make: Make, gates: Path) -> None:
    server = make()
    response = stream(server, "wait middle")
    assert response.read1(100) == b"one "
    server.wait_until((gates / "middle.reached").exists, "the second piece was never asked for")
    server.terminate()
    (gates / "middle").touch()
    assert response.read() == b"two"
    assert server.exit_status() == 0
    assert server.log[-1]["event"] == "stopped"


def test_metrics_count_what_was_answered(make: Make) -> None:
    server = make()
    server.invoke({"inputs": "a"})
    server.invoke({"inputs": ["a", "b"]})
    server.invoke({"input": "a"})
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    page = answer.body.decode()
    assert 'serving_requests_total{status="200"} 2\n' in page
    assert 'serving_requests_total{status="400"} 1\n' in page
    assert re.search(r"^serving_batch_rows_sum 2$", page, re.M)
    assert "serving_requests_in_progress 0\n" in page
    assert "serving_healthy 1\n" in page
