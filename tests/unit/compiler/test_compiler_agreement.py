# SPDX-License-Identifier: GPL-3.0-or-later
"""When a graph agrees with its model, decided from numbers alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiler.agreement import FLOAT32, INT8, compare_labels, compare_numbers, compare_vectors


def logits(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def with_flips(texts: int, flips: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Texts that are nearly undecided, of which some turn."""
    expected = [logits((0.05, -0.05)) for _ in range(texts)]
    return expected, [logits((-0.05, 0.05)) if number < flips else one for number, one in enumerate(expected)]


def test_equal_logits_agree_completely() -> None:
    same = [logits((1.0, -1.0)), logits((0.2, 0.9))]
    found = compare_labels(same, same)
    assert (found.same_label, found.max_score_difference, found.mean_score_difference) == (1.0, 0.0, 0.0)
    assert found.failures(FLOAT32) == []


@pytest.mark.parametrize(("flips", "enough"), [(0, True), (5, True), (6, False), (1000, False)])
def test_at_most_five_labels_of_a_thousand_may_turn(flips: int, enough: bool) -> None:
    failures = compare_labels(*with_flips(1000, flips)).failures(INT8)
    assert (not any("label" in failure for failure in failures)) is enough


def test_one_score_that_is_far_off_is_enough_to_fail() -> None:
    expected = [logits((3.0, -3.0))] * 1000
    actual = [logits((0.5, -0.5)), *expected[1:]]
    found = compare_labels(expected, actual)
    assert found.same_label == 1.0
    assert ["up to" in failure for failure in found.failures(INT8)] == [True]


def test_scores_that_are_a_little_wrong_everywhere_fail() -> None:
    expected = [logits((0.1, -0.1))] * 100
    actual = [logits((0.15, -0.15))] * 100
    assert ["on average" in failure for failure in compare_labels(expected, actual).failures(INT8)] == [True]


def test_a_graph_that_answers_no_number_never_agrees() -> None:
    found = compare_labels([logits((1.0, 0.0))] * 3, [logits((math.nan, 0.0)), *[logits((1.0, 0.0))] * 2])
    assert found.failures(INT8)
    assert compare_vectors([logits((1.0, 0.0))], [logits((math.nan, 0.0))]).failures(INT8)
    assert compare_numbers([logits((1.0,)), logits((2.0,))], [logits((math.nan,)), logits((2.0,))]).failures(INT8)


def test_tokens_count_one_by_one_and_not_text_by_text() -> None:
    expected = [logits((1.0, 0.0), (0.0, 1.0), (1.0, 0.0)), logits((0.0, 1.0))]
    actual = [logits((1.0, 0.0), (1.0, 0.0), (1.0, 0.0)), logits((0.0, 1.0))]
    found = compare_labels(expected, actual)
    assert (found.texts, found.units, found.same_label) == (2, 4, 0.75)


def test_where_several_labels_may_hold_all_of_them_must_stay() -> None:
    expected, actual = [logits((2.0, 0.1, -2.0))], [logits((2.0, -0.1, -2.0))]
    assert compare_labels(expected, actual, sigmoid=True).same_label == 0.0
    assert compare_labels(expected, actual).same_label == 1.0


def test_vectors_are_as_alike_as_the_two_that_are_least_alike() -> None:
    expected = [logits((1.0, 0.0)), logits((1.0, 0.0))]
    actual = [logits((2.0, 0.0)), logits((1.0, 1.0))]
    found = compare_vectors(expected, actual)
    assert found.similarity == pytest.approx(math.sqrt(0.5))
    assert found.mean_similarity == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert found.failures(INT8)


def test_numbers_are_compared_in_units_of_their_own_spread() -> None:
    expected = [logits((100.0,)), logits((300.0,))]
    assert compare_numbers(expected, [logits((101.0,)), logits((300.0,))]).max_score_difference == pytest.approx(0.01)
