# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions about processes by pid: is it alive, and is it really the one we mean."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether a process with this pid exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = _stat(pid)
    return stat is None or stat[0] != "Z"


def start_time(pid: int) -> str | None:
    """When the process started, in the system's own terms: the same answer twice means the same process."""
    stat = _stat(pid)
    return stat[19] if stat else _ps(pid, "lstart")


def command_line(pid: int) -> list[str]:
    """The process's arguments; empty where there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        except OSError:
            return []
    return (_ps(pid, "command") or "").split()


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the command's name (state is the first), or None without /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _ps(pid: int, field: str) -> str | None:
    try:
        answer = subprocess.run(["ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() or None
