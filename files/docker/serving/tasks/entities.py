# SPDX-License-Identifier: GPL-3.0-or-later
"""From scores of tokens to entities: the aggregation strategies of transformers' TokenClassificationPipeline.

The rules are transformers' own (its page "Pipelines", TokenClassificationPipeline), so that the same model gives the
same entities here and there:

- none: each token for itself.
- simple: neighbours with the same tag make one entity; B- begins a new one.
- first, average, max: the tokens of a word get one tag first, by the word's first token, by the mean of the scores or
  by the token that is surest; then as simple.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

STRATEGIES = ("none", "simple", "first", "average", "max")

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text. `start` and `end` count characters of the text; `index` counts the text's tokens.

    `continues` is True where it goes on with the word of the token before. `scores` has one score for each label.
    """

    word: str
    start: int
    end: int
    index: int
    continues: bool
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class _Tagged:
    """Tokens, or a whole word, with the label they were given."""

    label: str
    score: np.floating[Any]
    word: str
    start: int
    end: int


def entities(
    tokens: Sequence[Token],
    labels: Sequence[str],
    strategy: str,
    ignored: Iterable[str],
    join: Callable[[list[str]], str],
) -> list[dict[str, Any]]:
    """The entities of one text, as the pipeline gives them.

    Args:
        strategy: one of STRATEGIES.
        ignored: labels that are no entity, with strategy none; else tags, without B- and I-.
        join: makes a text of tokens.

    Returns:
        {"entity", "score", "index", "word", "start", "end"} for each token with strategy none, else {"entity_group",
        "score", "word", "start", "end"}.
    """
    ignored = set(ignored)
    if strategy == "none":
        found = [
            {
                "entity": tagged.label,
                "score": float(tagged.score),
                "index": token.index,
                "word": token.word,
                "start": token.start,
                "end": token.end,
            }
            for token in tokens
            if (tagged := _tag([token], labels, "first")).label not in ignored
        ]
        return found
    if strategy == "simple":
        parts = [_tag([token], labels, "first") for token in tokens]
    else:
        parts = [_tag(word, labels, strategy, join) for word in _words(tokens)]
    groups = [_merge(group, join) for group in _groups(parts)]
    return [group for group in groups if group["entity_group"] not in ignored]


def _words(tokens: Sequence[Token]) -> list[list[Token]]:
    words: list[list[Token]] = []
    for token in tokens:
        if words and token.continues:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _tag(
    tokens: Sequence[Token], labels: Sequence[str], strategy: str, join: Callable[[list[str]], str] | None = None
) -> _Tagged:
    if strategy == "average":
        scores = np.nanmean(np.stack([token.scores for token in tokens]), axis=0)
    elif strategy == "max":
        scores = max(tokens, key=lambda token: token.scores.max()).scores
    else:
        scores = tokens[0].scores
    best = int(scores.argmax())
    word = join([token.word for token in tokens]) if join else tokens[0].word
    return _Tagged(labels[best], scores[best], word, tokens[0].start, tokens[-1].end)


def _groups(parts: Sequence[_Tagged]) -> list[list[_Tagged]]:
    groups: list[list[_Tagged]] = []
    for part in parts:
        begins, tag = _split(part.label)
        if groups and not begins and tag == _split(groups[-1][-1].label)[1]:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _split(label: str) -> tuple[bool, str]:
    """Whether a label begins an entity, and its tag. Without B- or I- it goes on with its like."""
    if label.startswith("B-"):
        return True, label[2:]
    return False, label.removeprefix("I-")


def _merge(group: Sequence[_Tagged], join: Callable[[list[str]], str]) -> dict[str, Any]:
    return {
        # transformers takes off whatever stands before the first hyphen, here.
        "entity_group": group[0].label.split("-", 1)[-1],
        "score": float(np.nanmean([part.score for part in group])),
        "word": join([part.word for part in group]),
        "start": group[0].start,
        "end": group[-1].end,
    }
