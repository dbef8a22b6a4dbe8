# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults that are armed at the moment, and how often each of them struck."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import Any

from ..aws.caller import Caller
from .document import to_document
from .fault import ENDPOINT_KINDS, Fault, Subject


@dataclass(eq=False)
class Armed:
    """A fault in the book. seen: subjects in its scope so far; struck: how many of them it struck."""

    fault: Fault
    seen: int = 0
    struck: int = 0
    _random: random.Random = field(init=False)
    _roll: float = field(init=False)
    _met: set[tuple[str | None, str, str, str]] = field(default_factory=set)
    # When it first refused a role, by the role's ARN.
    since: dict[str, float] = field(default_factory=dict)
    removed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._random = random.Random(self.fault.when.seed)  # noqa: S311 - shall be repeatable
        self._roll = self._random.random()

    @property
    def is_spent(self) -> bool:
        """Whether it can strike no more."""
        when = self.fault.when
        if when.nth is not None and self.seen >= when.skip + when.nth:
            return True
        return when.times is not None and self.struck >= when.times

    def would_strike(self, subject: Subject) -> bool:
        """Whether it would strike a subject of its scope that came now."""
        if self.is_spent:
            return False
        when, number = self.fault.when, self.seen + 1 - self.fault.when.skip
        if number < 1:
            return False
        if when.each_once and _identity(subject) in self._met:
            return False
        if when.nth is not None:
            return number == when.nth
        if when.every is not None:
            return number % when.every == 0
        if when.probability is not None:
            return self._roll < when.probability
        return True

    def meet(self, subject: Subject, may_strike: bool = True) -> bool:
        """Count a subject of its scope; whether this strikes it. may_strike: False where another fault has."""
        strikes = may_strike and self.would_strike(subject)
        self.seen += 1
        self.struck += strikes
        if self.seen > self.fault.when.skip:
            self._roll = self._random.random()
            if strikes and self.fault.when.each_once:
                self._met.add(_identity(subject))
        return strikes


class FaultBook:
    """Faults by id, in the order they were added. In memory: a cloud that is started anew has none."""

    def __init__(self) -> None:
        self._armed: dict[str, Armed] = {}
        self._added = 0

    def __bool__(self) -> bool:
        return bool(self._armed)

    # For whoever arms faults.

    def add(self, fault: Fault) -> Fault:
        """Arm a fault, in the place of one with the same id, and return it; one without an id gets the next number."""
        self._added += 1
        fault = replace(fault, id=fault.id or f"{fault.kind}-{self._added}")
        self.remove(fault.id)
        self._armed[fault.id] = Armed(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """Disarm a fault; whether there was one with this id."""
        armed = self._armed.pop(fault_id, None)
        if armed is not None:
            armed.removed.set()
        return armed is not None

    def clear(self) -> int:
        """Disarm every fault; how many there were."""
        return sum(self.remove(fault_id) for fault_id in list(self._armed))

    def active(self) -> list[dict[str, Any]]:
        """Every fault as the API shows it, with `seen`, `struck` and `spent`."""
        return [
            {**to_document(armed.fault), "seen": armed.seen, "struck": armed.struck, "spent": armed.is_spent}
            for armed in self._armed.values()
        ]

    # For what faults strike.

    def covering(self, subject: Subject) -> list[Armed]:
        """The call faults for a call, the oldest first, spent ones too.

        What makes a read stale is any write to the same thing, so operation and access tell for reads only.
        """
        writes = subject.access != "read"
        covering = []
        for armed in self._armed.values():
            where = armed.fault.where
            if armed.fault.kind == "stale_reads" and writes:
                where = replace(where, operation=None, access=None)
            if armed.fault.kind not in ENDPOINT_KINDS and where.covers(subject):
                covering.append(armed)
        return covering

    def take(self, kind: str, caller: Caller, endpoint_name: str) -> Fault | None:
        """The endpoint fault of a kind that strikes now, or None. Each time it is asked counts."""
        subject = _endpoint(caller, endpoint_name)
        struck: Fault | None = None
        for armed in self._of(kind, subject):
            if armed.meet(subject, may_strike=struck is None):
                struck = armed.fault
        return struck

    def is_armed(self, kind: str, caller: Caller, endpoint_name: str) -> Fault | None:
        """The endpoint fault that take() would return, which is left as it is."""
        subject = _endpoint(caller, endpoint_name)
        return next((armed.fault for armed in self._of(kind, subject) if armed.would_strike(subject)), None)

    def _of(self, kind: str, subject: Subject) -> list[Armed]:
        return [
            armed for armed in self._armed.values() if armed.fault.kind == kind and armed.fault.where.covers(subject)
        ]


def _endpoint(caller: Caller, name: str) -> Subject:
    return Subject(caller.account, caller.region, service="sagemaker", resources=(name,))


def _identity(subject: Subject) -> tuple[str | None, str, str, str]:
    return (subject.access_key, subject.service, subject.operation, subject.digest)
