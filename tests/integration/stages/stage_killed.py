# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbook runs that are killed at a call, as by a power cut."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from stage_project import BIN, Project

#: The account of a local stage is also the access key of all calls of its runs.
ACCOUNT = "000000000000"


def keep_cloud(project: Project) -> None:
    """Enter a stage of nobody's with the project's local cloud, which then outlives a teardown."""
    stages = project.root / ".local_cloud" / str(project.port) / "stages"
    stages.mkdir(parents=True, exist_ok=True)
    (stages / "nobody").touch()


def calls_of(project: Project, since: int) -> int:
    """How many calls runs made since."""
    return sum(call["access_key"] == ACCOUNT and call["access"] != "data" for call in project.calls(since))


def faults(project: Project, method: str = "GET", page: str = "", content: Any = None) -> Any:
    """Talk to the faults' page of the project's local cloud."""
    url = f"{project.endpoint_url}/_local_cloud/faults{page}"
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def play_killed(project: Project, playbook: str, stage: str, number: int, *, answered: bool) -> bool:
    """Run a playbook and kill it at one of its calls; C(False) where it ended before that call came.

    The call is held back before its work, or where it is C(answered) after the work and before the answer, and then
    everything that the run has started is killed.
    """
    scope = {"access_key": ACCOUNT, "nth": number, "after_work": answered, "id": "here"}
    faults(project, "POST", content={"kind": "hold", **scope})
    run = subprocess.Popen(
        [str(BIN / "ansible-playbook"), f"{playbook}.yml", "-i", f"inventories/{stage}"],
        cwd=project.root, env=project.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        while run.poll() is None and not faults(project, page="/here")["struck"]:
            time.sleep(0.05)
        killed = run.poll() is None
        if not killed:
            assert run.returncode == 0, run.communicate()[0]
        return killed
    finally:
        _kill_tree(run.pid)
        run.communicate()
        faults(project, "DELETE")


def _kill_tree(pid: int) -> None:
    """SIGKILL to a process and all its descendants: a worker of ansible's is a session of its own."""
    children = [int(child) for child in _children(pid)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for child in children:
        _kill_tree(child)


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
