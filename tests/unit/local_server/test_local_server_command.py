# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make serve` runs, with the real server and the demonstration model."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE = 120


class Command:
    """`python -m local_server`, with a copy of the image's context to change, and the lines it prints."""

    def __init__(self, context: Path, *arguments: str) -> None:
        self.context = context
        # The server's environment is this one, which has what the compiled runtime needs.
        launcher = (
            "import sys; from pathlib import Path; import local_server.__main__ as m; r = Path(sys.argv.pop(1)); "
            "m.REPOSITORY = r; sys.exit(m.main())"
        )
        venvs = context.parent / "venvs"
        (venvs / ".venv-compiled" / "bin").mkdir(parents=True)
        python = venvs / ".venv-compiled" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="ascii")
        python.chmod(0o755)
        model = REPOSITORY / "files" / "model" / "distilbert-demo"
        options = ("--port", "0", "--context", str(context), "--model", str(model), *arguments)
        self.process = subprocess.Popen(
            [sys.executable, "-c", launcher, str(venvs), *options],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "files" / "local_server"), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)
        return found

    def until_said(self, words: str, after: int = 0) -> str:
        return self.until(lambda: next((line for line in self.lines[after:] if words in line), ""))

    @property
    def port(self) -> int:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.until_said("Serving on"))
        assert found
        return int(found[1])

    def invoke(self) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps({"inputs": ["I love dogs.", "I am not fond of cats though."]})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(PATIENCE)
        self._reader.join()
        return status


@pytest.fixture
def context(tmp_path: Path) -> Path:
    copied = tmp_path / "context"
    shutil.copytree(REPOSITORY / "files" / "docker", copied, ignore=shutil.ignore_patterns("__pycache__"))
    return copied


@pytest.fixture
def command(context: Path) -> Iterator[Command]:
    running = Command(context)
    yield running
    if running.process.poll() is None:
        running.end()


def test_the_real_server_is_served_and_reloaded(command: Command) -> None:
    assert command.invoke() == (200, {"predictions": ["POSITIVE", "NEGATIVE"]})
    assert command.until_said("curl http://127.0.0.1:")
    handler = command.context / "serving" / "model_handler.py"
    good = handler.read_text(encoding="utf-8")

    handler.write_text(good + "\ndef broken(:\n", encoding="utf-8")
    command.until_said("The old one goes on serving")
    assert command.invoke()[0] == 200

    before = len(command.lines)
    handler.write_text(good + "\n# mended\n", encoding="utf-8")
    command.until_said("The new server is live.", before)
    assert command.invoke() == (200, {"predictions": ["POSITIVE", "NEGATIVE"]})
    assert command.end() == 0


def test_a_port_that_is_taken_is_one_sentence(context: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        command = Command(context, "--port", number)
        assert command.process.wait(PATIENCE) == 1
    assert command.until_said("taken") == f"Port {number} is taken. Choose another: make serve PORT=8081"
    assert not any("Traceback" in line for line in command.lines)


def test_a_model_directory_that_is_missing_is_one_sentence(context: Path, tmp_path: Path) -> None:
    command = Command(context, "--model", str(tmp_path / "nothing"))
    assert command.process.wait(PATIENCE) == 1
    command.until_said("There is no model directory")
    assert not any("Traceback" in line for line in command.lines)
