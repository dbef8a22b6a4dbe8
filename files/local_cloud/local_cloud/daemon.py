# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the cloud in the background, finds it again, and stops it."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import SERVICE_NAME
from .containers.sweep import sweep, sweep_builds
from .processes import command_line, is_alive
from .settings import BIND_HOST, CHOICES, PACKAGE_DIR, Settings

START_SECONDS = 60.0
# As long as a request in flight may take, then the containers' own time to end.
STOP_SECONDS = 120.0
RETURN_SECONDS = 300.0
_POLL_SECONDS = 0.1
_SPEAK_SECONDS = 5.0
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_LOG_TAIL_LINES = 15


class DaemonError(Exception):
    """Why a start or a stop did not work, in one sentence for people."""


def start(settings: Settings) -> None:
    """Start the cloud unless it runs with this code and these settings. Returns when it answers.

    Raises DaemonError where the port is somebody else's, or the cloud does not come up.
    """
    settings.make_directories()
    with _locked(settings.lock_file):
        running = find(settings)
        if running is not None:
            difference = what_differs(settings, running)
            if difference is None:
                print(f"The local cloud is already running at {settings.endpoint_url} (pid {running['pid']}).")
                return
            print(f"The local cloud runs with {difference}; restarting it, its state is kept.", flush=True)
            stop(settings)
        elif owner_pid(settings) is not None:
            # It lives but does not answer, or moves to another port.
            stop(settings)
        _launch(settings)


def stop(settings: Settings) -> None:
    """Stop the cloud and return when neither it nor a serving process of its is left. Fine where it does not run."""
    pid = owner_pid(settings)
    if pid is None:
        sweep_home(settings)
        print("The local cloud is not running.")
        return
    print(f"Stopping the local cloud (pid {pid}) …", flush=True)
    os.kill(pid, signal.SIGTERM)
    if not _wait(lambda: not is_alive(pid), STOP_SECONDS, f"still stopping (pid {pid})"):
        print(f"It did not stop within {STOP_SECONDS:g} s; ending it.")
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: not is_alive(pid), STOP_SECONDS, f"still ending (pid {pid})")
    sweep_home(settings)
    settings.pid_file.unlink(missing_ok=True)
    print("The local cloud is stopped.")


def status(settings: Settings) -> bool:
    """Print where the cloud is and where its things are; whether it runs."""
    running = find(settings)
    if running is None:
        print(f"The local cloud of {settings.home} is not running.")
        return False
    print(f"The local cloud runs at {settings.endpoint_url} (pid {running['pid']}).")
    print(f"  log       {settings.log_file}")
    print(f"  calls     {settings.endpoint_url}/_local_cloud/calls?since=0 and {settings.calls_file}")
    print(f"  endpoints {running['endpoints']['total']}, below {settings.endpoints_dir}")
    return True


def find(settings: Settings) -> dict[str, Any] | None:
    """The health page of the cloud on the port, or None where nobody answers there, or our own does not answer.

    Raises DaemonError where it is another program, or another home's cloud.
    """
    try:
        running = read_health(settings.port)
    except ConnectionRefusedError:
        return None
    hint = f"stop it, or set local_cloud_port to a free port (it is {settings.port})."
    if running is None:
        pid = owner_pid(settings)
        if pid is not None and str(settings.port) in command_line(pid):
            return None
        raise DaemonError(f"Port {settings.port} of {BIND_HOST} is taken by another program; {hint}")
    if Path(running["home"]) != settings.home:
        raise DaemonError(f"Port {settings.port} is taken by the local cloud of {running['home']}; {hint}")
    return running


def what_differs(settings: Settings, running: dict[str, Any]) -> str | None:
    """What of the running cloud is not as wanted, or None. running: its health page."""
    if running.get("code") != settings.code_digest:
        return "older code"
    if running.get("python") != sys.executable:
        return "another virtual environment"
    if Path(running["venvs"]) != settings.venvs:
        return f"another directory of virtual environments ({running['venvs']})"
    if running.get("startup_timeout") != settings.startup_timeout:
        return "another startup timeout"
    for choice in (*CHOICES, "enforce_iam"):
        if running.get(choice) != getattr(settings, choice):
            return f"{choice} {running.get(choice)}"
    if settings.docker_host and running.get("docker_host") != settings.docker_host:
        return "no Docker engine" if not running.get("docker_host") else "another Docker engine"
    return None


