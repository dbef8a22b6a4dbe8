# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be true of the serving image beside its peers: one entry for each row of the page, and its verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmark_statistics import Ratio

PAYLOADS = {"short": "two short sentences", "mixed": "mixed lengths"}
CALLERS = (1, 8, 32)
FIGURES = {"rps": "requests/s", "p50": "p50", "p99": "p99"}

INT8, FP32, OURS_TOOLKIT = "compiled-int8", "compiled-fp32", "our-toolkit"
TOOLKIT, TUNED, FLASK = "toolkit", "toolkit-tuned", "flask"


@dataclass(frozen=True)
class Requirement:
    """Ours must be at least `factor` times better than the peer. 1 means never worse."""

    cell: str
    figure: str
    ours: str
    peer: str
    factor: float


@dataclass(frozen=True)
class Verdict:
    """Whether a requirement holds: "reached", "not reached", or "not measured"."""

    requirement: Requirement
    measured: Ratio | None

    @property
    def word(self) -> str:
        if self.measured is None or math.isnan(self.measured.value):
            return "not measured"
        return "reached" if self.measured.value >= self.requirement.factor else "not reached"

    @property
    def certain(self) -> bool:
        """True where every single round says the same as the medians."""
        if self.measured is None:
            return False
        needed = self.requirement.factor
        return self.measured.low >= needed or self.measured.high < needed


def cell(payload: str, callers: int) -> str:
    """The name of a load: "short-32" is two short sentences and 32 callers."""
    return f"{payload}-{callers}"


def requirements() -> list[Requirement]:
    """All that compare with a peer, in the order of the page."""
    return [*_beside(TOOLKIT), *_beside_tuned(), *_beside(FLASK), *_whole_process()]


def _beside(peer: str) -> Iterator[Requirement]:
    """The factors over the toolkit with its own settings; the original's server has to be left as far behind."""
    yield Requirement("short-32", "rps", INT8, peer, 15)
    yield Requirement("short-32", "rps", FP32, peer, 5)
    yield Requirement("short-32", "p99", INT8, peer, 10)
    yield Requirement("short-1", "p50", INT8, peer, 10)
    for callers, int8 in ((8, 3.0), (32, 3.5)):
        yield Requirement(f"mixed-{callers}", "rps", INT8, peer, int8)
        yield Requirement(f"mixed-{callers}", "rps", FP32, peer, 1.2)
    for payload in PAYLOADS:
        for callers in CALLERS:
            if (payload, callers) != ("short", 32):
                yield Requirement(cell(payload, callers), "p99", INT8, peer, 2)
            yield Requirement(cell(payload, callers), "p99", FP32, peer, 1)


def _beside_tuned() -> Iterator[Requirement]:
    yield Requirement("short-1", "rps", INT8, TUNED, 8)
    yield Requirement("short-1", "rps", FP32, TUNED, 3)
    yield Requirement("short-8", "rps", INT8, TUNED, 14)
    yield Requirement("short-8", "rps", FP32, TUNED, 5)


def _whole_process() -> Iterator[Requirement]:
    yield Requirement("start", "seconds", INT8, TOOLKIT, 20)
    yield Requirement("memory", "pss", INT8, TOOLKIT, 5)
    yield Requirement("size", "bytes", INT8, TOOLKIT, 5)
