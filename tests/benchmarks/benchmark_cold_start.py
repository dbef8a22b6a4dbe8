# SPDX-License-Identifier: GPL-3.0-or-later
"""From the start of the process to its first correct answer, and what it holds in memory after 1,000 requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmark_payloads import Payload
from benchmark_process import ServerError
from benchmark_servers import Kind, start

REQUESTS = 1000
CALLERS = 8


def run_cold_starts(
    kinds: Sequence[Kind],
    models: Path,
    payloads: Sequence[Payload],
    right: Sequence[list[str]],
    work: Path,
    rounds: int,
    weigh: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Start every server in turn, alone.

    The first start of all is not counted: it reads the files from the disk, which the others then have in memory.

    Args:
        weigh: after how many of the rounds it also gets 1,000 requests and is weighed.

    Returns:
        By the name of the server: "seconds", "pss" and "rss" (bytes), one entry a round; "failed", a sentence.
    """
    figures: dict[str, Any] = {kind.name: {"seconds": [], "pss": [], "rss": [], "failed": ""} for kind in kinds}
    for turn in range(rounds + 1):
        for kind in kinds:
            figure = figures[kind.name]
            if figure["failed"]:
                continue
            try:
                _once(kind, models, payloads, right, work, figure, counted=turn > 0, weighed=0 < turn <= weigh)
            except (ServerError, OSError) as error:
                figure["failed"] = str(error)
                say(f"{kind.name} failed: {error}")
        say(f"start {turn} of {rounds}: " + ", ".join(f"{name} {_last(figure)}" for name, figure in figures.items()))
    return figures


def _once(
    kind: Kind,
    models: Path,
    payloads: Sequence[Payload],
    right: Sequence[list[str]],
    work: Path,
    figure: dict[str, Any],
    counted: bool,
    weighed: bool,
) -> None:
    server = start(kind, models, work)
    try:
        seconds, answer = server.first_answer(payloads[0].body())
        if kind.labels(answer) != right[0]:
            raise ServerError(f"{kind.title} answered {kind.labels(answer)}, right is {right[0]}.")
        if counted:
            figure["seconds"].append(round(seconds, 4))
        if weighed:
            with ThreadPoolExecutor(CALLERS) as callers:
                bodies = (payloads[number % len(payloads)].body() for number in range(REQUESTS))
                refused = sum(status != 200 for status, _ in callers.map(server.ask, bodies))
            if refused:
                raise ServerError(f"{kind.title} refused {refused} of {REQUESTS} requests.")
            memory = server.memory()
            figure["pss"].append(memory.pss)
            figure["rss"].append(memory.rss)
    finally:
        server.stop()


def _last(figure: dict[str, Any]) -> str:
    return f"{figure['seconds'][-1]:.2f} s" if figure["seconds"] else "–"