def read_health(port: int) -> dict[str, Any] | None:
    """The health page at a port; None where something else answers. Raises ConnectionRefusedError for nobody."""
    connection = http.client.HTTPConnection(BIND_HOST, port, timeout=10)
    try:
        connection.request("GET", "/_local_cloud/health")
        page = json.loads(connection.getresponse().read())
    except ConnectionRefusedError:
        raise
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return page if isinstance(page, dict) and page.get("service") == SERVICE_NAME else None


def owner_pid(settings: Settings) -> int | None:
    """The pid of this home's cloud, if that process lives and really is it."""
    try:
        pid = int(settings.pid_file.read_text())
    except (OSError, ValueError):
        return None
    arguments = command_line(pid)
    ours = "local_cloud" in arguments and str(settings.home) in arguments
    return pid if ours and is_alive(pid) else None


def sweep_home(settings: Settings) -> None:
    """End serving processes and remove temporary files that outlived the cloud, which happens where it was killed."""
    if settings.endpoints_dir.is_dir():
        sweep(settings.endpoints_dir)
    if settings.builds_dir.is_dir():
        sweep_builds(settings.builds_dir)
    shutil.rmtree(settings.tmp_dir, ignore_errors=True)


def _launch(settings: Settings) -> None:
    print(f"Starting the local cloud at {settings.endpoint_url} …", flush=True)
    if settings.log_file.exists() and settings.log_file.stat().st_size > _LOG_LIMIT_BYTES:
        settings.log_file.replace(settings.log_file.with_suffix(".log.1"))
    with settings.log_file.open("ab") as log:
        process = subprocess.Popen(
            serve_command(settings),
            cwd=PACKAGE_DIR.parent,
            env={
                **settings.network,
                "PATH": os.environ.get("PATH", os.defpath),
                **({"DOCKER_HOST": settings.docker_host} if settings.docker_host else {}),
                **({"DOCKER_CONFIG": settings.docker_config} if settings.docker_config else {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def answers() -> bool:
        if process.poll() is not None:
            tail = _tail(settings.log_file)
            raise DaemonError(f"The local cloud ended while starting. Its log {settings.log_file} ends with:\n{tail}")
        try:
            return read_health(settings.port) is not None
        except ConnectionRefusedError:
            return False

    if not _wait(answers, START_SECONDS, "still starting"):
        process.terminate()
        raise DaemonError(f"The local cloud did not answer within {START_SECONDS:g} s; see {settings.log_file}.")
    _wait_for_endpoints(settings)
    print(f"The local cloud runs at {settings.endpoint_url} (pid {process.pid}, log {settings.log_file}).")


def _wait_for_endpoints(settings: Settings) -> None:
    def returning() -> list[str]:
        names: list[str] = (read_health(settings.port) or {}).get("endpoints", {}).get("returning", [])
        return names

    names = returning()
    if not names:
        return
    print(f"Bringing back {', '.join(names)} …", flush=True)
    if not _wait(lambda: not returning(), RETURN_SECONDS, "still bringing them back"):
        print(f"Not back yet: {', '.join(returning())}. The reason is in {settings.log_file}.")


def serve_command(settings: Settings) -> list[str]:
    """The command that serves with these settings in the foreground."""
    command = [sys.executable, "-m", "local_cloud", "serve", "--home", str(settings.home)]
    command += ["--port", str(settings.port), "--venvs", str(settings.venvs)]
    if settings.startup_timeout is not None:
        command += ["--startup-timeout", str(settings.startup_timeout)]
    for choice in CHOICES:
        command += ["--" + choice.replace("_", "-"), str(getattr(settings, choice))]
    if settings.enforce_iam:
        command.append("--enforce-iam")
    return command


def _wait(condition: Any, seconds: float, still: str) -> bool:
    began = spoke = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now - began > seconds:
            return False
        if now - spoke > _SPEAK_SECONDS:
            print(f"  {still}, {now - began:.0f} s", flush=True)
            spoke = now
        time.sleep(_POLL_SECONDS)
    return True


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One start at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
