# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests a second and times of answers: rounds in which every server has its turn, one right after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark_load import Load, LoadError, percentile, run_wrk
from benchmark_process import ServerError, ServerProcess
from benchmark_requirements import cell

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long and how often: seconds of load a round, and rounds a cell."""

    seconds: float
    rounds: int
    cells: Sequence[tuple[str, int]]


def run_rounds(
    plan: Plan,
    servers: Mapping[str, ServerProcess],
    bodies: Mapping[str, Path],
    keep: Callable[[str, Any], None],
    say: Say,
) -> None:
    """Measure every cell, and hand each one's figures to `keep` as soon as they are there.

    A server that fails in a cell is left out of it and the sentence kept; the others go on.
    """
    for number, (payload, callers) in enumerate(plan.cells, 1):
        name = cell(payload, callers)
        loads: dict[str, list[Load]] = {server: [] for server in servers}
        failed: dict[str, str] = {}
        for turn in range(plan.rounds):
            for server in _rotated(list(servers), turn):
                if server in failed:
                    continue
                try:
                    loads[server].append(_turn(servers[server], bodies[payload], callers, plan.seconds))
                except (LoadError, ServerError, OSError) as error:
                    failed[server] = str(error)
                    say(f"{server} failed: {error}")
        figures = {server: summary(kept) for server, kept in loads.items() if kept and server not in failed}
        keep(name, {"servers": figures, "failed": failed})
        shown = ", ".join(f"{server} {figure['median_rps']:.0f}" for server, figure in figures.items())
        say(f"{number} of {len(plan.cells)}: {name}, requests/s: {shown}")


def summary(loads: Sequence[Load]) -> dict[str, Any]:
    """The figures of one server in one cell: one entry a round, and percentiles over the answers of all rounds.

    A round of a slow server has too few answers for a 99th percentile of its own.
    """
    cores = len(os.sched_getaffinity(0))
    together = [taken for load in loads for taken in load.milliseconds]
    rates = sorted(load.requests_per_second for load in loads)
    return {
        "rps": [round(load.requests_per_second, 2) for load in loads],
        "p50": [round(load.percentile(50), 3) for load in loads],
        "p99": [round(load.percentile(99), 3) for load in loads],
        "pooled": {"p50": round(percentile(together, 50), 3), "p99": round(percentile(together, 99), 3)},
        "median_rps": rates[len(rates) // 2],
        "answers": len(together),
        "errors": sum(load.errors for load in loads),
        "first_error": next((load.first_error for load in loads if load.errors), ""),
        "generator_share": round(
            sum(load.generator_cpu_seconds for load in loads) / sum(load.seconds for load in loads) / cores, 4
        ),
    }


def _turn(server: ServerProcess, bodies: Path, callers: int, seconds: float) -> Load:
    load = run_wrk(server.port, bodies, callers, seconds)
    server.settle()
    if not load.milliseconds:
        raise ServerError(f"It answered nothing in {seconds:g} seconds ({load.first_error or 'no error either'}).")
    return load


def _rotated(names: list[str], turn: int) -> list[str]:
    """Another server begins each round, so that none always comes after the same one."""
    start = turn % len(names)
    return names[start:] + names[:start]
