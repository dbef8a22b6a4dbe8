# SPDX-License-Identifier: GPL-3.0-or-later
"""Load by wrk: callers that each send the next request as soon as they have an answer."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "wrk.lua"
# A request that takes longer than SageMaker waits is an error.
TIMEOUT_SECONDS = 60


class LoadError(Exception):
    """The load generator could not run. The text is a sentence for people."""


@dataclass(frozen=True)
class Load:
    """What one stretch of load measured.

    `milliseconds` are the times of the answers with status 200, `which` the payload that each of them answered.
    """

    seconds: float
    which: tuple[int, ...]
    milliseconds: tuple[float, ...]
    errors: int
    first_error: str
    generator_cpu_seconds: float

    @property
    def requests_per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: float) -> float:
        """In milliseconds; nan without an answer."""
        return percentile(self.milliseconds, percent)

    def tokens_per_second(self, tokens: Sequence[int]) -> float:
        """Args: tokens: of each payload."""
        return sum(tokens[index] for index in self.which) / self.seconds


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of them do not exceed (nearest rank); nan of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def run_wrk(port: int, bodies: Path, callers: int, seconds: float) -> Load:
    """Load a server on the loopback address.

    Args:
        bodies: the file of `write_bodies`.
        seconds: how long; wrk takes whole ones.

    Raises:
        LoadError: wrk is missing, or failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "times"
        command = ["wrk", f"-t{callers}", f"-c{callers}", f"-d{math.ceil(seconds)}s", f"--timeout={TIMEOUT_SECONDS}s"]
        command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}/invocations", "--"]
        command += [str(bodies), str(callers), str(output)]
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            raise LoadError("wrk is missing: apt install wrk.") from None
        assert process.stdout is not None
        said = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 or not output.exists():
            raise LoadError(f"wrk ended with status {process.returncode}: {' '.join(said.split())[-300:]}")
        return read_times(output.read_text(encoding="ascii"), usage.ru_utime + usage.ru_stime)


def read_times(written: str, generator_cpu_seconds: float) -> Load:
    """Read what wrk.lua wrote: a line of totals, then a line for each answer."""
    head, *lines = written.splitlines()
    microseconds, refused, refusal, connect, read, write, timeout = map(int, head.split())
    which, times = [], []
    for line in lines:
        index, taken = line.split()
        which.append(int(index))
        times.append(float(taken) / 1000)
    kinds = {f"status {refusal}": refused, "connect": connect, "read": read, "write": write, "timeout": timeout}
    first_error = next((kind for kind, number in kinds.items() if number), "")
    return Load(microseconds / 1e6, tuple(which), tuple(times), sum(kinds.values()), first_error, generator_cpu_seconds)
