# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a script of a build as a process group that can be ended, and ends with the local cloud."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import containers
from ..containers.sweep import RECORD_NAME
from ..processes import start_time

_SHIM = Path(containers.__file__).with_name("exec_with_parent.py")
_CHUNK = 65536
# What a command left running in the background may hold the output open for, once the script has ended.
_OUTPUT_SECONDS = 1.0


async def run_script(
    shell: str, script: Path, environment: Mapping[str, str], directory: Path, write: Callable[[bytes], None]
) -> int:
    """Run a script and return its exit status. write: is given its output.

    directory: the build's own; while the script runs, a record of its process is there, for a cloud that is killed.
    Where this is cancelled, the whole process group is killed first.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(_SHIM),
        str(os.getpid()),
        shell,
        str(script),
        cwd=directory,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    record = directory / RECORD_NAME
    record.write_text(json.dumps({"pid": process.pid, "start_time": start_time(process.pid)}))
    reading = asyncio.create_task(_read(process.stdout, write))
    try:
        status = await process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reading), _OUTPUT_SECONDS)
        return status
    finally:
        # What the script left running goes with it, as a build's host does on AWS.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await process.wait()
        record.unlink(missing_ok=True)


async def _read(stream: asyncio.StreamReader | None, write: Callable[[bytes], None]) -> None:
    while stream and (chunk := await stream.read(_CHUNK)):
        write(chunk)
