# SPDX-License-Identifier: GPL-3.0-or-later
"""What a read answers for some seconds after a write: what it answered before. Pure, but for the clock it is given.

The memory holds what reads in a fault's scope answered, and when what was written. As of `seconds` ago, an answer is
right if it was given after the last write of that time and before the next one. A thing that has just been created has
no such answer; then whoever asks gets what the service says of a thing it never heard of (see stale_reads.py).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from ..call_identity import Call, Resource
from ..exchange import Captured

KEPT_WRITES = 2000
KEPT_READS = 500
KEPT_ANSWERS = 5
MAX_ANSWER_BYTES = 1024 * 1024

_Group = tuple[str, str, str]
_Key = tuple[_Group, str, str]


@dataclass(frozen=True)
class _Write:
    began: float
    ended: float
    resource: Resource | None
    creates: bool


@dataclass(frozen=True)
class _Answer:
    began: float
    ended: float
    answer: Captured


@dataclass(frozen=True)
class Stale:
    """That a read is to be stale. answer: what it says, or None; is_unborn: the thing was not there at that time."""

    answer: Captured | None
    is_unborn: bool


class Memory:
    """Writes and answers of the calls that a stale_reads fault covers. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._writes: dict[_Group, deque[_Write]] = {}
        self._answers: OrderedDict[_Key, deque[_Answer]] = OrderedDict()

    def wrote(self, call: Call, began: float, ended: float) -> None:
        """Remember a write that succeeded."""
        writes = self._writes.setdefault(_group(call), deque(maxlen=KEPT_WRITES))
        writes.append(_Write(began, ended, call.primary, call.name.operation.startswith("Create")))

    def answered(self, call: Call, answer: Captured, began: float, ended: float) -> None:
        """Remember what a read answered."""
        if len(answer.body) > MAX_ANSWER_BYTES:
            return
        key = _key(call)
        self._answers.setdefault(key, deque(maxlen=KEPT_ANSWERS)).append(_Answer(began, ended, answer))
        self._answers.move_to_end(key)
        while len(self._answers) > KEPT_READS:
            self._answers.popitem(last=False)

    def stale(self, call: Call, now: float, seconds: float) -> Stale | None:
        """What a read is to answer instead of the truth; None where nothing was written in the last `seconds`."""
        writes = [write for write in self._writes.get(_group(call), ()) if _touches(write, call.primary)]
        recent = [write for write in writes if write.ended > now - seconds]
        if not recent:
            return None
        first = recent[0]
        before = max((write.ended for write in writes if write not in recent), default=float("-inf"))
        right = [
            known.answer
            for known in self._answers.get(_key(call), ())
            if before <= known.began and known.ended <= first.began
        ]
        if right:
            return Stale(right[-1], False)
        return Stale(None, first.creates and call.primary is not None) if first.creates else None


def _touches(write: _Write, resource: Resource | None) -> bool:
    # A read of no single thing is a list, which any write may change.
    if resource is None or write.resource is None:
        return True
    return write.resource.kind == resource.kind and write.resource.name.lower() == resource.name.lower()


def _group(call: Call) -> _Group:
    return (call.account, call.region, call.name.service)


def _key(call: Call) -> _Key:
    return (_group(call), call.name.operation, call.digest)
