# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of what the graph alone can do is left when it is served: tokens a second, on the batches of the server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmark_load import run_wrk
from benchmark_payloads import Payload
from benchmark_process import ServerError
from benchmark_servers import Kind, start

CALLERS = 32
MOST_BATCHES = 400
SCRIPT = Path(__file__).parent / "bare_forward.py"


def run_saturation(
    kind: Kind,
    models: Path,
    payloads: Sequence[Payload],
    bodies: Path,
    work: Path,
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure the server and the bare graph in turn.

    The graph runs in both ways there are, one run at a time on all processors and one run on each, and has to be
    compared with the better one.

    Returns:
        "served" and "bare" (tokens a second, one entry a round), "ways" (which way was the better one), "batches"
        (how many were recorded, and their mean size), "generator_share" (of all processor time, wrk's).
    """
    batches = record_batches(kind, models, bodies, work, seconds)
    written = work / f"{kind.name}-batches.json"
    written.write_text(json.dumps(batches), encoding="ascii")
    cores = len(os.sched_getaffinity(0))
    tokens = [payload.tokens for payload in payloads]
    command = [str(kind.venv / "bin" / "python"), str(SCRIPT), str(models / kind.model), str(written)]
    server = start(kind, models, work)
    bare = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        server.first_answer(payloads[0].body())
        ways = {f"{cores} × 1 thread": (cores, 1), f"1 × {cores} threads": (1, cores)}
        bare_rates: dict[str, list[float]] = {name: [] for name in ways}
        served, shares = [], []
        for turn in range(rounds + 1):
            load = run_wrk(server.port, bodies, CALLERS, seconds if turn else 2)
            server.settle()
            if load.errors:
                raise ServerError(f"{load.errors} requests failed ({load.first_error}).")
            rates = {name: _ask(bare, *way, seconds if turn else 0.5) for name, way in ways.items()}
            if turn:
                served.append(load.tokens_per_second(tokens))
                shares.append(load.generator_cpu_seconds / load.seconds / cores)
                for name, rate in rates.items():
                    bare_rates[name].append(rate)
    finally:
        bare.kill()
        bare.communicate()
        server.stop()
    better = max(bare_rates, key=lambda name: sorted(bare_rates[name])[rounds // 2])
    say(f"{kind.name}: {sorted(served)[rounds // 2]:.0f} tokens/s served, {better} {max(bare_rates[better]):.0f} bare")
    return {
        "served": served,
        "bare": bare_rates[better],
        "ways": better,
        "all_ways": bare_rates,
        "batches": len(batches),
        "mean_rows": sum(rows for rows, _, _ in batches) / len(batches),
        "padding": 1 - sum(real for _, _, real in batches) / sum(rows * longest for rows, longest, _ in batches),
        "generator_share": sum(shares) / len(shares),
    }


def record_batches(kind: Kind, models: Path, bodies: Path, work: Path, seconds: float) -> list[tuple[int, int, int]]:
    """The rows, the longest row and the tokens of the batches that the server makes under load, from its log.

    Raises:
        ServerError: its log has none.
    """
    server = start(kind, models, work, SERVING_LOG_LEVEL="debug")
    try:
        first = bodies.read_bytes().splitlines()[0]
        server.first_answer(first)
        before = server.log.stat().st_size
        run_wrk(server.port, bodies, CALLERS, seconds)
    finally:
        server.stop()
    batches = read_batches(server.log.read_bytes()[before:].decode())
    if not batches:
        raise ServerError(f"{server.log} has no batches.")
    return batches[-MOST_BATCHES:]


def _ask(bare: subprocess.Popen[str], ways: int, threads: int, seconds: float) -> float:
    """One measurement of bare_forward.py."""
    assert bare.stdin is not None
    assert bare.stdout is not None
    bare.stdin.write(f"{ways} {threads} {seconds}\n")
    bare.stdin.flush()
    answer = bare.stdout.readline()
    if not answer:
        raise ServerError("The graph cannot be run alone; the reason stands above.")
    return float(answer)


def read_batches(log: str) -> list[tuple[int, int, int]]:
    """The batches in a server's log."""
    batches = []
    for line in log.splitlines():
        if '"batch"' in line:
            entry = json.loads(line)
            if entry.get("event") == "batch":
                batches.append((int(entry["rows"]), int(entry["length"]), int(entry["tokens"])))
    return batches
