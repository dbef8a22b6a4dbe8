# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract is put to: a container of an image, started as SageMaker starts it, or a server at a URL."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).parents[2]

# SageMaker's limits: the answer to /ping within 2 seconds, and the first good one within 3 minutes on serverless
# endpoints (developer guide, "Use Your Own Inference Code with Hosting Services" and "Serverless Inference").
PING_SECONDS = 2.0
START_SECONDS = 180.0
# A request may take 60 seconds (same page); a container gets 30 between SIGTERM and SIGKILL.
REQUEST_SECONDS = 60.0
STOP_SECONDS = 30.0

DEFAULT_MODEL = REPOSITORY / "files" / "model" / "distilbert-demo"
DEFAULT_REQUEST = b'{"inputs": ["I love dogs.", "I am not fond of cats though."]}'


@dataclass(frozen=True)
class Options:
    """What `make contract` was given. environment: what the container gets on top of what SageMaker sets."""

    image: str | None
    url: str | None
    model: Path
    request: bytes
    content_type: str
    platform: str
    environment: Mapping[str, str]

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Options:
        """From variables named CONTRACT_*; one that is empty counts as not set."""
        given = {name.removeprefix("CONTRACT_"): value for name, value in environ.items() if value}
        pairs = (pair.partition("=") for pair in given.get("ENV", "").split())
        return cls(
            image=given.get("IMAGE"),
            url=given.get("URL"),
            model=Path(given.get("MODEL", DEFAULT_MODEL)).resolve(),
            request=Path(given["REQUEST"]).read_bytes() if "REQUEST" in given else DEFAULT_REQUEST,
            content_type=given.get("CONTENT_TYPE", "application/json"),
            platform=given.get("PLATFORM", "linux/amd64"),
            environment={name: value for name, _, value in pairs},
        )


OPTIONS = Options.read(os.environ)


@dataclass(frozen=True)
class Answer:
    """status: of HTTP. seconds: from before the connection was made to after the last byte was read."""

    status: int
    body: bytes
    seconds: float


class Server:
    """Something that answers HTTP at an address."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "",
        timeout: float = REQUEST_SECONDS,
    ) -> Answer:
        """One request on a connection of its own. Raises OSError or http.client.HTTPException where none answers."""
        began = time.monotonic()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
            response = connection.getresponse()
            return Answer(response.status, response.read(), time.monotonic() - began)
        finally:
            connection.close()

    def ping(self, timeout: float = PING_SECONDS) -> Answer:
        return self.ask("GET", "/ping", timeout=timeout)

    def invoke(self, body: bytes | None = None, content_type: str | None = None) -> Answer:
        """The request that was given, or another body."""
        kind = OPTIONS.content_type if content_type is None else content_type
        return self.ask("POST", "/invocations", OPTIONS.request if body is None else body, kind)

    def await_health(self, still_there: Any = lambda: True) -> None:
        """Ask /ping until it is 200; fails after SageMaker's 3 minutes, or when `still_there` says no."""
        deadline = time.monotonic() + START_SECONDS
        last: object = "nothing was asked"
        while time.monotonic() < deadline:
            assert still_there(), f"The container ended before /ping was 200. Its log:\n{self.log()}"
            try:
                answer = self.ping()
            except (OSError, http.client.HTTPException) as error:
                last = error
            else:
                if answer.status == 200:
                    return
                last = answer
            time.sleep(0.05)
        raise AssertionError(f"/ping was not 200 within {START_SECONDS:.0f} s: {last}\n{self.log()}")

    def log(self) -> str:
        return ""


class Url(Server):
    """A server that somebody else started."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"//{url}")
        super().__init__(parts.hostname or "127.0.0.1", parts.port or 8080)


class Container(Server):
    """`docker run IMAGE serve` as SageMaker may do it: any user, a read-only disk with a writable /tmp."""

    def __init__(self, engine: Any, port: int = 8080) -> None:
        self._container = engine.containers.run(
            OPTIONS.image,
            ["serve"],
            detach=True,
            read_only=True,
            tmpfs={"/tmp": ""},
            user="12345:12345",
            platform=OPTIONS.platform,
            environment={**({"SAGEMAKER_BIND_TO_PORT": str(port)} if port != 8080 else {}), **OPTIONS.environment},
            volumes={str(OPTIONS.model): {"bind": "/opt/ml/model", "mode": "ro"}},
            ports={f"{port}/tcp": ("127.0.0.1", None)},
        )
        self._container.reload()
        published = self._container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp") or [{"HostPort": "0"}]
        super().__init__("127.0.0.1", int(published[0]["HostPort"]))

    def await_health(self, still_there: Any = None) -> None:
        super().await_health(still_there or self.is_running)

    def is_running(self) -> bool:
        self._container.reload()
        return str(self._container.status) == "running"

    def terminate(self) -> None:
        self._container.kill("SIGTERM")

    def wait(self, seconds: float) -> int | None:
        """The exit status, or None where it still runs after that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.is_running():
                return int(self._container.attrs["State"]["ExitCode"])
            time.sleep(0.1)
        return None

    def log(self) -> str:
        text: bytes = self._container.logs(tail=20)
        return text.decode(errors="replace")

    def remove(self) -> None:
        self._container.remove(force=True)


def is_json(body: bytes) -> bool:
    """Whether some bytes are JSON."""
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
