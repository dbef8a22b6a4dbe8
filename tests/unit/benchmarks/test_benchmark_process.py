# SPDX-License-Identifier: GPL-3.0-or-later
"""A server is measured with all its processes, and none of them outlives its measurement."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmark_process import ServerError, ServerProcess, free_port
from benchmark_report import render
from benchmark_requirements import FP32, INT8
from benchmark_run import read_arguments
from benchmark_servers import KINDS, check_precision, find

# Answers the third request and those after it, and has a child that holds 30 MB and takes no notice of SIGTERM.
SERVER = """
import http.server, json, os, signal, sys, time
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    held = bytearray(os.urandom(1 << 20) * 30)
    while True: time.sleep(1)
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global asked
        asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"predictions": [asked]}).encode()
        self.send_response(200 if asked > 2 else 503)
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *arguments): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], ServerProcess]]:
    started: list[ServerProcess] = []

    def run(program: str) -> ServerProcess:
        environment = {**os.environ, "SAGEMAKER_BIND_TO_PORT": str(free_port())}
        started.append(ServerProcess([sys.executable, "-c", program], environment, tmp_path, tmp_path / "log"))
        return started[-1]

    yield run
    for server in started:
        server.stop()


def test_the_first_answer_is_the_first_with_status_200(start: Callable[[str], ServerProcess]) -> None:
    seconds, answer = start(SERVER).first_answer(b"{}")
    assert answer == {"predictions": [3]}
    assert seconds > 0


def test_memory_and_processor_time_are_those_of_all_processes(start: Callable[[str], ServerProcess]) -> None:
    server = start(SERVER)
    server.first_answer(b"{}")
    server.settle()
    assert len(server.pids()) == 2
    assert server.memory().pss > 30_000_000
    assert server.cpu_seconds() > 0


def test_a_child_that_does_not_want_to_end_is_ended(start: Callable[[str], ServerProcess]) -> None:
    server = start(SERVER)
    server.first_answer(b"{}")
    server.stop()
    assert server.pids() == []


def test_a_server_that_ends_is_told_with_its_last_words(start: Callable[[str], ServerProcess]) -> None:
    server = start("import sys; sys.exit('There is no model.')")
    with pytest.raises(ServerError, match=r"There is no model\."):
        server.first_answer(b"{}")


def test_a_server_can_be_compared_with_itself_under_other_settings() -> None:
    other = find(f"{INT8}:SERVING_BATCH_WAIT_MS=0,SERVING_THREADS=1")
    assert other.settings == {"SERVING_BATCH_WAIT_MS": "0", "SERVING_THREADS": "1"}
    assert other.model == KINDS[INT8].model
    rounds = {"rps": [10.0], "p50": [1.0], "p99": [1.0], "pooled": {"p50": 1.0, "p99": 1.0}}
    servers = {INT8: rounds, other.name: {**rounds, "rps": [12.0]}}
    results = {"started": "2026-11-24", "servers": list(servers), "cells": {"mixed-8": {"servers": servers}}}
    assert f"**{other.title} beside {KINDS[INT8].title}**" in render(results)


def test_a_graph_in_fp32_is_not_measured_under_the_name_of_int8(tmp_path: Path) -> None:
    (tmp_path / "compilation.json").write_text('{"precision": "fp32", "reason": "int8 does not agree."}')
    with pytest.raises(ServerError, match=r"in fp32, not int8: int8 does not agree\."):
        check_precision(tmp_path, KINDS[INT8])
    check_precision(tmp_path, KINDS[FP32])


def test_a_server_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--servers", "compiled-int8 nothing"])
    assert "'nothing' is none of" in capsys.readouterr().err
