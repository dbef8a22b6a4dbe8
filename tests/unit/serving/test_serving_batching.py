# SPDX-License-Identifier: GPL-3.0-or-later
"""Which waiting rows make the next batch, for whatever rows come in whatever order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.batching import BUSY_TOKENS, Limits, Queue, due_times, share

ROWS = st.lists(
    st.tuples(st.floats(0, 100), st.integers(0, 512), st.sampled_from([None, "a", ("b", 1)])), min_size=1, max_size=80
)
LIMITS = st.builds(
    Limits,
    rows=st.integers(1, 40),
    tokens=st.integers(1, 4096),
    padding=st.integers(0, 600),
    overtake=st.integers(0, 2000),
)


def filled(rows: Sequence[tuple[float, int, object]]) -> Queue[int]:
    queue: Queue[int] = Queue()
    for number, (due, length, group) in enumerate(rows):
        queue.add(number, due, length, group)  # type: ignore[arg-type]
    return queue


def drained(queue: Queue[int], limits: Limits) -> list[list[int]]:
    batches = []
    while len(queue):
        batches.append([row.item for row in queue.take(limits)])
    return batches


@given(ROWS, LIMITS)
def test_every_row_is_in_one_batch_once(rows: list[tuple[float, int, object]], limits: Limits) -> None:
    queue = filled(rows)
    found = [number for batch in drained(queue, limits) for number in batch]
    assert sorted(found) == list(range(len(rows)))
    assert (len(queue), queue.tokens, queue.take(limits)) == (0, 0, [])


@given(ROWS, LIMITS)
def test_the_row_that_is_due_first_is_always_in_the_next_batch(
    rows: list[tuple[float, int, object]], limits: Limits
) -> None:
    waiting = set(range(len(rows)))
    for batch in drained(filled(rows), limits):
        assert batch[0] == min(waiting, key=lambda number: (rows[number][0], number))
        waiting -= set(batch)


@given(ROWS, LIMITS)
def test_a_batch_keeps_to_its_limits_and_to_one_group(rows: list[tuple[float, int, object]], limits: Limits) -> None:
    for batch in drained(filled(rows), limits):
        lengths = [max(1, rows[number][1]) for number in batch]
        assert len({rows[number][2] for number in batch}) == 1
        assert len(batch) <= limits.rows
        if len(batch) > 1:
            assert len(batch) * max(lengths) <= limits.tokens
        for taken in range(1, len(batch)):
            before, after = max(lengths[:taken]), max(lengths[: taken + 1])
            assert after * (taken + 1) - before * taken - lengths[taken] <= limits.padding


@given(ROWS, LIMITS)
def test_a_row_overtakes_no_more_than_it_may(rows: list[tuple[float, int, object]], limits: Limits) -> None:
    waiting = set(range(len(rows)))
    for batch in drained(filled(rows), limits):
        for number in batch[1:]:
            before = [
                other
                for other in waiting - {batch[0]}
                if rows[other][2] == rows[number][2] and (rows[other][0], other) < (rows[number][0], number)
            ]
            assert sum(max(1, rows[other][1]) for other in before) <= limits.overtake
        waiting -= set(batch)


@given(ROWS, LIMITS, st.data())
def test_a_row_that_was_given_up_is_never_taken(
    rows: list[tuple[float, int, object]], limits: Limits, data: st.DataObject
) -> None:
    queue: Queue[int] = Queue()
    waiting = [queue.add(number, *row) for number, row in enumerate(rows)]  # type: ignore[arg-type]
    taken = {row.item for row in queue.take(limits)}
    unwanted = data.draw(st.sets(st.sampled_from(range(len(rows)))))
    assert queue.discard([waiting[number] for number in unwanted]) == len(unwanted - taken)
    left = {number for batch in drained(queue, limits) for number in batch}
    assert left == set(range(len(rows))) - taken - unwanted
    assert queue.tokens == 0


@given(st.integers(0, 10_000))
def test_a_long_row_waits_for_no_more_than_what_was_due_before_it(seed: int) -> None:
    """The prototype sorted by length, and a stream of short rows kept the long one waiting for ever."""
    chooser = random.Random(seed)
    queue: Queue[str] = Queue()
    limits = Limits(rows=8, tokens=512)
    for number in range(24):
        queue.add("before", number * 0.001, chooser.randrange(6, 12))
    queue.add("long", 0.5, 480)
    batches = 0
    for round_ in range(1000):
        batch = queue.take(limits)
        batches += 1
        if batch[0].item == "long":
            break
        # A caller whose short row was answered comes back at once, for ever.
        for _ in batch:
            queue.add("after", 1.0 + round_, chooser.randrange(6, 12))
    assert batches <= 24 + 1


@given(st.integers(2, 1000), st.integers(1, 20))
def test_a_request_of_one_row_does_not_wait_for_all_of_a_request_of_many(many: int, rows: int) -> None:
    """However far the large request is, the small one is in the batch after the one that runs."""
    queue: Queue[str] = Queue()
    seconds_per_row = 0.01
    for due in due_times(0.0, many, 2 * seconds_per_row):
        queue.add("large", due, 16)
    now = 0.0
    while len(queue) and now < 0.5 * many * seconds_per_row:
        now += len(queue.take(Limits(rows=rows, tokens=10_000))) * seconds_per_row
    queue.add("small", now, 16)
    assert "small" in [row.item for row in queue.take(Limits(rows=rows, tokens=10_000))]


def test_a_batch_is_filled_with_the_rows_nearest_in_length() -> None:
    queue: Queue[int] = Queue()
    for length in (60, 10, 64, 58, 200, 63, 59):
        queue.add(length, due=0.0 if length == 60 else 1.0, length=length)
    batch = queue.take(Limits(rows=4, tokens=10_000, padding=20))
    assert [row.item for row in batch] == [60, 59, 58, 63]


def test_a_row_that_costs_more_padding_than_it_saves_goes_into_another_batch() -> None:
    queue = filled([(0.0, 40, None), (1.0, 36, None), (2.0, 20, None), (3.0, 43, None), (4.0, 80, None)])
    assert drained(queue, Limits(padding=8)) == [[0, 3, 1], [2], [4]]


def test_of_rows_of_one_length_those_that_are_due_first_go_first() -> None:
    queue: Queue[float] = Queue()
    for due in (3.0, 1.0, 4.0, 2.0):
        queue.add(due, due, 8)
    assert [row.item for row in queue.take(Limits(rows=3))] == [1.0, 2.0, 3.0]


def test_a_row_longer_than_any_batch_may_be_goes_alone() -> None:
    queue = filled([(0.0, 5000, None), (0.0, 5000, None)])
    assert drained(queue, Limits(tokens=512)) == [[0], [1]]


@pytest.mark.parametrize(("tokens", "threads", "expected"), [(1000, 2, 500), (100, 2, BUSY_TOKENS), (9000, 2, 512)])
def test_free_threads_share_what_waits_unless_that_leaves_them_too_little(
    tokens: int, threads: int, expected: int
) -> None:
    assert share(Limits(tokens=512), tokens, threads).tokens == expected


def test_the_rows_of_a_request_are_due_one_after_the_other() -> None:
    assert due_times(10.0, 3, 0.5) == [10.0, 10.5, 11.0]
