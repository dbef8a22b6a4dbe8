# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a local cloud for tests, the way the role starts one, and talks to it."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCE = REPOSITORY / "files" / "local_cloud"


def cloud_python() -> Path:
    """The Python of the local cloud's virtual environment, which is made where it is missing.

    LOCAL_CLOUD_PYTHON names one to use instead.
    """
    if "LOCAL_CLOUD_PYTHON" in os.environ:
        return Path(os.environ["LOCAL_CLOUD_PYTHON"])
    requirements = SOURCE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    directory = REPOSITORY / ".local_cloud" / "venvs" / f"cloud-{digest}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Tests run side by side, some of them by the role, whose module requirements_venv takes the same lock.
    with (directory.parent / f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / ".complete").exists():
            venv.create(directory, with_pip=True, clear=True)
            python = str(directory / "bin" / "python")
            pip = [python, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
            subprocess.run(pip, check=True)
            (directory / ".complete").touch()
    return directory / "bin" / "python"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked for its exit status yet has ended, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@dataclass
class LocalCloud:
    """A local cloud with a home of its own."""

    home: Path
    venvs: Path
    port: int
    startup_timeout: float | None = None
    access_key: str = "000000000000"
    docker_host: str | None = None
    # More options of the command line, such as ("--time-scale", "0.001").
    options: tuple[str, ...] = ()

    def command(
        self, name: str, *, port: int | None = None, home: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m local_cloud <name>`."""
        argv = [str(cloud_python()), "-m", "local_cloud", name]
        argv += ["--home", str(home or self.home), "--port", str(port or self.port), "--venvs", str(self.venvs)]
        if self.startup_timeout is not None:
            argv += ["--startup-timeout", str(self.startup_timeout)]
        argv += self.options
        environment = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": "of-the-person-who-starts-it"}
        environment["DOCKER_HOST"] = self.docker_host or "unix:///no/engine.sock"
        if self.docker_host and "DOCKER_CONFIG" in os.environ:
            environment["DOCKER_CONFIG"] = os.environ["DOCKER_CONFIG"]
        return subprocess.run(argv, cwd=SOURCE, env=environment, capture_output=True, text=True, check=False)

    def start(self) -> str:
        done = self.command("start")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> str:
        done = self.command("stop")
        assert done.returncode == 0, done.stdout + done.stderr
        self.__dict__.pop("_clients", None)
        return done.stdout

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        """The JSON at one of the cloud's own pages."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path)
        content = json.loads(connection.getresponse().read())
        connection.close()
        return content

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """A boto3 client that never tries twice, so that a test sees every refusal."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=self.access_key,
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32),
            )
        return self._clients[service]

    def serving_processes(self) -> list[int]:
        """The pids of serving processes that this cloud started and that live."""
        pids = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                environment = (directory / "environ").read_bytes()
            except OSError:
                continue
            if f"SAGEMAKER_BASE_DIR={self.home}/".encode() in environment:
                pids.append(int(directory.name))
        return pids


TEST_PYTHON = sys.executable
