# SPDX-License-Identifier: GPL-3.0-or-later
"""What SageMaker asks of an image: of what it is, of the port it listens on, and of how it ends."""

from __future__ import annotations

import http.client
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from contract_image import manifest_problems, platform_problems, secret_problems, size_problems
from contract_subject import OPTIONS, STOP_SECONDS, Container

pytestmark = [pytest.mark.contract, pytest.mark.image]

OTHER_PORT = 9099
CALLERS = 16
# What was sent this long before SIGTERM is in the server's hands and no longer on its way.
IN_HAND_SECONDS = 0.02


@pytest.fixture(scope="module")
def image(engine: Any) -> Any:
    return engine.images.get(OPTIONS.image)


@pytest.fixture
def other(engine: Any) -> Iterator[Container]:
    """A second container, which listens on another port and is stopped by the test."""
    container = Container(engine, OTHER_PORT)
    try:
        yield container
    finally:
        container.remove()


def test_the_image_is_for_the_right_processor(image: Any) -> None:
    assert not platform_problems(image.attrs, OPTIONS.platform)


def test_the_image_is_not_too_large_for_a_serverless_endpoint(image: Any) -> None:
    assert not size_problems(image.attrs)


def test_the_image_is_one_manifest_and_no_index(engine: Any, image: Any) -> None:
    assert not manifest_problems(media_types(engine, image))


def test_the_image_holds_no_secret(image: Any) -> None:
    assert not secret_problems(image.attrs, [step["CreatedBy"] for step in image.history()])


def test_the_image_listens_on_the_port_that_sagemaker_names(other: Container) -> None:
    other.await_health()
    assert other.invoke().status == 200


def test_sigterm_ends_it_in_time_and_what_was_in_hand_is_answered(other: Container) -> None:
    other.await_health()
    assert other.invoke().status == 200
    callers = [Caller(other) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    while not all(caller.answered for caller in callers):
        assert other.is_running()
        time.sleep(0.01)
    other.terminate()
    signalled = time.monotonic()
    status = other.wait(STOP_SECONDS)
    for caller in callers:
        caller.stop = True
        caller.join()
    assert status is not None, f"It still ran {STOP_SECONDS:.0f} s after SIGTERM; SageMaker would kill it."
    assert status == 0, f"It ended with status {status} after SIGTERM.\n{other.log()}"
    lost = [caller for caller in callers if caller.lost_at is not None and caller.lost_at < signalled - IN_HAND_SECONDS]
    assert not lost, f"{len(lost)} of {CALLERS} requests were in hand at SIGTERM and got no answer."


class Caller(threading.Thread):
    """Asks again and again on one connection. lost_at: when the request was sent that got no 200, if there is one."""

    def __init__(self, server: Container) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.stop = False
        self.answered = 0
        self.lost_at: float | None = None

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=STOP_SECONDS)
        while not self.stop:
            sent = time.monotonic()
            try:
                connection.request("POST", "/invocations", OPTIONS.request, {"Content-Type": OPTIONS.content_type})
                sent = time.monotonic()
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                self.lost_at = sent
                return
            if response.status != 200:
                self.lost_at = sent
                return
            self.answered += 1


def media_types(engine: Any, image: Any) -> list[str]:
    """The media types of what the engine keeps under the image's name. Only containerd's image store has indexes."""
    if not any("io.containerd.snapshotter" in str(line) for line in engine.info().get("DriverStatus") or ()):
        return []
    with Stream(image.save()) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for entry in archive:
            if entry.name == "index.json":
                content = archive.extractfile(entry)
                return [each["mediaType"] for each in json.load(content)["manifests"]] if content else []
    return []


class Stream:
    """An iterator of bytes as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        wanted, self._rest = self._rest[:size], self._rest[size:]
        return wanted
