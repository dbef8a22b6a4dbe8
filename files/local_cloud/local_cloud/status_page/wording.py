# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, times and digests as people read them. Pure."""

from __future__ import annotations

import re

_DIGEST = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]{52}")


def duration(seconds: float) -> str:
    """A length of time in its two largest units: "4 s", "3 min 5 s", "2 h 10 min", "5 d 1 h"."""
    seconds = max(0, int(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for index, (unit, size) in enumerate(units):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            if index + 1 < len(units):
                smaller, smaller_size = units[index + 1]
                if rest >= smaller_size:
                    return f"{whole} {unit} {rest // smaller_size} {smaller}"
            return f"{whole} {unit}"
    return "0 s"


def ago(then: float, now: float) -> str:
    """How long ago something was, in its largest unit: "just now", "12 s ago", "3 min ago"."""
    seconds = now - then
    if seconds < 2:
        return "just now"
    words = duration(seconds).split()
    return f"{words[0]} {words[1]} ago"


def size(count: int | None) -> str:
    """Bytes in the largest binary unit that leaves a whole part: "47 MiB", "1.4 GiB"."""
    if count is None:
        return "–"
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    if count >= 1 << 20:
        return f"{count >> 20} MiB"
    return f"{count >> 10} KiB"


def milliseconds(ms: float) -> str:
    """A duration of a request: two digits that matter at least, and no more than a decimal."""
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}"


def number(value: float) -> str:
    """A weight or a scale without needless zeros."""
    return f"{value:g}"


def plural(count: int, noun: str) -> str:
    """ "1 container", "2 containers"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def short_digest(reference: str) -> str:
    """The first 12 digits of an image reference's digest, as docker shows them, or its tag, or the reference."""
    if match := _DIGEST.search(reference):
        return match[1]
    name = reference.rpartition("/")[2]
    return name.partition(":")[2] or name
