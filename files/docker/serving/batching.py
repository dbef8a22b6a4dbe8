# SPDX-License-Identifier: GPL-3.0-or-later
"""Which waiting rows make the next batch. Pure: no clock, no threads, no model.

Two wishes pull against each other. A batch of rows of like length wastes nothing on padding; but whoever always takes
the rows that fit best lets an unusual row wait for ever. So the row that is due first is always in the next batch, and
the others are chosen to fit it.

Due is not arrived: the rows of one request are due one after the other, a step apart, so that a request of a thousand
rows leaves room for a request of one row that comes after it.
"""

from __future__ import annotations

import heapq
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
    """

    rows: int = 32
    tokens: int = 512
    padding: int = 8


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
    """The rows that wait, by group and by length, so that taking a batch does not look at each of them."""

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
                if not group.heaps:
                    del self._groups[key]
        self._count -= len(removed)
        self.tokens -= sum(removed)
        return len(removed)

    def take(self, limits: Limits) -> list[Waiting[Item]]:
        """Remove and return the next batch, the row that is due first at its head; empty where nothing waits."""
        if not self._count:
            return []
        key, group = min(self._groups.items(), key=lambda entry: entry[1].first())
        batch = group.take(limits)
        if not group.heaps:
            del self._groups[key]
        self._count -= len(batch)
        self.tokens -= sum(row.length for row in batch)
        return batch


class _Group(Generic[Item]):
    """The waiting rows of one group: for each length a heap by due time."""

    def __init__(self) -> None:
        self.heaps: dict[int, list[Waiting[Item]]] = {}

    def add(self, row: Waiting[Item]) -> None:
        heapq.heappush(self.heaps.setdefault(row.length, []), row)

    def first(self) -> Waiting[Item]:
        return min(heap[0] for heap in self.heaps.values())

    def discard(self, numbers: set[int]) -> list[int]:
        """Remove rows by number. Returns the lengths of those that were there."""
        removed: list[int] = []
        for length, heap in list(self.heaps.items()):
            kept = [row for row in heap if row.number not in numbers]
            if len(kept) < len(heap):
                removed += [length] * (len(heap) - len(kept))
                heapq.heapify(kept)
                self.heaps[length] = kept
                self._forget_if_empty(length)
        return removed

    def take(self, limits: Limits) -> list[Waiting[Item]]:
        """The row that is due first, and then what is nearest to it in length, as far as the limits allow."""
        middle = self.first().length
        batch = [heapq.heappop(self.heaps[middle])]
        longest = middle
        # What does not fit on the longer or on the shorter side fits even less further out.
        shortest_allowed, longest_allowed = 0.0, math.inf
        for length in sorted(self.heaps, key=lambda length: abs(length - middle)):
            heap = self.heaps[length]
            while heap and shortest_allowed < length < longest_allowed and len(batch) < limits.rows:
                width = max(longest, length)
                cells = width * (len(batch) + 1)
                padding = cells - length - longest * len(batch)
                if cells > limits.tokens or padding > limits.padding:
                    if length < middle:
                        shortest_allowed = length
                    else:
                        longest_allowed = length
                    break
                batch.append(heapq.heappop(heap))
                longest = width
            self._forget_if_empty(length)
            if len(batch) == limits.rows:
                break
        return batch

    def _forget_if_empty(self, length: int) -> None:
        if not self.heaps[length]:
            del self.heaps[length]
