# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph alone, without a server: `python bare_forward.py MODEL BATCHES.json`, run by the server's own Python.

BATCHES.json is a list of [rows, longest, tokens]. Each line on standard input, "WAYS THREADS SECONDS", is answered with
one line: the tokens a second of WAYS runs beside each other with THREADS each, padding not counted.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

Feeds = dict[str, npt.NDArray[np.int64]]


def make_feeds(rows: int, longest: int, tokens: int, names: list[str]) -> Feeds:
    """The inputs of one batch: random words, and the tokens spread evenly over the rows."""
    chosen = np.random.default_rng(rows * longest)
    mask = np.zeros((rows, longest), dtype=np.int64)
    for row, length in enumerate(np.diff(np.linspace(0, tokens, rows + 1).round().astype(int))):
        mask[row, : min(max(length, 1), longest)] = 1
    feeds = {
        "input_ids": chosen.integers(1000, 2000, (rows, longest), dtype=np.int64) * mask,
        "attention_mask": mask,
        "token_type_ids": np.zeros((rows, longest), dtype=np.int64),
    }
    return {name: feeds[name] for name in names}


def load(model: Path, threads: int) -> onnxruntime.InferenceSession:
    """The graph with a pool of so many threads, loaded as the server loads it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    report = model / "compilation.json"
    # The compiler has optimised its graphs already.
    if report.exists() and json.loads(report.read_text(encoding="utf-8")).get("optimised"):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model / "model.onnx"), options, providers=["CPUExecutionProvider"])


def tokens_per_second(
    session: onnxruntime.InferenceSession, batches: list[tuple[int, Feeds]], ways: int, seconds: float
) -> float:
    """Run the batches in turn, `ways` of them beside each other, for so many seconds."""
    turns = itertools.cycle(batches)
    lock = threading.Lock()
    done = [0] * ways
    finished = [0.0] * ways
    began = time.monotonic()

    def run(number: int) -> None:
        while time.monotonic() - began < seconds:
            with lock:
                tokens, feeds = next(turns)
            session.run(None, feeds)
            done[number] += tokens
        finished[number] = time.monotonic() - began

    runners = [threading.Thread(target=run, args=(number,)) for number in range(ways)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    return sum(tokens / taken for tokens, taken in zip(done, finished, strict=True))


def main(model: Path, written: Path) -> None:
    """Answer lines until there are no more."""
    sessions: dict[int, onnxruntime.InferenceSession] = {}
    batches: list[tuple[int, Feeds]] = []
    for line in sys.stdin:
        ways, threads, seconds = line.split()
        session = sessions.setdefault(int(threads), load(model, int(threads)))
        if not batches:
            names = [node.name for node in session.get_inputs()]
            shapes = json.loads(written.read_text(encoding="ascii"))
            batches = [(tokens, make_feeds(rows, longest, tokens, names)) for rows, longest, tokens in shapes]
        print(tokens_per_second(session, batches, int(ways), float(seconds)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
