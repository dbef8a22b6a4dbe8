# SPDX-License-Identifier: GPL-3.0-or-later
"""How the server is started: as a process, or as a container of an image. Both are commands that end at SIGTERM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# A variable with one of these beginnings is meant for the server; a container gets no others.
PREFIXES = ("SERVING_", "HF_", "SAGEMAKER_")


@dataclass(frozen=True)
class Process:
    """`python -m serving serve` in the image's build context.

    context: files/docker, or a directory like it.
    python: of an environment that has what the runtime needs.
    """

    context: Path
    python: Path
    model: Path
    settings: Mapping[str, str]

    def command(self, port: int) -> list[str]:
        """What to run."""
        return [str(self.python), "-m", "serving", "serve"]

    def environment(self, port: int) -> dict[str, str]:
        """This process's own, and where to listen and what to serve."""
        place = {"SAGEMAKER_BIND_TO_PORT": str(port), "SERVING_HOST": "127.0.0.1", "SERVING_MODEL_DIR": str(self.model)}
        return {**os.environ, **self.settings, **place, "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Container:
    """`docker run IMAGE serve`, reachable on the loopback address only.

    source: files/docker/serving, laid over that of an image of this project; None leaves the image as it is.
    """

    image: str
    model: Path
    settings: Mapping[str, str]
    source: Path | None = None

    def command(self, port: int) -> list[str]:
        """What to run."""
        command = ["docker", "run", "--rm", "--init", "--publish", f"127.0.0.1:{port}:8080"]
        command += ["--volume", f"{self.model}:/opt/ml/model:ro"]
        if self.source is not None:
            command += ["--volume", f"{self.source}:/program/serving:ro"]
        # An image that has a model baked in would serve that one; other images take no notice.
        for name, value in {**self.settings, "SERVING_MODEL_DIR": "/opt/ml/model"}.items():
            command += ["--env", f"{name}={value}"]
        return [*command, self.image, "serve"]

    def environment(self, port: int) -> dict[str, str]:
        """That of the docker command."""
        return dict(os.environ)


def settings_from(environ: Mapping[str, str], task: str) -> dict[str, str]:
    """What the server is told: the variables meant for it, the task, and a log that helps whoever writes a handler."""
    settings = {name: value for name, value in environ.items() if name.startswith(PREFIXES)}
    settings.setdefault("SERVING_LOG_LEVEL", "debug")
    return settings | ({"HF_TASK": task} if task else {})
