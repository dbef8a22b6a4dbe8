# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a local cloud keeps its things, and what it was told at start."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

BIND_HOST = "127.0.0.1"
DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"

PACKAGE_DIR = Path(__file__).resolve().parent

_CODE_SUFFIXES = frozenset({".py", ".css", ".html", ".json"})

# What a container on AWS would get from its network, not from our shell: kept for downloads behind a proxy.
NETWORK_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)


@dataclass(frozen=True)
class Settings:
    """A local cloud's port and directories.

    home: absolute directory that holds everything this cloud writes.
    venvs: absolute directory of the virtual environments that process images name by label.
    startup_timeout: seconds a container may take to its first good /ping; None means AWS's limits
        (180 for serverless, 480 or the variant's ContainerStartupHealthCheckTimeoutInSeconds for instances).
    docker_host: the Docker engine's address, or None where the user has none.
    time_scale: what the waits that AWS's APIs name in seconds are multiplied by: the waits and the baking of a
        deployment, a scaling policy's cool-downs and periods. 1 is AWS's own pace.
    provisioning_seconds: how long an instance takes to be there before its container starts, minutes on AWS.
    serverless_idle_seconds: how long a serverless container without requests stays warm.
    serverless_containers: how many containers a serverless variant may have at a time; requests beyond that number,
        up to MaxConcurrency, share them. AWS has one for each concurrent request.
    path: where the commands of builds look for programs.
    docker_config: Docker's directory of the person who started the cloud, whose plugins builds use too.
    enforce_iam: whether signatures are checked and every call needs a policy that allows it.
    """

    home: Path
    port: int
    venvs: Path
    startup_timeout: float | None = None
    docker_host: str | None = None
    time_scale: float = 0.01
    provisioning_seconds: float = 0.0
    serverless_idle_seconds: float = 300.0
    serverless_containers: int = 2
    enforce_iam: bool = False
    path: str = os.defpath
    docker_config: str | None = None
    network: dict[str, str] = field(default_factory=dict)

    @property
    def endpoint_url(self) -> str:
        """The one address of this cloud."""
        return f"http://{BIND_HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.home / "cloud.log"

    @property
    def pid_file(self) -> Path:
        return self.home / "cloud.pid"

    @property
    def lock_file(self) -> Path:
        return self.home / "start.lock"

    @property
    def calls_file(self) -> Path:
        return self.home / "calls.jsonl"

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @property
    def ministack_dir(self) -> Path:
        return self.state_dir / "ministack"

    @property
    def s3_dir(self) -> Path:
        return self.state_dir / "s3"

    @property
    def ecr_dir(self) -> Path:
        return self.state_dir / "ecr"

    @property
    def images_dir(self) -> Path:
        return self.home / "images"

    @property
    def endpoints_dir(self) -> Path:
        return self.home / "endpoints"

    @property
    def builds_dir(self) -> Path:
        return self.home / "builds"

    @property
    def stages_dir(self) -> Path:
        return self.home / "stages"

    @property
    def tmp_dir(self) -> Path:
        return self.home / "tmp"

    @cached_property
    def code_digest(self) -> str:
        """16 hex digits that change with this package's code or its requirements; `start` restarts on a change."""
        return digest_of_code(PACKAGE_DIR)

    def make_directories(self) -> None:
        """Create the directories of home, open to the user only."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (
            self.state_dir,
            self.images_dir,
            self.endpoints_dir,
            self.builds_dir,
            self.stages_dir,
            self.tmp_dir,
        ):
            directory.mkdir(exist_ok=True)


# The settings that can be chosen at start and compared with a running cloud's, with their help on the command line.
CHOICES: dict[str, str] = {
    "time_scale": "what waits that AWS names in seconds are multiplied by (%(default)s)",
    "provisioning_seconds": "seconds an instance takes to be there (%(default)s)",
    "serverless_idle_seconds": "seconds without a request after which a serverless container ends (%(default)s)",
    "serverless_containers": "containers a serverless variant may have at a time (%(default)s)",
}


def digest_of_code(package_dir: Path) -> str:
    """16 hex digits over what is read of `package_dir` once per process, and over the requirements.txt beside it."""
    digest = hashlib.sha256()
    files = sorted(file for file in package_dir.rglob("*") if file.suffix in _CODE_SUFFIXES)
    requirements = package_dir.parent / "requirements.txt"
    if requirements.exists():
        files.append(requirements)
    for file in files:
        digest.update(str(file.relative_to(package_dir.parent)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def docker_host_of(environ: Mapping[str, str]) -> str | None:
    """The Docker engine that the environment names, or the default one; None unless something listens there."""
    host = environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        return host
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(host.removeprefix("unix://"))
        except OSError:
            return None
    return host
