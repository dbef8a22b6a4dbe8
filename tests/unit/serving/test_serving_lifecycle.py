# SPDX-License-Identifier: GPL-3.0-or-later
"""From the start of the process to its end: loading, failing, filling up, draining.

Handlers that wait do so for a file: a test makes it when it has seen what it wanted to see.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from serving_process import CONTEXT, PATIENCE, ServerProcess

Start = Callable[..., ServerProcess]
MakeContext = Callable[[str], Path]

PRELUDE = """
from __future__ import annotations
import os, time
from pathlib import Path
from serving.base_handler import BaseHandler
from serving.errors import InputError

GATES = Path(os.environ["GATES"])

def wait_for(name):
    (GATES / (name + ".reached")).touch()
    while not (GATES / name).exists():
        time.sleep(0.01)

"""

# Answers with what it was given; waits, fails or breaks where a request says so.
ODD_HANDLER = (
    PRELUDE
    + """
class ModelHandler(BaseHandler):
    EXAMPLE = {"inputs": ["example"]}

    def load(self, context):
        self.broken = False
        if "GATE_LOADING" in os.environ:
            wait_for("loading")

    def predict(self, inputs, parameters):
        if (GATES / "mended").exists():
            self.broken = False
        if "break" in inputs:
            self.broken = True
        if self.broken:
            raise RuntimeError("broken by " + repr(inputs))
        for text in inputs:
            if text.startswith("wait "):
                wait_for(text.removeprefix("wait "))
            if text == "fail":
                raise KeyError("secret " + text)
            if text == "refuse":
                raise InputError("This handler takes no refusals.")
            if text == "exit":
                raise SystemExit(3)
            if text == "nan":
                return [float("nan")]
            if text == "tuple":
                return ("a",)
        return list(inputs)
