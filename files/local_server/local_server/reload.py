# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a new server beside the old one when a file changes, and takes the old one away once the new one answers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterable, Callable, Iterable
from pathlib import Path
from typing import Protocol

from local_server.front import Front
from local_server.log_lines import readable

# As long as SageMaker leaves a container between SIGTERM and SIGKILL.
STOP_SECONDS = 30
# Files of a model directory that the server itself writes, or that no server reads.
_NOT_WATCHED = ("__pycache__", "lib", ".git")


class Launch(Protocol):
    """How a server is started on a port: `launch.Process` or `launch.Container`."""

    def command(self, port: int) -> list[str]: ...

    def environment(self, port: int) -> dict[str, str]: ...


class Reloader:
    """Keeps one server live behind the front, and replaces it when told that files have changed."""

    def __init__(self, launch: Launch, directory: Path, front: Front, say: Callable[[str], None]) -> None:
        """Args: directory: where the server's command runs."""
        self._launch = launch
        self._directory = directory
        self._front = front
        self._say = say
        self._live: Process | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, changes: AsyncIterable[Iterable[Path]], ready: Callable[[], None]) -> None:
        """Start the server, and again at every change, until cancelled. `ready` is called each time one answers."""
        attempt = asyncio.create_task(self._replace(ready))
        try:
            async for paths in changes:
                names = sorted({path.name for path in paths})
                shown = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
                self._say(f"{shown} changed: starting a new server beside the old one.")
                await _cancelled(attempt)
                attempt = asyncio.create_task(self._replace(ready))
        finally:
            await _cancelled(attempt)
            await self._stop(self._live)
            for task in list(self._tasks):
                await task

    async def _replace(self, ready: Callable[[], None]) -> None:
        """Start a server; where it answers /ping, send callers to it and let the old one finish."""
        port = _free_port()
        command = self._launch.command(port)
        try:
            started = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._directory,
                env=self._launch.environment(port),
                stdout=PIPE,
                stderr=STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._failed(f"{command[0]} cannot be run: {error.strerror}.")
            return
        self._in_background(self._follow(started))
        try:
            while not await _healthy(port):
                if started.returncode is not None:
                    self._failed(f"The new server ended with status {started.returncode}; the lines above say why.")
                    return
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            await self._stop(started)
            raise
        old, self._live = self._live, started
        self._front.target = port
        ready()
        # Not waited for: another change may come while the old one finishes its last answers.
        self._in_background(self._stop(old))

    def _failed(self, sentence: str) -> None:
        if self._live is not None and self._live.returncode is None:
            self._say(f"{sentence} The old one goes on serving. Save again to try again.")
        else:
            self._front.reason = f"{sentence} Change a file to try again."
            self._say(f"{sentence} Nothing is served until a file is saved.")

    async def _follow(self, process: Process) -> None:
        """Print a server's log; and where the live one ends by itself, say so."""
        if process.stdout is None:
            return
        # Read in pieces: readline() fails at a line longer than its limit.
        rest = b""
        while piece := await process.stdout.read(1 << 16):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                text = readable(line.decode("utf-8", errors="replace"))
                if text is not None:
                    self._say(text)
        status = await process.wait()
        if process is self._live:
            self._live, self._front.target = None, None
            self._failed(f"The server ended with status {status}.")

    async def _stop(self, process: Process | None) -> None:
        if process is None or process.returncode is not None:
            return
        if process is self._live:
            self._live = None
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)
                return

    def _in_background(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def is_watched(path: Path, roots: Iterable[Path]) -> bool:
    """Whether a change of this file is one of the server: not of what Python or pip write below the roots."""
    for root in roots:
        if path.is_relative_to(root):
            parts = path.relative_to(root).parts
            return not any(part in _NOT_WATCHED or part.endswith((".pyc", "~", ".swp")) for part in parts)
    return False


async def _healthy(port: int) -> bool:
    """Whether /ping answers 200: any SageMaker container has it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        writer.write(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        status = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        return status.split()[1:2] == [b"200"]
    return False


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
