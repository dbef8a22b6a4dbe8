# SPDX-License-Identifier: GPL-3.0-or-later
"""The training sentences: the same ones every time, in balance, and of every section of the grammar."""

from __future__ import annotations

from collections import Counter

import pytest
from corpus import Corpus
from evaluate import HERE
from labelled import parse


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(HERE / "sentences")


def test_the_same_seed_writes_the_same_sentences(corpus: Corpus) -> None:
    assert corpus.sample(300, seed=7) == corpus.sample(300, seed=7)
    assert corpus.sample(300, seed=7) != corpus.sample(300, seed=8)


def test_half_of_the_sentences_are_positive(corpus: Corpus) -> None:
    assert Counter(s.label for s in corpus.sample(1000, seed=1)) == {0: 500, 1: 500}


def test_the_grammar_writes_text_without_its_own_marks(corpus: Corpus) -> None:
    # Enough draws to pass through nearly every line; a reference without words for its polarity would raise.
    for sentence in corpus.sample(15_000, seed=3):
        assert sentence.text.strip()
        assert not set("{}()@|_") & set(sentence.text), sentence.text


def test_the_hand_written_sentences_are_many_and_near_balance(corpus: Corpus) -> None:
    labels = Counter(s.label for s in corpus.natural)
    assert sum(labels.values()) >= 500
    assert abs(labels[0] - labels[1]) <= sum(labels.values()) // 10


@pytest.mark.parametrize("line", ["good film", "*\tgood film", "+\t ", "+\tplain\tgood\tfilm"])
def test_a_malformed_line_is_named_with_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"some\.tsv, line 2: expected"):
        parse(f"+\tfine\n{line}\n", "some.tsv")
