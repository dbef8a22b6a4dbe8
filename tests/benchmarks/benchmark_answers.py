# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server's answers are right: those of transformers on torch in fp32, each at its place, under load."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmark_payloads import Payload
from benchmark_process import ServerError, ServerProcess
from benchmark_servers import PEERS, PEERS_VENV, Kind

CALLERS = 32
# Of the answers of a quantised graph, this many have to be those of the original.
AGREEMENT = 0.995

# The most common label may have at most this share of the texts, or a server with one fixed answer would pass.
COMMONEST = 0.9


def reference(model: Path, payloads: Sequence[Payload], work: Path) -> list[list[str]]:
    """The right labels of each payload.

    Raises:
        ServerError: transformers cannot say, or says nearly the same of all texts, which would prove nothing.
    """
    texts = [text for payload in payloads for text in payload.texts]
    asked = work / "texts.json"
    asked.write_text(json.dumps(texts), encoding="utf-8")
    command = [str(PEERS_VENV / "bin" / "python"), str(PEERS / "reference.py"), str(model), str(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise ServerError(f"transformers does not run the model: {' '.join(done.stderr.split())[-300:]}")
    labels = json.loads(done.stdout.splitlines()[-1])
    commonest = max(labels.count(label) for label in set(labels)) / len(labels)
    if commonest > COMMONEST:
        raise ServerError(f"The model gives {commonest:.0%} of the texts the same label; its answers prove nothing.")
    at = iter(labels)
    return [[next(at) for _ in payload.texts] for payload in payloads]


def agreement(server: ServerProcess, kind: Kind, payloads: Sequence[Payload], right: Sequence[list[str]]) -> float:
    """Which share of all texts a server labels as it should, asked by 32 callers at once.

    Raises:
        ServerError: it refused a request, or an answer has another number of labels than texts were sent.
    """

    def ask(payload: Payload) -> list[str]:
        status, answer = server.ask(payload.body())
        if status != 200:
            raise ServerError(f"{kind.title} answered {status} to a text of {payload.tokens} tokens: {answer[:200]!r}")
        labels = kind.labels(json.loads(answer))
        if len(labels) != len(payload.texts):
            raise ServerError(f"{kind.title} gave {len(labels)} labels for {len(payload.texts)} texts.")
        return labels

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(ask, payloads))
    pairs = [pair for given, wanted in zip(answers, right, strict=True) for pair in zip(given, wanted, strict=True)]
    return sum(given == wanted for given, wanted in pairs) / len(pairs)
