# SPDX-License-Identifier: GPL-3.0-or-later
"""When a scheduled action happens: at(), rate() and cron() with a time zone, a start and an end. Pure.

Sources: PutScheduledAction's reference page, and "Schedule recurring scaling actions using Application Auto Scaling".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from ..aws.errors import AwsError, validation
from .cron import Cron, parse_cron

_EXPRESSION = re.compile(r"(at|rate|cron)\((.*)\)")
_RATE = re.compile(r"([1-9][0-9]{0,8}) (minute|hour|day)s?")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_EARLIEST, _LATEST = 0.0, datetime(2200, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Schedule:
    """A parsed schedule; exactly one of moment (seconds since 1970), every (seconds) and cron is set.

    base: what a rate counts from, in seconds since 1970. start, end: StartTime and EndTime, or None.
    """

    base: float
    moment: float | None = None
    every: int | None = None
    cron: Cron | None = None
    zone: tzinfo = UTC
    start: float | None = None
    end: float | None = None

    def after(self, time: float) -> float | None:
        """When it happens next after `time`, both in seconds since 1970; None where it does not happen again.

        With a start time, a recurring action happens then, and after that as its expression says.
        """
        due = self._start_or_recurrence(time) if self.moment is None else self.moment
        return due if due is not None and due > time and (self.end is None or due <= self.end) else None

    def _start_or_recurrence(self, time: float) -> float | None:
        if self.start is not None and self.start > time:
            return self.start
        if self.every is not None:
            base = self.base if self.start is None else self.start
            return base + (math.floor((time - base) / self.every) + 1) * self.every
        return self._next_cron(time)

    def _next_cron(self, time: float) -> float | None:
        if self.cron is None:
            return None
        local: datetime | None = datetime.fromtimestamp(time, self.zone).replace(tzinfo=None)
        while local is not None:
            local = self.cron.after(local)
            if local is not None:
                due = _timestamp(local, self.zone)
                if due > time:  # clocks that go back have an hour twice: it happens in the first
                    return due
        return None


def parse_schedule(action: dict[str, Any], created: float) -> Schedule:
    """The schedule of a scheduled action's document. created: seconds since 1970. Raises ValidationException."""
    zone = parse_zone(action.get("Timezone"))
    start, end = action.get("StartTime"), action.get("EndTime")
    if start is not None and end is not None and end <= start:
        raise validation("The end time must be after the start time.")
    expression = action["Schedule"]
    match = _EXPRESSION.fullmatch(expression.strip())
    if match is None:
        raise validation(f"{expression} is no schedule: at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(fields).")
    kind, inner = match[1], match[2].strip()
    try:
        if kind == "at":
            moment = _timestamp(datetime.strptime(inner, "%Y-%m-%dT%H:%M:%S"), zone)
            return Schedule(created, moment=moment, zone=zone, start=start, end=end)
        if kind == "rate":
            rate = _RATE.fullmatch(inner)
            if rate is None:
                raise ValueError("A rate is a positive number and minute, minutes, hour, hours, day or days.")
            return Schedule(created, every=int(rate[1]) * _UNIT_SECONDS[rate[2]], zone=zone, start=start, end=end)
        return Schedule(created, cron=parse_cron(inner), zone=zone, start=start, end=end)
    except (ValueError, OverflowError) as error:
        raise validation(f"{expression} is no schedule. {error}") from None


def parse_zone(name: str | None) -> tzinfo:
    """The time zone of that IANA name, UTC where none is named. Raises ValidationException for an unknown one."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise _unknown_zone(name) from None
    except KeyError:
        raise _unknown_zone(name) from None


def _unknown_zone(name: str) -> AwsError:
    return validation(f"The time zone {name} is not supported; it has to be a canonical name of the IANA time zones.")


def check_time(seconds: float, member: str) -> float:
    """A timestamp that a scheduled action may have (seconds since 1970). Raises SerializationException."""
    if not _EARLIEST <= seconds <= _LATEST:
        raise AwsError("SerializationException", f"{member} can not be converted to a timestamp")
    return seconds


def _timestamp(local: datetime, zone: tzinfo) -> float:
    """Seconds since 1970 of a time on the zone's clocks; one that they skip is as much later as they skip."""
    if not 1970 <= local.year < 2200:
        raise ValueError("The year has to be one from 1970 to 2199.")
    return (local.replace(tzinfo=zone) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
