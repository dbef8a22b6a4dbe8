# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the hub on this machine's disk, one directory for each commit, and the program that fills them."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import SOURCE
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.hub_files import (
    HubModelError,
    Wishes,
)

_COMPLETE = ".complete.json"


@dataclass(frozen=True)
class Copy:
    """One commit of a model on this disk, complete or not."""

    path: Path

    def is_complete(self, wishes: Wishes) -> bool:
        """Whether all that the wishes ask for is there."""
        try:
            known = json.loads((self.path / _COMPLETE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return known.get("wishes") == wishes.document() and all((self.path / name).is_file() for name in known["files"])

    def complete(self, wishes: Wishes, source: dict[str, str], names: list[str]) -> None:
        """Remember that it is complete, what for, and where it comes from; what earlier wishes had fetched goes."""
        for path in sorted(self.path.rglob("*"), reverse=True):
            relative = path.relative_to(self.path)
            if relative.parts[0].startswith(".") or path.is_dir():
                continue
            if relative.as_posix() not in (*names, SOURCE):
                path.unlink()
        (self.path / SOURCE).write_text(json.dumps(source, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        unfinished = self.path / f"{_COMPLETE}.{os.getpid()}"
        unfinished.write_text(json.dumps({"wishes": wishes.document(), "files": names}), encoding="utf-8")
        unfinished.replace(self.path / _COMPLETE)


def copy_of(cache: Path, model_id: str, commit: str) -> Copy:
    """Where a commit of a model is kept."""
    return Copy(cache / model_id.replace("/", "--") / commit)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let no other run on this machine work at the same directory meanwhile; it waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ask(python: str, program: str, request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run the program with a request and return its last word; ``tell`` gets every word before it.

    The request, which may hold a token, goes over standard input. Raises HubModelError with the program's sentence.
    """
    process = subprocess.Popen(
        [python, program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    last: dict[str, Any] = {}
    try:
        if process.stdin:
            process.stdin.write(json.dumps(request))
            process.stdin.close()
        for line in process.stdout or ():
            last = json.loads(line)
            tell(last)
        errors = process.stderr.read() if process.stderr else ""
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if last.get("event") == "failed":
        raise HubModelError(last["message"])
    if process.returncode != 0:
        # The kind of the error alone: its text may quote the request.
        kind = (errors.strip().splitlines() or [""])[-1].partition(":")[0]
        raise HubModelError(f"{program} ended with status {process.returncode} ({kind or 'no reason given'}).")
    return last
