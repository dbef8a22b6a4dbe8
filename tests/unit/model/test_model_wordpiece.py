# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokenizer: one vocabulary for one set of sentences, pieces for unseen words, and negations spelt out."""

from __future__ import annotations

import pytest
import wordpiece
from corpus import Corpus
from evaluate import HERE

SENTENCES = [s.text for s in Corpus(HERE / "sentences").sample(2000, seed=5)]


def test_the_vocabulary_does_not_depend_on_the_order_of_the_sentences() -> None:
    forward = wordpiece.build(SENTENCES, 2000).get_vocab()
    backward = wordpiece.build(reversed(SENTENCES), 2000).get_vocab()
    assert forward == backward
    assert len(forward) == 2000
    assert sorted(forward.values()) == list(range(2000))


def test_an_unseen_word_becomes_pieces_and_not_an_unknown() -> None:
    encoding = wordpiece.build(SENTENCES, 2000).encode("Zyxwolbing")
    assert "[UNK]" not in encoding.tokens
    assert encoding.tokens[0] == "[CLS]"
    assert encoding.tokens[-1] == "[SEP]"
    assert "".join(encoding.tokens[1:-1]).replace("##", "") == "zyxwolbing"


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("Don't", "do not"),
        ("DIDN’T", "did not"),
        ("wasnt", "was not"),
        ("can't", "can not"),
        ("cannot", "can not"),
        ("won't", "will not"),
        ("I'm", "i am"),
        ("they've", "they have"),
        ("parent", "parent"),
        ("Café", "cafe"),
    ],
)
def test_the_normaliser_spells_contractions_out_and_leaves_words_alone(written: str, spelt: str) -> None:
    assert wordpiece.normalizer().normalize_str(written) == spelt
