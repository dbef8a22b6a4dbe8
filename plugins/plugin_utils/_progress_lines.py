# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of an action plugin's name and shows what it writes down about its progress."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

#: How often the module's lines are looked for, in seconds.
_LOOK_EVERY = 0.5

display = Display()


class ProgressAction(ActionBase):
    """An action plugin that shows its module's lines while the module works (module_utils/_progress.py)."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        # A module on another machine writes to another disk.
        if self._task.check_mode or self._task.no_log or self._connection.transport != "local":
            return self._run_module(arguments, task_vars)
        with tempfile.TemporaryDirectory(prefix="modelhost-") as directory:
            lines = Path(directory) / "progress"
            lines.touch()
            with Follower(lines, display.display):
                return self._run_module({**arguments, "progress": str(lines)}, task_vars)

    def _run_module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result = self._execute_module(module_args=arguments, task_vars=task_vars)
        # Of the arguments the person wrote nothing is missing in it, and the file is gone by then.
        result.pop("invocation", None)
        return dict(result)


class Follower:
    """Hands every whole line that is appended to a file to ``tell``, for as long as the block runs."""

    def __init__(self, path: Path, tell: Callable[[str], Any]) -> None:
        self._path, self._tell = path, tell
        self._read = 0
        self._rest = b""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._read, os.SEEK_SET)
            news = file.read()
        self._read += len(news)
        *lines, self._rest = (self._rest + news).split(b"\n")
        if lines:
            # One message, not one for each line: a Ctrl-C between two of them can leave ansible-core's queue locked.
            self._tell(b"\n".join(lines).decode(errors="replace"))
