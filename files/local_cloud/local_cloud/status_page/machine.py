# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page asks the machine: the memory of processes, the ends of log files, and what a container's /ping says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from pathlib import Path

from ..settings import BIND_HOST
from .page_data import LogTail

TAIL_BYTES = 65536
PING_SECONDS = 0.5

# Colours and cursor movements that programs write to what they take for a terminal, then all other control characters.
_TERMINAL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def memory_of(pid: int) -> int | None:
    """The resident memory of a process in bytes, None where it is not known."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def tail_of(path: Path, title: str, lines: int, href: str | None = None) -> LogTail:
    """At most the last `lines` lines of a file, and of them what stands in its last 64 KB. No file is no line."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            content = file.read()
    except OSError:
        return LogTail(title, str(path), (), True, href)
    read = _TERMINAL.sub("", content.decode(errors="replace").replace("\r\n", "\n")).split("\n")
    if read and not read[-1]:
        read.pop()
    if size > TAIL_BYTES:
        read = read[1:]  # where we began to read was in the middle of a line
    return LogTail(title, str(path), tuple(read[-lines:]), size <= TAIL_BYTES and len(read) <= lines, href)


async def ping(port: int) -> str:
    """What a container that is not healthy answers to GET /ping, in words."""
    try:
        async with asyncio.timeout(PING_SECONDS):
            reader, writer = await asyncio.open_connection(BIND_HOST, port)
            try:
                writer.write(b"GET /ping HTTP/1.1\r\nHost: container\r\nConnection: close\r\n\r\n")
                words = (await reader.readline()).decode("latin-1").split()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        return "/ping does not answer"
    except OSError:
        return f"nothing listens on port {port} yet"
    except ValueError:  # a line without an end
        words = []
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        return "/ping answers something else than HTTP"
    return f"/ping answers {words[1]}"
