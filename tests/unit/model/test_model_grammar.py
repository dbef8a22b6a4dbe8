# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar's file format: polarity, choices, forms, and errors that name the file and the line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from grammar import NEGATIVE, POSITIVE, Grammar, GrammarError, finish

WORDS = """
[adj +]
good
[adj -]
bad
[like + | verb]
love
[like - | verb]
tire of
[noun | noun]
city
child | children
"""


def grammar(tmp_path: Path, text: str) -> Grammar:
    (tmp_path / "words.txt").write_text(WORDS)
    (tmp_path / "rules.txt").write_text(text)
    (tmp_path / "irregular.txt").write_text("be is was being been\n")
    return Grammar([tmp_path / "words.txt", tmp_path / "rules.txt"], tmp_path / "irregular.txt")


def sentences(tmp_path: Path, line: str, label: int, count: int = 40) -> set[str]:
    rules, rng = grammar(tmp_path, f"[text]\n{line}\n"), random.Random(1)
    return {rules.sentence(rng, label) for _ in range(count)}


@pytest.mark.parametrize(
    ("line", "positive", "negative"),
    [
        ("{adj} work", "Good work", "Bad work"),
        ("never {!adj}", "Never bad", "Never good"),
        ("{adj-} or {adj+}", "Bad or good", "Bad or good"),
        ("we {like.past} it", "We loved it", "We tired of it"),
        ("she {like.s} it, no {!like.ing} it", "She loves it, no tiring of it", "She tires of it, no loving it"),
    ],
)
def test_a_reference_carries_flips_or_fixes_the_polarity(
    tmp_path: Path, line: str, positive: str, negative: str
) -> None:
    assert sentences(tmp_path, line, POSITIVE) == {positive}
    assert sentences(tmp_path, line, NEGATIVE) == {negative}


def test_a_line_with_a_label_of_its_own_serves_that_label_only(tmp_path: Path) -> None:
    rules = "[text]\nyes\n{odd}\n[odd]\nwell -> +\nhm\n"
    loaded, rng = grammar(tmp_path, rules), random.Random(1)
    negative = {loaded.sentence(rng, NEGATIVE) for _ in range(60)}
    positive = {loaded.sentence(rng, POSITIVE) for _ in range(60)}
    assert negative == {"Yes", "Hm"}
    assert positive == {"Yes", "Hm", "Well"}


def test_choices_may_nest_and_may_be_empty(tmp_path: Path) -> None:
    assert sentences(tmp_path, "to(p/ (c/d)/) me", POSITIVE) == {"Top me", "To c me", "To d me", "To me"}


def test_a_weight_makes_a_line_more_likely(tmp_path: Path) -> None:
    rules, rng = grammar(tmp_path, "[text]\nrare\noften @19\n"), random.Random(1)
    drawn = [rules.sentence(rng, POSITIVE) for _ in range(1000)]
    assert 900 < drawn.count("Often") < 990


def test_a_neutral_reference_reaches_words_and_their_plurals(tmp_path: Path) -> None:
    assert sentences(tmp_path, "{.noun} of {.noun.plural}", POSITIVE) == {
        "City of cities",
        "City of children",
        "Child of cities",
        "Child of children",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{nosuch} thing", r"rules.txt, line 2: there is no section \[nosuch\]"),
        ("an (open bracket", "rules.txt, line 2: a bracket is opened but never closed"),
        ("a closed) bracket", "rules.txt, line 2: a bracket is closed but never opened"),
        ("{not a name}", "rules.txt, line 2: a reference is not of the form"),
        ("[Not A Heading]", "rules.txt, line 2: .* is neither a heading nor below one"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        grammar(tmp_path, f"[text]\n{line}\n")


def test_a_neutral_reference_to_judging_words_is_an_error(tmp_path: Path) -> None:
    rules = grammar(tmp_path, "[text]\nso {.adj}\n")
    with pytest.raises(GrammarError, match=r"\[adj\] has nothing for the polarity None"):
        rules.sentence(random.Random(1), POSITIVE)


def test_the_finish_makes_written_english() -> None:
    class NeverContracts(random.Random):
        def random(self) -> float:
            return 1.0

    assert finish("a  apple , and a pear .", NeverContracts()) == "An apple, and a pear."
    assert finish("it was not. we left", NeverContracts()) == "It was not. We left"
    assert finish("we did not wait", random.Random(2)) in {"We didn't wait", "We did not wait"}
