# SPDX-License-Identifier: GPL-3.0-or-later
"""Which waiting rows make the next batch. Pure: no clock, no threads, no model.

Two wishes pull against each other. A batch of rows of like length wastes nothing on padding; but whoever always takes
the rows that fit best lets an unusual row wait for ever. So the row that is due first is always in the next batch, and
the others are chosen to fit it.

Due is not arrived: the rows of one request are due one after the other, a step apart, so that a request of a thousand
rows leaves room for a request of one row that comes after it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a batch may grow around its first row.

    rows: the most rows.
    tokens: the most rows × longest row. A processor is busy with some hundreds of tokens; more of them only make the
        batch take longer. The first row is taken however long it is.
    padding: the most tokens of padding that one more row may cause. Measured on DistilBERT, a run of n tokens takes as
        long as n + 14 of them (int8; n + 19 for fp32), so one more row saves that much, and a row that causes more
        padding is better off in another batch. About half of it came out best for 32 callers with texts of mixed
        lengths: 7 % above the cost of the bare tokens, against 12 % without batches and 20 % without this bound.
    overtake: a row goes into a batch before its turn only past so many tokens that are due before it. Whoever answers
        again and again those that came late but fit makes the others wait: simulated with 32 callers and texts of mixed
        lengths, the slowest hundredth waits 1.3 times as long as in the order of arrival without this bound, and 1.04
        times with it, for 2 % of the throughput. Short rows are not held up: dozens of them are due within the bound.
    """

    rows: int = 32
    tokens: int = 512
    padding: int = 8
    overtake: int = 1024


# So many tokens keep a processor busy: measured on DistilBERT, int8 and fp32, more gain a tenth at most.
BUSY_TOKENS = 128


def share(limits: Limits, tokens: int, threads: int) -> Limits:
    """The limits for one of several threads that are free: an equal part of what waits.

    Two threads with a batch each are faster than one with all of it, unless that leaves each too little to be busy.

    Args:
        tokens: how many tokens wait.
        threads: how many threads are free, the one that asks included.
    """
    part = max(BUSY_TOKENS, math.ceil(tokens / threads))
    return limits if part >= limits.tokens else replace(limits, tokens=part)


@dataclass(order=True, slots=True)
class Waiting(Generic[Item]):
    """One row that waits. Of two that are due at the same time, the one that was added first goes first."""

    due: float
    number: int
    length: int = field(compare=False)
    group: Hashable = field(compare=False)
    item: Item = field(compare=False)


def due_times(arrived: float, count: int, step: float) -> list[float]:
    """When each row of a request is due, in seconds: the first on arrival, each of the others `step` after the last."""
    return [arrived + index * step for index in range(count)]


class Queue(Generic[Item]):
    """The rows that wait, by group and in the order in which they are due."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group[Item]] = {}
        self._count = 0
        self._added = 0
        # The sum of the waiting rows' lengths.
        self.tokens = 0

    def __len__(self) -> int:
        return self._count

    def add(self, item: Item, due: float, length: int = 1, group: Hashable = None) -> Waiting[Item]:
        """Let a row wait. What is returned can be given to `discard`."""
        self._added += 1
        self._count += 1
        # No row costs nothing: a length of 0 would make padding of everything else.
        waiting = Waiting(due, self._added, max(1, length), group, item)
        self.tokens += waiting.length
        self._groups.setdefault(group, _Group()).add(waiting)
        return waiting

    def discard(self, rows: Iterable[Waiting[Item]]) -> int:
        """Let rows wait no longer; those that were taken already are passed over. Returns how many were removed."""
        unwanted: dict[Hashable, set[int]] = {}
        for row in rows:
            unwanted.setdefault(row.group, set()).add(row.number)
        removed: list[int] = []
        for key, numbers in unwanted.items():
            if (group := self._groups.get(key)) is not None:
                removed += group.discard(numbers)
                if not group.rows:
                    del self._groups[key]
        self._count -= len(removed)
        self.tokens -= sum(removed)
        return len(removed)

    def take(self, limits: Limits) -> list[Waiting[Item]]:
        """Remove and return the next batch, the row that is due first at its head; empty where nothing waits."""
        if not self._count:
            return []
        key, group = min(self._groups.items(), key=lambda entry: entry[1].rows[0])
        batch = group.take(limits)
        if not group.rows:
            del self._groups[key]
        self._count -= len(batch)
        self.tokens -= sum(row.length for row in batch)
        return batch


class _Group(Generic[Item]):
    """The waiting rows of one group, in the order in which they are due."""

    def __init__(self) -> None:
        self.rows: list[Waiting[Item]] = []

    def add(self, row: Waiting[Item]) -> None:
        # Nearly every row is due after all others, so nearly every row goes to the end.
        if self.rows and row < self.rows[-1]:
            bisect.insort(self.rows, row)
        else:
            self.rows.append(row)

    def discard(self, numbers: set[int]) -> list[int]:
        """Remove rows by number. Returns the lengths of those that were there."""
        removed = [row.length for row in self.rows if row.number in numbers]
        if removed:
            self.rows = [row for row in self.rows if row.number not in numbers]
        return removed

    def take(self, limits: Limits) -> list[Waiting[Item]]:
        """The row that is due first, and of those due soon after it what is nearest in length, within the limits."""
        first = self.rows[0]
        chosen, longest = [0], first.length
        # What does not fit on the longer or on the shorter side fits even less further out.
        shortest_allowed, longest_allowed = 0.0, math.inf
        for index in self._nearest(limits.overtake):
            if len(chosen) == limits.rows:
                break
            length = self.rows[index].length
            if not shortest_allowed < length < longest_allowed:
                continue
            width = max(longest, length)
            cells = width * (len(chosen) + 1)
            padding = cells - length - longest * len(chosen)
            if cells > limits.tokens or padding > limits.padding:
                if length < first.length:
                    shortest_allowed = length
                else:
                    longest_allowed = length
            else:
                chosen.append(index)
                longest = width
        batch = [self.rows[index] for index in chosen]
        for index in sorted(chosen, reverse=True):
            del self.rows[index]
        return batch

    def _nearest(self, overtake: int) -> list[int]:
        """The rows that may overtake those due before them, the nearest in length to the first row first."""
        length, tokens, end = self.rows[0].length, 0, 1
        while end < len(self.rows) and tokens <= overtake:
            tokens += self.rows[end].length
            end += 1
        # Sorting keeps those of one length in the order in which they are due.
        return sorted(range(1, end), key=lambda index: abs(self.rows[index].length - length))
