# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet needs from whatever runs a container: start it, hear its end, stop it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .image import Image

# SageMaker sends SIGTERM, then SIGKILL 30 seconds later.
STOP_GRACE_SECONDS = 30.0


@dataclass(frozen=True)
class ContainerSpec:
    """What to run.

    container_id: names the container's directory and its log stream.
    base_dir: the container's own directory; `base_dir/model` is its /opt/ml/model.
    environment: the Model's, byte for byte.
    platform_environment: what SageMaker sets; it wins over the Model's.
    """

    container_id: str
    image: Image
    base_dir: Path
    environment: Mapping[str, str]
    platform_environment: Mapping[str, str]


class RunningContainer(Protocol):
    """A started container. `port` is where it answers on 127.0.0.1; one of the ids is None."""

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int | None: ...

    @property
    def docker_id(self) -> str | None: ...

    async def wait(self) -> int:
        """Return the exit status, once it has ended."""
        ...

    async def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """SIGTERM, SIGKILL after `grace` seconds, and return when it is gone."""
        ...

    async def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out: nobody expects it."""
        ...


class Runner(Protocol):
    """Starts containers. Raises ImageError where the image cannot be run here."""

    async def start(self, spec: ContainerSpec, log: LogSink) -> RunningContainer: ...


class LogSink(Protocol):
    """Takes what a container writes to its standard output and error."""

    def write(self, chunk: bytes) -> None: ...
