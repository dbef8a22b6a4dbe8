# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model learns from: the grammar's sentences, and the hand-written ones with other neutral words."""

from __future__ import annotations

import random
import re
from pathlib import Path

from grammar import Grammar
from held_out_guard import read_training_text
from labelled import LabelledSentence, parse

# Sections whose words carry no verdict: they may be exchanged for one another, and every one belongs in the vocabulary.
NEUTRAL_SECTIONS = ("noun", "activity", "place", "time", "name", "descriptor", "do", "role", "number", "too")
JUDGING_SECTIONS = (
    *("adj", "feel", "fond", "better", "best", "adv", "like", "affect", "affect_me", "go", "event"),
    *("np", "np_negated", "quality", "thing_np", "act", "done_to", "befall", "sight", "habit"),
)
NATURAL_SHARE = 0.14
# How often a neutral noun of a hand-written sentence, or of one by the grammar, becomes another noun or an unseen word.
SWAP_IN_NATURAL = 0.4
SWAP_IN_GRAMMAR = 0.12
BARE = 0.1
# The first part of a sample is plain statements: a denial is only learnable once the words it denies are known.
PLAIN_FIRST = 0.15


class Corpus:
    """The training material in ``directory`` (files/model/sentences)."""

    def __init__(self, directory: Path) -> None:
        """Raises HeldOutError if any of it is held out, GrammarError or ValueError if a file is malformed."""
        irregular = directory / "lexicon" / "irregular_verbs.txt"
        files = sorted(path for part in ("lexicon", "grammar") for path in (directory / part).glob("*.txt"))
        self.grammar = Grammar([path for path in files if path != irregular], irregular)
        natural = directory / "natural.tsv"
        self.natural = parse(read_training_text(natural), natural.name)
        judging = {word for entry in self._entries((*JUDGING_SECTIONS, "idiom")) for word in _words(entry)}
        self._nouns: dict[str, list[str]] = {}
        for form in ("", "plural"):
            nouns = [noun for noun in self.grammar.noun_forms("noun", form) if _words(noun) == [noun]]
            # "bear" and "deal" are nouns too, but not where nobody can bear it or deal with it.
            self._nouns.update(dict.fromkeys((noun for noun in nouns if noun not in judging), nouns))

    def sample(self, count: int, seed: int) -> list[LabelledSentence]:
        """``count`` sentences, half of them positive, the same ones for the same seed."""
        rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
        by_label = [[s for s in self.natural if s.label == label] for label in (0, 1)]
        plain = int(count * PLAIN_FIRST)
        return [self._one(index % 2, index < plain, by_label, rng) for index in range(count)]

    def _one(
        self, label: int, plain: bool, natural: list[list[LabelledSentence]], rng: random.Random
    ) -> LabelledSentence:
        if plain:
            text = self.grammar.sentence(rng, label, "plain_statement")
        elif rng.random() < NATURAL_SHARE:
            text = self._vary(rng.choice(natural[label]).text, SWAP_IN_NATURAL, rng)
        else:
            text = self._vary(self.grammar.sentence(rng, label), SWAP_IN_GRAMMAR, rng)
        if rng.random() < BARE:
            text = text.rstrip(".!")
        return LabelledSentence(label, "", text)

    def _vary(self, text: str, share: float, rng: random.Random) -> str:
        """The same sentence about other things: a ``share`` of its neutral nouns become other nouns or unseen words."""

        def swap(match: re.Match[str]) -> str:
            others = self._nouns.get(match[0])
            if not others or rng.random() >= share:
                return match[0]
            one, other = rng.choice(others), rng.choice(others)
            return one if rng.random() < 0.5 else one[: len(one) // 2 + 1] + other[len(other) // 2 :]

        return re.sub(r"[a-z]+", swap, text)

    def words(self) -> list[str]:
        """Every entry of the lexicon, for the tokenizer: judging and neutral ones alike."""
        return self._entries((*JUDGING_SECTIONS, *NEUTRAL_SECTIONS))

    def _entries(self, sections: tuple[str, ...]) -> list[str]:
        return [entry for section in sections for entry in self.grammar.entries(section)]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())
