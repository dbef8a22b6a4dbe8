# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is told who presses Ctrl-C.

ansible-core 2.19 kills a task's worker process on Ctrl-C and gives it no chance to say anything; what a worker hands
over to be printed may get lost, too. So an action plugin keeps what is to be said in memory that it shares with
ansible-playbook, which has loaded the plugin's file before it forked the worker, and ansible-playbook says it.
"""

from __future__ import annotations

import mmap
import os
import signal
from types import FrameType

_SIZE = 4096


class PartingWords:
    """One line that is printed on Ctrl-C; nothing is where nothing is kept."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        before = signal.getsignal(signal.SIGINT)

        def say(number: int, frame: FrameType | None) -> None:
            # Straight to the descriptor: what is interrupted may be in the middle of printing.
            os.write(2, f"\n{self.kept}\n".encode() if self.kept else b"")
            if callable(before):
                before(number, frame)

        # Whoever imports this file elsewhere, a test or ansible-doc, keeps their own Ctrl-C.
        if type(getattr(before, "__self__", None)).__name__ == "TaskQueueManager":
            signal.signal(signal.SIGINT, say)

    def keep(self, line: str) -> None:
        """Keep a line to say, in place of what was kept before."""
        self._memory[:] = line.encode()[:_SIZE].ljust(_SIZE, b"\0")

    @property
    def kept(self) -> str:
        return self._memory[:].rstrip(b"\0").decode(errors="ignore")
