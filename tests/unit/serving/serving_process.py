# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server, started as a process on a free port, and what it answers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
CONTEXT = REPOSITORY / "files" / "docker"

# How long to wait for something that must come before the test counts as hung. Not a statement about speed.
PATIENCE = 120


class Answer:
    """An HTTP answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def predictions(self) -> Any:
        assert self.status == 200, self.body
        return self.json()["predictions"]

    @property
    def error(self) -> dict[str, str]:
        """The error, after checking that it has the one shape all errors have."""
        document = self.json()
        assert set(document) == {"error"}, document
        assert set(document["error"]) == {"code", "message"}, document
        assert document["error"]["message"].endswith("."), document
        assert "Traceback" not in document["error"]["message"]
        return document["error"]


class ServerProcess:
    """`python -m serving serve`, with its log read as it is written."""

    def __init__(self, base_dir: Path, context: Path = CONTEXT, **environment: str) -> None:
        ours = ("SERVING_", "HF_", "SAGEMAKER_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving", "serve"],
            cwd=context,
            env={
                **inherited,
                "PYTHONDONTWRITEBYTECODE": "1",
                "SAGEMAKER_BASE_DIR": str(base_dir),
                "SAGEMAKER_BIND_TO_PORT": "0",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, take))
            for stream, take in (
                (self.process.stdout, lambda line: self.log.append(json.loads(line))),
                (self.process.stderr, self.errors.append),
            )
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, take: Callable[[str], object]) -> None:
        for line in stream:
            with self._changed:
                take(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first line of the log with this event."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                for line in self.log:
                    if line["event"] == event:
                        return line
                ended = self.process.poll() is not None and not any(reader.is_alive() for reader in self._readers)
                if ended or time.monotonic() > deadline:
                    raise AssertionError(f"no {event} in {self.log} {self.errors}")
                self._changed.wait(0.2)

    def wait_until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition that only asking again can tell."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{otherwise}: {self.log} {self.errors}"
            time.sleep(0.01)

    @property
    def port(self) -> int:
        return self.wait_for("listening")["port"]

    def ready(self) -> ServerProcess:
        self.wait_for("model_ready")
        return self

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ping(self) -> Answer:
        return self.request("GET", "/ping")

    def invoke(self, document: Any, content_type: str = "application/json") -> Answer:
        return self.invoke_raw(json.dumps(document).encode(), content_type)

    def invoke_raw(self, body: bytes, content_type: str = "application/json") -> Answer:
        return self.request("POST", "/invocations", body, {"Content-Type": content_type})

    def in_background(self, document: Any) -> Pending:
        """Send a request and do not wait for its answer."""
        return Pending(self, document)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self) -> int:
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.exit_status()


class Pending:
    """An answer that is still to come."""

    def __init__(self, server: ServerProcess, document: Any) -> None:
        self._connection = server.connect()
        body = json.dumps(document).encode()
        self._connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})

    def leave(self) -> None:
        """Close the connection and wait for nothing."""
        self._connection.close()

    def answer(self) -> Answer:
        try:
            return Answer(self._connection.getresponse())
        finally:
            self._connection.close()
