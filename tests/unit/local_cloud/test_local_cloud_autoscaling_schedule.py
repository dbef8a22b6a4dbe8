# SPDX-License-Identifier: GPL-3.0-or-later
"""When scheduled actions happen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from local_cloud.autoscaling.cron import parse_cron
from local_cloud.autoscaling.schedule import parse_schedule
from local_cloud.aws.errors import AwsError


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def upcoming(schedule: str, after: str, count: int = 1, created: str = "2026-01-01", **members: Any) -> list[str]:
    parsed = parse_schedule({"Schedule": schedule, **members}, seconds(created))
    times, moment = [], seconds(after)
    for _ in range(count):
        due = parsed.after(moment)
        if due is None:
            break
        times.append(datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%d %H:%M"))
        moment = due
    return times


# The examples of "Schedule recurring scaling actions using Application Auto Scaling" and of EventBridge's reference.
@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("0 10 * * ? *", ["2026-03-02 10:00", "2026-03-03 10:00"]),
        ("15 12 * * ? *", ["2026-03-02 12:15", "2026-03-03 12:15"]),
        ("0 18 ? * MON-FRI *", ["2026-03-02 18:00", "2026-03-03 18:00"]),
        ("0 8 1 * ? *", ["2026-04-01 08:00", "2026-05-01 08:00"]),
        ("0/15 * * * ? *", ["2026-03-02 07:45", "2026-03-02 08:00"]),
        ("0/10 * ? * MON-FRI *", ["2026-03-02 07:40", "2026-03-02 07:50"]),
        ("0/5 8-17 ? * MON-FRI *", ["2026-03-02 08:00", "2026-03-02 08:05"]),
        ("30 6 ? * MON *", ["2026-03-09 06:30", "2026-03-16 06:30"]),
        ("0 9 ? * 2#1 *", ["2026-03-02 09:00", "2026-04-06 09:00"]),
        ("0 9 ? * 6L *", ["2026-03-27 09:00", "2026-04-24 09:00"]),
        ("0 9 ? * TUE#5 *", ["2026-03-31 09:00", "2026-06-30 09:00"]),
        ("0 0 L * ? *", ["2026-03-31 00:00", "2026-04-30 00:00"]),
        ("0 0 LW * ? *", ["2026-03-31 00:00", "2026-04-30 00:00"]),
        ("0 0 15W * ? *", ["2026-03-16 00:00", "2026-04-15 00:00"]),
        ("0 0 1W 8 ? *", ["2026-08-03 00:00", "2027-08-02 00:00"]),
        ("0 0 29 2 ? *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 ? * FRI-SUN *", ["2026-03-06 00:00", "2026-03-07 00:00"]),
        ("0 0 1 JAN,JUL ? 2027", ["2027-01-01 00:00", "2027-07-01 00:00"]),
        ("59 23 31 12 ? 2026", ["2026-12-31 23:59"]),
        ("0 0 30 2 ? *", []),
        ("0 0 1 1 ? 2020", []),
    ],
)
def test_a_cron_expression_of_six_fields_happens_when_awss_would(expression: str, times: list[str]) -> None:
    # It is Monday.
    assert upcoming(f"cron({expression})", "2026-03-02 07:35", count=2) == times


@pytest.mark.parametrize(
    "expression",
    [
        "0 10 * * ?",
        "0 10 * * * *",
        "0 10 ? * ? *",
        "60 10 * * ? *",
        "0 24 * * ? *",
        "0 10 0 * ? *",
        "0 10 32 * ? *",
        "0 10 20-10 * ? *",
        "0 10 * 13 ? *",
        "0 10 ? * 8 *",
        "0 10 ? * MON#6 *",
        "0 10 32W * ? *",
        "0/0 10 * * ? *",
        "0 10 * * ? 1969",
        "a 10 * * ? *",
        "², 10 * * ? *",
        ", 10 * * ? *",
        "1,, 10 * * ? *",
        "1" * 500 + " 10 * * ? *",
    ],
)
def test_what_is_no_cron_expression_of_awss_is_refused_with_a_sentence(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\."):
        parse_cron(expression)


def test_cron_follows_the_clocks_of_its_time_zone() -> None:
    times = upcoming("cron(30 9 * * ? *)", "2026-03-28 12:00", count=2, Timezone="Europe/London")
    # The clocks go forward on the 29th.
    assert times == ["2026-03-29 08:30", "2026-03-30 08:30"]
    assert upcoming("cron(0 0 * * ? *)", "2026-03-28 12:00", Timezone="Etc/GMT+9") == ["2026-03-29 09:00"]


def test_an_hour_that_comes_twice_is_used_once_and_one_that_is_left_out_is_made_up_for() -> None:
    twice = upcoming("cron(30 1 * * ? *)", "2026-10-24 12:00", count=2, Timezone="Europe/London")
    assert twice == ["2026-10-25 00:30", "2026-10-26 01:30"]
    left_out = upcoming("cron(30 1 * * ? *)", "2026-03-28 12:00", count=2, Timezone="Europe/London")
    assert left_out == ["2026-03-29 01:30", "2026-03-30 00:30"]


def test_at_happens_once_at_its_time_in_its_time_zone() -> None:
    assert upcoming("at(2026-03-02T08:00:00)", "2026-03-01", count=2) == ["2026-03-02 08:00"]
    assert upcoming("at(2026-07-02T08:00:00)", "2026-03-01", Timezone="Europe/Berlin") == ["2026-07-02 06:00"]
    assert upcoming("at(2026-03-02T08:00:00)", "2026-03-02 08:00") == []


@pytest.mark.parametrize(
    ("rate", "second"),
    [("1 minute", "2026-03-01 00:02"), ("5 minutes", "2026-03-01 00:10"), ("12 hours", "2026-03-02 00:00")],
)
def test_a_rate_counts_from_when_the_action_was_made(rate: str, second: str) -> None:
    assert upcoming(f"rate({rate})", "2026-03-01", count=2, created="2026-03-01")[1] == second


def test_a_recurring_action_happens_at_its_start_time_then_by_its_expression_until_its_end() -> None:
    bounds = {"StartTime": seconds("2026-03-02 07:10"), "EndTime": seconds("2026-03-02 09:00")}
    assert upcoming("cron(0 * * * ? *)", "2026-03-01", count=5, **bounds) == [
        "2026-03-02 07:10",
        "2026-03-02 08:00",
        "2026-03-02 09:00",
    ]
    assert upcoming("rate(1 hour)", "2026-03-01", count=5, **bounds) == ["2026-03-02 07:10", "2026-03-02 08:10"]


@pytest.mark.parametrize(
    "schedule",
    [
        "0 10 * * ? *",
        "at(2026-03-02)",
        "at(2026-02-30T08:00:00)",
        "at(1200-01-01T00:00:00)",
        "rate(0 minutes)",
        "rate(1 week)",
        "rate(-1 hours)",
        "cron()",
        "every day",
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(AwsError, match="is no schedule") as refused:
        parse_schedule({"Schedule": schedule}, 0)
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "/etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(AwsError, match="time zone"):
        parse_schedule({"Schedule": "rate(1 hour)", "Timezone": zone}, 0)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(AwsError, match="after the start time"):
        parse_schedule({"Schedule": "rate(1 hour)", "StartTime": 20.0, "EndTime": 20.0}, 0)
