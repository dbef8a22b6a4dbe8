# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a graph says what the torch model says. Pure: arrays in, a verdict out.

A unit is what gets one label: a text, a token of it, or a masked position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What is required of a graph.

    Attributes:
        same_label: the least share of units with the same label.
        max_score_difference: the most by which any score (0 to 1) may differ.
        mean_score_difference: the most by which they may differ on average.
        similarity: the least cosine of the angle between two vectors of one text.
    """

    same_label: float
    max_score_difference: float
    mean_score_difference: float
    similarity: float


# What summing in another order does to float32, and no more; the cosine is that of vectors 1e-4 of their length apart.
FLOAT32 = Bounds(same_label=1.0, max_score_difference=1e-4, mean_score_difference=1e-4, similarity=1 - 5e-9)
# A label can only turn where two scores are closer than twice the greatest difference: with 0.1, where the winner has
# less than 0.6 of 1. The mean keeps a graph from being a little wrong everywhere. A hundredth of cosine changes the
# order of neighbours only where they are as good as equally near.
INT8 = Bounds(same_label=0.995, max_score_difference=0.1, mean_score_difference=0.01, similarity=0.99)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far a graph and the torch model agree. `similarity` is None where there are labels, and vice versa."""

    texts: int
    units: int
    same_label: float | None = None
    max_score_difference: float | None = None
    mean_score_difference: float | None = None
    similarity: float | None = None
    mean_similarity: float | None = None

    def failures(self, bounds: Bounds) -> list[str]:
        """What is not good enough, a phrase for each; empty where all is."""
        found = []
        if self.same_label is not None and self.same_label < bounds.same_label:
            found.append(f"the label is the same on {self.same_label:.2%} only, {bounds.same_label:.1%} are required")
        for name, value, most in (
            ("a score differs by up to", self.max_score_difference, bounds.max_score_difference),
            ("scores differ on average by", self.mean_score_difference, bounds.mean_score_difference),
        ):
            # Written so that NaN is a failure too.
            if value is not None and not value <= most:
                found.append(f"{name} {value:.2g}, at most {most:g} is allowed")
        if self.similarity is not None and not self.similarity >= bounds.similarity:
            found.append(f"vectors are as far apart as cosine {self.similarity:.5f}, {bounds.similarity:g} is required")
        return found


def compare_labels(expected: Sequence[Floats], actual: Sequence[Floats], *, sigmoid: bool = False) -> Agreement:
    """Compare logits.

    Args:
        expected: for each text the torch model's logits, shape [units, labels].
        actual: the graph's, of the same shapes.
        sigmoid: True where each label has a score of its own; a unit's label is then the set of those above one half.
    """
    same, units, total, greatest, count = 0, 0, 0.0, 0.0, 0
    for wanted, given in zip(expected, actual, strict=True):
        left, right = (_scores(np.asarray(logits, dtype=np.float64), sigmoid) for logits in (wanted, given))
        difference = np.abs(left - right)
        if sigmoid:
            same += int(((left > 0.5) == (right > 0.5)).all(axis=1).sum())
        else:
            same += int((left.argmax(axis=1) == right.argmax(axis=1)).sum())
            # Of a vocabulary of thousands most scores are nothing and agree; the winner's is what counts.
            difference = np.take_along_axis(difference, left.argmax(axis=1)[:, None], axis=1)
        units += len(left)
        total += float(difference.sum())
        count += difference.size
        greatest = max(greatest, float(difference.max(initial=0.0)), key=lambda value: (np.isnan(value), value))
    return Agreement(
        texts=len(expected),
        units=units,
        same_label=same / units if units else 0.0,
        max_score_difference=greatest,
        mean_score_difference=total / count if count else float("nan"),
    )


def compare_numbers(expected: Sequence[Floats], actual: Sequence[Floats]) -> Agreement:
    """Compare a model of one number for each text (a regression): differences in units of the numbers' own spread."""
    wanted, given = (np.concatenate([np.ravel(values) for values in side]) for side in (expected, actual))
    difference = np.abs(wanted - given) / max(float(wanted.std()), 1e-6)
    return Agreement(
        texts=len(expected),
        units=len(wanted),
        max_score_difference=float(difference.max()),
        mean_score_difference=float(difference.mean()),
    )


def compare_vectors(expected: Sequence[Floats], actual: Sequence[Floats]) -> Agreement:
    """Compare vectors by the cosine of their angle; the least one counts.

    Args:
        expected: for each text its vectors, shape [vectors, size]: one for a sentence, else one for each token.
        actual: the graph's, of the same shapes.
    """
    cosines = []
    for wanted, given in zip(expected, actual, strict=True):
        left, right = np.asarray(wanted, dtype=np.float64), np.asarray(given, dtype=np.float64)
        lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        cosines.append(float(((left * right).sum(axis=1) / np.maximum(lengths, 1e-30)).mean()))
    return Agreement(
        texts=len(cosines),
        units=sum(len(vectors) for vectors in expected),
        similarity=min(cosines),
        mean_similarity=float(np.mean(cosines)),
    )


def _scores(logits: Floats, sigmoid: bool) -> Floats:
    if sigmoid:
        small = np.exp(-np.abs(logits))
        return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
