# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes what a cloud that was killed left behind: serving processes, and directories of containers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
from pathlib import Path

from ..processes import is_alive, start_time

# In each container's directory while its process lives: {"pid": ..., "start_time": ...}.
RECORD_NAME = "container.json"

logger = logging.getLogger("local_cloud.sweep")


def sweep(endpoints_dir: Path) -> None:
    """End every recorded process that is still the one we started, and remove all container files but logs."""
    for record in endpoints_dir.glob(f"*/*/{RECORD_NAME}"):
        end_recorded_process(record)
    for endpoint in endpoints_dir.iterdir():
        for directory in endpoint.iterdir():
            if directory.name.startswith("model-"):
                shutil.rmtree(directory, ignore_errors=True)
                continue
            for leftover in directory.iterdir():
                if leftover.name != "container.log":
                    shutil.rmtree(leftover, ignore_errors=True)


def sweep_builds(builds_dir: Path) -> None:
    """End every recorded process of a build, and remove the builds' directories."""
    for record in builds_dir.glob(f"*/{RECORD_NAME}"):
        end_recorded_process(record)
    for directory in builds_dir.iterdir():
        shutil.rmtree(directory, ignore_errors=True)


def end_recorded_process(record: Path) -> None:
    """Kill the process group that a container.json names, if its leader is still the process that was started."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        content = json.loads(record.read_text())
        pid = int(content["pid"])
        if is_alive(pid) and start_time(pid) == content["start_time"]:
            logger.warning("ending the serving process %d that an earlier run left behind", pid)
            os.killpg(pid, signal.SIGKILL)
    record.unlink(missing_ok=True)