"""
)


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    directory = tmp_path / "gates"
    directory.mkdir()
    return directory


@pytest.fixture
def start_odd(start: Start, context_with_handler: MakeContext, gates: Path, tmp_path: Path) -> Start:
    context = context_with_handler(ODD_HANDLER)

    def start_one(**environment: str) -> ServerProcess:
        return start(tmp_path, context=context, GATES=str(gates), **environment)

    return start_one


def await_file(path: Path, server: ServerProcess) -> None:
    server.wait_until(path.exists, f"{path.name} was never made")


def test_ping_is_503_until_the_model_has_answered_once(start_odd: Start, gates: Path) -> None:
    server = start_odd(GATE_LOADING="1")
    await_file(gates / "loading.reached", server)
    answer = server.ping()
    assert (answer.status, answer.error["code"]) == (503, "ModelNotReady")
    refused = server.invoke({"inputs": ["a"]})
    assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (503, "ModelNotReady", "1")
    (gates / "loading").touch()
    server.ready()
    assert server.ping().status == 200
    assert server.invoke({"inputs": ["a"]}).predictions == ["a"]


def test_another_handler_is_one_file(start_odd: Start) -> None:
    server = start_odd().ready()
    assert server.invoke({"inputs": ["a"]}).predictions == ["a"]
    answer = server.invoke({"inputs": ["refuse"]})
    assert (answer.status, answer.error["message"]) == (400, "This handler takes no refusals.")


def test_the_process_ends_with_one_line_of_reason_where_the_model_cannot_be_loaded(
    tmp_path: Path, start: Start
) -> None:
    server = start(tmp_path)
    assert server.exit_status() == 1
    assert server.log[-1]["event"] == "model_load_failed"
    assert "is empty and HF_MODEL_ID is not set" in server.log[-1]["message"]
    assert server.errors == []


def test_a_model_that_loads_and_cannot_answer_is_not_served(tiny_model: Path, tmp_path: Path, start: Start) -> None:
    shutil.copytree(tiny_model / "model", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "ONLY"}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    server = start(tmp_path)
    assert server.exit_status() == 1
    assert "id2label" in server.log[-1]["message"]


def test_a_task_that_is_not_supported_is_named_at_start(tiny_model: Path, start: Start) -> None:
    server = start(tiny_model, HF_TASK="summarization")
    assert server.exit_status() == 1
    assert server.log[-1]["message"].startswith(
        "HF_TASK is 'summarization'; a compiled model does text-classification,"
    )


def test_the_other_name_of_the_task_is_taken(tiny_model: Path, start: Start) -> None:
    assert start(tiny_model, HF_TASK="sentiment-analysis").ready().invoke({"inputs": "love"}).predictions == [
        "POSITIVE"
    ]


def test_a_handler_that_cannot_be_imported_ends_the_process(
    tmp_path: Path, start: Start, context_with_handler: MakeContext
) -> None:
    server = start(tmp_path, context=context_with_handler("import nothing_of_that_name\n"))
    assert server.exit_status() == 1
    assert "nothing_of_that_name" in server.log[-1]["message"]
    assert any("model_handler.py:1" in frame for frame in server.log[-1]["stack"])


def test_a_wrong_setting_ends_the_process_before_it_listens(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path, SERVING_THREADS="many")
    assert server.exit_status() == 2
    assert [line["event"] for line in server.log] == ["bad_setting"]


def test_a_port_that_is_taken_is_named(tiny_model: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = start(tiny_model, SAGEMAKER_BIND_TO_PORT=str(port))
        assert server.exit_status() == 1
    assert server.log[-1]["event"] == "cannot_listen"
    assert f"port {port}" in server.log[-1]["message"]


@pytest.mark.parametrize("kind", ["fail", "nan", "tuple", "exit"])
def test_a_request_the_model_fails_at_is_500_and_the_next_is_answered(start_odd: Start, kind: str) -> None:
    server = start_odd().ready()
    answer = server.invoke({"inputs": [kind]})
    assert (answer.status, answer.error["code"]) == (500, "ModelError")
    assert "secret" not in answer.error["message"]
    assert server.invoke({"inputs": ["a"]}).predictions == ["a"]
    assert server.ping().status == 200
    failure = server.wait_for("inference_failed")
    assert failure["stack"]
    assert "secret" not in json.dumps(failure)


def test_debug_logs_what_the_exception_said(start_odd: Start) -> None:
    server = start_odd(SERVING_LOG_LEVEL="debug").ready()
    server.invoke({"inputs": ["fail"]})
    assert "secret fail" in server.wait_for("inference_failed")["exception_message"]


def test_ping_turns_503_when_the_model_no_longer_answers_and_200_when_it_does_again(
    start_odd: Start, gates: Path
) -> None:
    server = start_odd().ready()
    assert server.ping().status == 200
    assert server.invoke({"inputs": ["break"]}).status == 500
    answer = server.ping()
    assert (answer.status, answer.error["code"]) == (503, "ModelFailed")
    assert server.invoke({"inputs": ["a"]}).status == 503
    (gates / "mended").touch()
    server.wait_until(lambda: server.ping().status == 200, "the model was never healthy again")
    assert server.invoke({"inputs": ["a"]}).predictions == ["a"]
    assert server.wait_for("health_changed")["healthy"] is False


def test_a_full_queue_refuses_with_429_and_keeps_those_that_wait(start_odd: Start, gates: Path) -> None:
    server = start_odd(SERVING_QUEUE_SIZE="2").ready()
    running = server.in_background({"inputs": ["wait one"]})
    await_file(gates / "one.reached", server)
    waiting = [server.in_background({"inputs": [f"waiting {number}"]}) for number in range(2)]
    await_requests(server, 3)
    answer = server.invoke({"inputs": ["one too many"]})
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (429, "TooManyRequests", "1")
    assert server.ping().status == 200
    (gates / "one").touch()
    assert running.answer().predictions == ["wait one"]
    assert [pending.answer().predictions for pending in waiting] == [["waiting 0"], ["waiting 1"]]


def test_a_model_that_hangs_is_told_by_ping_and_callers_are_let_go(start_odd: Start, gates: Path) -> None:
    server = start_odd(SERVING_REQUEST_TIMEOUT="0.3").ready()
    hanging = server.in_background({"inputs": ["wait one"]})
    await_file(gates / "one.reached", server)
    answer = hanging.answer()
    assert (answer.status, answer.error["code"]) == (503, "ModelTimeout")
    server.wait_until(lambda: server.ping().status == 503, "ping did not notice")
    assert server.ping().error["code"] == "ModelNotResponding"
    (gates / "one").touch()
    server.wait_until(lambda: server.ping().status == 200, "ping did not recover")


def test_a_request_that_was_given_up_while_it_waited_is_never_run(start_odd: Start, gates: Path) -> None:
    server = start_odd(SERVING_REQUEST_TIMEOUT="0.3").ready()
    running = server.in_background({"inputs": ["wait one"]})
    await_file(gates / "one.reached", server)
    given_up = server.in_background({"inputs": ["wait two"]})
    assert {running.answer().status, given_up.answer().status} == {503}
    (gates / "one").touch()
    server.wait_until(lambda: server.ping().status == 200, "ping did not recover")
    assert server.invoke({"inputs": ["a"]}).predictions == ["a"]
    assert not (gates / "two.reached").exists()


def test_a_request_whose_caller_left_is_never_run(start_odd: Start, gates: Path) -> None:
    server = start_odd().ready()
    running = server.in_background({"inputs": ["wait one"]})
    await_file(gates / "one.reached", server)
    server.in_background({"inputs": ["wait two"]}).leave()
    line = server.wait_for("request")
    assert (line["error"], line["disconnected"]) == ("ClientDisconnected", True)
    (gates / "one").touch()
    assert running.answer().predictions == ["wait one"]
    assert server.invoke({"inputs": ["a"]}).predictions == ["a"]
    assert not (gates / "two.reached").exists()


def test_the_bodies_that_wait_are_bounded_in_bytes(start_odd: Start, gates: Path) -> None:
    server = start_odd(SERVING_MAX_PAYLOAD_MB="0.01").ready()
    large = "x" * 10_000
    waiting = [server.in_background({"inputs": ["wait one"]})]
    await_file(gates / "one.reached", server)
    waiting += [server.in_background({"inputs": [large]}) for _ in range(16)]
    await_requests(server, 17)
    answer = server.invoke({"inputs": [large]})
    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (429, "TooManyRequests", "1")
    (gates / "one").touch()
    assert [pending.answer().status for pending in waiting] == [200] * 17
    assert server.invoke({"inputs": [large]}).status == 200


def test_a_head_that_never_ends_is_refused(start_odd: Start) -> None:
    server = start_odd().ready()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000)
        caller.sendall(b"a")
        received = b""
        while chunk := caller.recv(4096):
            received += chunk
    assert received.startswith(b"HTTP/1.1 431 ")
    assert b'"HeadersTooLarge"' in received


def test_a_body_that_does_not_arrive_is_given_up(start_odd: Start) -> None:
    server = start_odd(SERVING_REQUEST_TIMEOUT="0.3").ready()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        received = b""
        while chunk := caller.recv(4096):
            received += chunk
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b'"RequestTimeout"' in received


def test_sigterm_lets_requests_finish_and_ends_with_status_0(start_odd: Start, gates: Path) -> None:
    server = start_odd().ready()
    running = server.in_background({"inputs": ["wait one"]})
    await_file(gates / "one.reached", server)
    waiting = server.in_background({"inputs": ["waiting"]})
    await_requests(server, 2)
    server.terminate()
    server.wait_until(lambda: refuses_connections(server), "the server still listens")
    assert server.process.poll() is None
    (gates / "one").touch()
    assert running.answer().predictions == ["wait one"]
    assert waiting.answer().predictions == ["waiting"]
    assert server.exit_status() == 0
    assert server.log[-1]["event"] == "stopped"
    assert server.errors == []


def test_sigterm_does_not_wait_for_ever_for_a_request_that_hangs(
    start: Start, context_with_handler: MakeContext, gates: Path, tmp_path: Path
) -> None:
    context = context_with_handler(ODD_HANDLER)
    main = context / "serving" / "__main__.py"
    source = main.read_text(encoding="utf-8")
    # SageMaker kills 30 seconds after SIGTERM; a second is as good for a test.
    assert "\nDRAIN_SECONDS = 25\n" in source
    main.write_text(source.replace("DRAIN_SECONDS = 25", "DRAIN_SECONDS = 1"), encoding="utf-8")
    server = start(tmp_path, context=context, GATES=str(gates)).ready()
    server.in_background({"inputs": ["wait one"]})
    await_file(gates / "one.reached", server)
    server.terminate()
    assert server.exit_status() == 0
    assert server.log[-1]["event"] == "stopped"
    assert server.errors == []


def test_sigterm_while_the_model_loads_ends_with_status_0(start_odd: Start, gates: Path) -> None:
    server = start_odd(GATE_LOADING="1")
    await_file(gates / "loading.reached", server)
    server.terminate()
    assert server.exit_status() == 0


def test_a_command_that_is_not_serve_is_refused(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "serving", "train"], cwd=CONTEXT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: python -m serving serve\n")


def await_requests(server: ServerProcess, count: int) -> None:
    server.wait_until(lambda: server.ping().json().get("requests_in_progress") == count, "the requests never arrived")


def refuses_connections(server: ServerProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False
