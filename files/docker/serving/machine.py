# SPDX-License-Identifier: GPL-3.0-or-later
"""What this process may use of the machine: all of it, or what its container was given."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cpus(cgroups: Path = _CGROUPS) -> int:
    """How many processors this process may use: its affinity, and the container's quota where there is one.

    Inference libraries count the machine's processors; inside a quota that means threads that wait for each other.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    try:
        # cgroup v2: "<quota> <period>" in microseconds, or "max <period>".
        quota, period = (cgroups / "cpu.max").read_text(encoding="ascii").split()
        cpus = min(cpus, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        pass
    return max(1, cpus)


def usable_memory(cgroups: Path = _CGROUPS) -> int:
    """How many bytes this process may use: the machine's, or the container's limit where that is less."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    # cgroup v2, which says "max" for no limit, and v1, which says a number larger than any machine's memory.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limits.append(int((cgroups / name).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(limits)
