# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a process image: the image's own code, as a process under the container contract."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from ..ministack_backend import Ministack
from ..processes import start_time
from ..settings import BIND_HOST, Settings
from .image import LABEL_VENV, ImageError, unpack_process_image
from .runner import STOP_GRACE_SECONDS, ContainerSpec, LogSink
from .sweep import RECORD_NAME

_SHIM = Path(__file__).with_name("exec_with_parent.py")


class ProcessRunner:
    """Starts process images with the virtual environment that their label names."""

    def __init__(self, settings: Settings, ministack: Ministack) -> None:
        self._settings = settings
        self._ministack = ministack

    async def start(self, spec: ContainerSpec, log: LogSink) -> RunningProcess:
        """Start the image's command in its unpacked context. Raises ImageError where something it needs is missing."""
        context = await unpack_process_image(self._ministack, spec.image, self._settings.images_dir)
        python = venv_python(self._settings.venvs, spec.image.labels.get(LABEL_VENV, ""))
        command = spec.image.command
        if not command:
            raise ImageError("The image has no command.")
        port = free_port()
        tmp = spec.base_dir / "tmp"
        tmp.mkdir(parents=True, exist_ok=True)
        (spec.base_dir / "model").mkdir(exist_ok=True)
        argv = [str(python) if command[0] == "python" else command[0], *command[1:]]
        reader, writer = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(_SHIM),
                str(os.getpid()),
                *argv,
                cwd=context,
                env=process_environment(spec, self._settings, context, python, port),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                start_new_session=True,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        record = {"pid": process.pid, "start_time": start_time(process.pid)}
        (spec.base_dir / RECORD_NAME).write_text(json.dumps(record))
        return RunningProcess(process, port, spec.base_dir, reader, log)


class RunningProcess:
    """A serving process, the leader of its own process group."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, base_dir: Path, output: int, log: LogSink
    ) -> None:
        self.port = port
        self.pid = process.pid
        self.docker_id = None
        self._process = process
        self._base_dir = base_dir
        self._output = output
        self._log = log
        os.set_blocking(output, False)
        asyncio.get_running_loop().add_reader(output, self._read)
        self._ended = asyncio.create_task(self._follow())

    async def wait(self) -> int:
        """Return the exit status, once the process has ended and all it wrote is in the log."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """SIGTERM, SIGKILL to the whole group after `grace` seconds, and return when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._ended), grace)
        if not self._ended.done():
            self._kill_group()
        await asyncio.shield(self._ended)

    async def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._kill_group()

    async def _follow(self) -> int:
        status = await self._process.wait()
        self._kill_group()
        self._read()
        asyncio.get_running_loop().remove_reader(self._output)
        os.close(self._output)
        (self._base_dir / RECORD_NAME).unlink(missing_ok=True)
        return status

    def _read(self) -> None:
        # At most 1 MB a turn: a process that never stops writing must not hold up the event loop.
        for _ in range(16):
            try:
                chunk = os.read(self._output, 65536)
            except BlockingIOError:
                return
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._output)
                return
            self._log.write(chunk)

    def _kill_group(self) -> None:
        # Children that the process left behind share its group, whose id is not reused while they live.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def process_environment(
    spec: ContainerSpec, settings: Settings, context: Path, python: Path, port: int
) -> Mapping[str, str]:
    """The environment of a serving process: the Model's, under what SageMaker and this machine decide."""
    return {
        # The cloud has one download cache for all processes, unless the Model says otherwise. On AWS every
        # container downloads for itself.
        "HF_HOME": str(settings.home / "huggingface"),
        "LANG": "C.UTF-8",
        **settings.network,
        **spec.image.environment,
        **spec.environment,
        **spec.platform_environment,
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(spec.base_dir),
        "TMPDIR": str(spec.base_dir / "tmp"),
        "PYTHONPATH": str(context),
        "PYTHONUNBUFFERED": "1",
        "SERVING_HOST": BIND_HOST,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_BASE_DIR": str(spec.base_dir),
    }


def venv_python(venvs: Path, name: str) -> Path:
    """The Python of the virtual environment that a label names. Raises ImageError unless it is there and complete."""
    if not name or "/" in name or name.startswith("."):
        raise ImageError(f"The image's label {LABEL_VENV} names no virtual environment: {name!r}.")
    venv = venvs / name
    if not (venv / ".complete").exists():
        raise ImageError(f"The image's virtual environment {venv} is not complete; deploy the stage again.")
    return venv / "bin" / "python"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((BIND_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
