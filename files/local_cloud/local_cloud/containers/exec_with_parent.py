# SPDX-License-Identifier: GPL-3.0-or-later
"""Becomes another program that dies with the local cloud, even when the cloud is killed with SIGKILL.

Run as a script: <parent's pid> <program> <argument>...
A program of its own rather than a preexec_fn, which may not be used in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for SIGKILL at the parent's death (on Linux; elsewhere the cloud sweeps at its next start)."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the cloud died before we asked
            sys.exit(1)
    try:
        os.execvp(program, sys.argv[2:])  # noqa: S606 - no shell is meant
    except OSError as error:
        sys.exit(f"{program} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
