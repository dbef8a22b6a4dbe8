# SPDX-License-Identifier: GPL-3.0-or-later
"""Every server is asked the same: two short sentences, or one text of a length that varies as it does in life."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from benchmark_payloads import (
    LONGEST,
    MEAN_TOKENS,
    SHORTEST,
    mean_tokens,
    mixed_lengths,
    mixed_payloads,
    read_sentences,
    short_payloads,
    write_bodies,
)
from tokenizers import Tokenizer

TOKENIZER = Path(__file__).parents[3] / "files" / "model" / "distilbert-demo" / "tokenizer.json"
SENTENCES = read_sentences()
READS = Tokenizer.from_file(str(TOKENIZER))
READS.no_truncation()
READS.no_padding()


def count(text: str) -> int:
    return len(READS.encode(text).ids)


def test_mixed_lengths_have_a_mean_of_91_tokens() -> None:
    lengths = mixed_lengths()
    assert statistics.fmean(lengths) == pytest.approx(MEAN_TOKENS, abs=0.5)
    assert min(lengths) == SHORTEST
    assert 256 < max(lengths) <= LONGEST
    assert 0.02 < sum(length > 256 for length in lengths) / len(lengths) < 0.1


def test_a_quarter_of_the_mixed_lengths_is_as_mixed_as_all_of_them() -> None:
    lengths = mixed_lengths()
    for start in range(0, len(lengths), 32):
        assert statistics.fmean(lengths[start : start + 32]) == pytest.approx(MEAN_TOKENS, rel=0.06)


def test_mixed_texts_have_the_lengths_they_are_meant_to_have() -> None:
    payloads = mixed_payloads(SENTENCES, count)
    assert mean_tokens(payloads) == pytest.approx(MEAN_TOKENS, abs=0.5)
    assert [payload.tokens for payload in payloads] == [count(payload.texts[0]) for payload in payloads]
    assert all(abs(payload.tokens - wanted) <= 1 for payload, wanted in zip(payloads, mixed_lengths(), strict=True))


def test_short_requests_have_two_short_sentences_of_either_label() -> None:
    payloads = short_payloads(SENTENCES, count)
    assert all(len(payload.texts) == 2 and payload.tokens <= 30 for payload in payloads)
    labels = {text: label for label, texts in SENTENCES.items() for text in texts}
    assert all({labels[text] for text in payload.texts} == {"+", "-"} for payload in payloads)


def test_the_payloads_are_the_same_in_every_run(tmp_path: Path) -> None:
    for name in ("once", "again"):
        payloads = [*short_payloads(SENTENCES, count), *mixed_payloads(SENTENCES, count)]
        write_bodies(payloads, tmp_path / name)
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()
    bodies = [json.loads(line) for line in (tmp_path / "once").read_bytes().splitlines()]
    assert [tuple(body["inputs"]) for body in bodies] == [payload.texts for payload in payloads]
