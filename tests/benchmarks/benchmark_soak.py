# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten minutes at full load: no error, and memory that does not grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark_load import run_wrk
from benchmark_process import ServerProcess
from benchmark_statistics import slope

CALLERS = 32
SAMPLE_SECONDS = 2.0
# The first minute fills caches and arenas: it is not the trend of an hour.
WARM_UP_SHARE = 0.15
# An hour's growth that the upper bound of the interval may at most allow, as a share of what the server holds.
GROWTH_SHARE = 0.05


def run_soak(server: ServerProcess, bodies: Path, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Load a server without a pause, and weigh it every two seconds.

    Returns:
        "seconds", "answers", "errors", "first_error", "pss" (samples: seconds since the start and bytes), and the
        trend in bytes an hour: "growth", "growth_low", "growth_high"; "flat", whether it counts as none.
    """
    samples: list[tuple[float, int]] = []
    over = threading.Event()
    began = time.monotonic()

    def weigh() -> None:
        told = 0
        while not over.wait(SAMPLE_SECONDS):
            samples.append((round(time.monotonic() - began, 2), server.memory().pss))
            if samples[-1][0] // 60 > told:
                told = int(samples[-1][0] // 60)
                say(f"soak: {told} of {seconds / 60:.0f} minutes, {samples[-1][1] / 1e6:.1f} MB")

    scales = threading.Thread(target=weigh)
    scales.start()
    try:
        load = run_wrk(server.port, bodies, CALLERS, seconds)
    finally:
        over.set()
        scales.join()
    return {
        "seconds": round(load.seconds, 1),
        "answers": len(load.milliseconds),
        "errors": load.errors,
        "first_error": load.first_error,
        "p99": round(load.percentile(99), 3),
        "pss": samples,
        **trend(samples, seconds),
    }


def trend(samples: list[tuple[float, int]], seconds: float) -> dict[str, Any]:
    """Whether memory is flat: the interval of its trend holds zero, lies below it, or allows at most 5 % an hour."""
    warm = [(at, held) for at, held in samples if at >= seconds * WARM_UP_SHARE]
    line = slope([at for at, _ in warm], [held for _, held in warm], min(30.0, seconds / 20))
    held = warm[-1][1]
    flat = line.low <= 0 or line.high * 3600 <= GROWTH_SHARE * held
    names = ("growth", "growth_low", "growth_high")
    rates = (line.value, line.low, line.high)
    return {name: round(rate * 3600) for name, rate in zip(names, rates, strict=True)} | {"flat": flat}
