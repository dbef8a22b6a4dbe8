# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's cron expressions: six fields, minutes hours day-of-month month day-of-week year. Pure.

Source: "Cron expressions reference" of EventBridge's guide, which Application Auto Scaling's guide points to. No
library: those on PyPI read Unix's or Quartz's fields, and neither ? nor the year of AWS's.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}
# AWS counts from Sunday, 1, to Saturday, 7.
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
FIRST_YEAR, LAST_YEAR = 1970, 2199
_MAX_FIELD = 200


@dataclass(frozen=True)
class Field:
    """The name, the range and the words of a field."""

    name: str
    low: int
    high: int
    words: dict[str, int]


_MINUTES = Field("minutes", 0, 59, {})
_HOURS = Field("hours", 0, 23, {})
_DAYS = Field("day-of-month", 1, 31, {})
_MONTH = Field("month", 1, 12, _MONTHS)
_WEEKDAY = Field("day-of-week", 1, 7, _WEEKDAYS)
_YEARS = Field("year", FIRST_YEAR, LAST_YEAR, {})


@dataclass(frozen=True)
class Cron:
    """A parsed expression. One of `day` and `weekday` is "?"."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day: str
    months: frozenset[int]
    weekday: str
    years: frozenset[int]

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment` that matches, both without a time zone; None where there is no such time."""
        for day in self._days(moment.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    candidate = datetime.combine(day, time(hour, minute))
                    if candidate > moment:
                        return candidate
        return None

    def _days(self, first: date) -> Iterator[date]:
        for year in sorted(year for year in self.years if year >= first.year):
            for month in sorted(self.months):
                if (year, month) >= (first.year, first.month):
                    yield from (day for day in self._days_of(year, month) if day >= first)

    def _days_of(self, year: int, month: int) -> list[date]:
        length = calendar.monthrange(year, month)[1]
        days = [date(year, month, number) for number in range(1, length + 1)]
        if self.weekday == "?":
            return _by_day_of_month(self.day, days)
        return _by_weekday(self.weekday, days)


def parse_cron(expression: str) -> Cron:
    """The six fields of an expression. Raises ValueError with a sentence for what is no cron expression of AWS's."""
    fields = expression.upper().split()
    if len(fields) != 6:
        raise ValueError("A cron expression has six fields: minutes hours day-of-month month day-of-week year.")
    if any(len(field) > _MAX_FIELD for field in fields):
        raise ValueError("A field of a cron expression is too long.")
    minutes, hours, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ValueError("Exactly one of day-of-month and day-of-week has to be ?.")
    if day != "?" and not re.fullmatch(r"L|LW|([1-9]|[12][0-9]|3[01])W", day):
        _values(day, _DAYS)
    if weekday != "?" and weekday != "L" and not _NTH_WEEKDAY.fullmatch(weekday):
        _values(weekday, _WEEKDAY)
    return Cron(
        tuple(sorted(_values(minutes, _MINUTES))),
        tuple(sorted(_values(hours, _HOURS))),
        day,
        frozenset(_values(month, _MONTH)),
        weekday,
        frozenset(_values(year, _YEARS)),
    )


# 3#2 is the second Tuesday, 6L the last Friday.
_NTH_WEEKDAY = re.compile(r"([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(?:#([1-5])|(L))")


def _values(text: str, field: Field) -> set[int]:
    """The numbers that a field of numbers, lists, ranges and steps stands for."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, field, {}) if slash else 1
        if step < 1:
            raise _bad(field, text)
        if span in ("*", "") and (span or slash):
            low, high = field.low, field.high
        else:
            low_text, dash, high_text = span.partition("-")
            low = _number(low_text, field, field.words)
            high = _number(high_text, field, field.words) if dash else (field.high if slash else low)
        if not field.low <= low <= field.high or not field.low <= high <= field.high:
            raise _bad(field, text)
        if low <= high:
            values.update(range(low, high + 1, step))
        elif field in (_YEARS, _DAYS):
            raise _bad(field, text)
        else:  # FRI-MON goes over the end of the week
            values.update([*range(low, field.high + 1), *range(field.low, high + 1)][::step])
    return values


def _number(text: str, field: Field, words: dict[str, int]) -> int:
    if text in words:
        return words[text]
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise _bad(field, text)
    return int(text)


def _bad(field: Field, text: str) -> ValueError:
    return ValueError(f"{text!r} is not a value of the field {field.name} ({field.low}-{field.high}).")


def _by_day_of_month(field: str, days: list[date]) -> list[date]:
    if field == "L":
        return [days[-1]]
    if field.endswith("W"):
        wanted = days[-1].day if field == "LW" else int(field[:-1])
        return [_nearest_workday(days, wanted)] if wanted <= len(days) else []
    numbers = _values(field, _DAYS)
    return [day for day in days if day.day in numbers]


def _nearest_workday(days: list[date], number: int) -> date:
    """Saturday's is the Friday before, Sunday's the Monday after, within the month."""
    day = days[number - 1]
    if day.weekday() == calendar.SATURDAY:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.weekday() == calendar.SUNDAY:
        return day + timedelta(days=1) if day.day < len(days) else day - timedelta(days=2)
    return day


def _by_weekday(field: str, days: list[date]) -> list[date]:
    if field == "L":
        field = "7"
    if match := _NTH_WEEKDAY.fullmatch(field):
        wanted = _number(match[1], _WEEKDAY, _WEEKDAYS)
        same = [day for day in days if _aws_weekday(day) == wanted]
        if match[3]:
            return [same[-1]]
        return same[int(match[2]) - 1 : int(match[2])]
    numbers = _values(field, _WEEKDAY)
    return [day for day in days if _aws_weekday(day) in numbers]


def _aws_weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1
