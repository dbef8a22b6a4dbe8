# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that every server is asked: two short sentences, and one text of mixed length. The same in every run."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

SENTENCES = Path(__file__).parents[2] / "files" / "model" / "sentences" / "natural.tsv"

MEAN_TOKENS = 91
SHORTEST, LONGEST = 8, 384
# The spread of the logarithms of the lengths: a twentieth of the texts is longer than 256 tokens.
SPREAD = 0.85
TEXTS = 128
PAIRS = 32
SEED = 5


@dataclass(frozen=True)
class Payload:
    """One request: its texts, and how many tokens they are together, special tokens included."""

    texts: tuple[str, ...]
    tokens: int

    def body(self) -> bytes:
        """The JSON that every server takes."""
        return json.dumps({"inputs": list(self.texts)}).encode()


def read_sentences(path: Path = SENTENCES) -> dict[str, list[str]]:
    """The sentences of a labelled file, by their label."""
    by_label: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        label, _, sentence = line.partition("\t")
        by_label.setdefault(label, []).append(sentence)
    return by_label


def short_payloads(sentences: dict[str, list[str]], count: Callable[[str], int]) -> list[Payload]:
    """Requests of two short sentences each.

    Args:
        sentences: by label; a request takes one of each of two labels.
        count: how many tokens a text has, special tokens included.
    """
    chosen = random.Random(SEED)
    short = [sorted(texts, key=lambda text: (len(text), text))[:PAIRS] for _, texts in sorted(sentences.items())]
    pairs = list(zip(*(chosen.sample(texts, PAIRS) for texts in short), strict=True))
    return [Payload(tuple(pair), sum(count(text) for text in pair)) for pair in pairs]


def mixed_lengths() -> list[int]:
    """The wanted lengths in tokens: log-normal, mean 91, cut off at 8 and 384, each part of them mixed."""
    low, high = 0.0, math.log(LONGEST)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(_lengths(middle)) < MEAN_TOKENS * TEXTS else (low, middle)
    lengths = _lengths(high)
    return [lengths[_bits_reversed(index)] for index in range(TEXTS)]


def mixed_payloads(sentences: dict[str, list[str]], count: Callable[[str], int]) -> list[Payload]:
    """Requests of one text each, of the lengths of `mixed_lengths`. All sentences of a text have the same label."""
    chosen = random.Random(SEED)
    labels = sorted(sentences)
    payloads = []
    for index, length in enumerate(mixed_lengths()):
        text = _text(sentences[labels[index % len(labels)]], length, count, chosen)
        payloads.append(Payload((text,), count(text)))
    return payloads


def mean_tokens(payloads: Sequence[Payload]) -> float:
    """The mean number of tokens of a request."""
    return sum(payload.tokens for payload in payloads) / len(payloads)


def write_bodies(payloads: Sequence[Payload], path: Path) -> None:
    """One body a line, as wrk.lua reads them."""
    path.write_bytes(b"".join(payload.body() + b"\n" for payload in payloads))


def _lengths(median_logarithm: float) -> list[int]:
    normal = NormalDist(median_logarithm, SPREAD)
    wanted = (round(math.exp(normal.inv_cdf((index + 0.5) / TEXTS))) for index in range(TEXTS))
    return [min(max(length, SHORTEST), LONGEST) for length in wanted]


def _bits_reversed(index: int) -> int:
    """Van der Corput's sequence: any stretch of it goes evenly over the whole range."""
    bits = TEXTS.bit_length() - 1
    return int(f"{index:0{bits}b}"[::-1], 2)


def _text(sentences: list[str], length: int, count: Callable[[str], int], chosen: random.Random) -> str:
    text = ""
    while count(text) < length:
        text = f"{text} {chosen.choice(sentences)}".strip()
    words = text.split()
    while len(words) > 1 and count(" ".join(words)) > length:
        words.pop()
    # A word that was cut off may have had several tokens; those of a full stop are one each.
    text = " ".join(words)
    return text + "." * (length - count(text))
