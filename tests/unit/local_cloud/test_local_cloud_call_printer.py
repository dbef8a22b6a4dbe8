# SPDX-License-Identifier: GPL-3.0-or-later
"""The call log's file, and how its calls are shown to people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_cloud.call_log import CallLog
from local_cloud.call_printer import is_wanted, line
from local_cloud.cli import parser

CALL: dict[str, Any] = {
    "n": 12,
    "time": "2026-11-23T21:00:00.123+00:00",
    "service": "sagemaker",
    "operation": "CreateModel",
    "access": "write",
    "status": 400,
    "error": "ThrottlingException",
    "access_key": "AKIA1",
    "ms": 1.5,
    "resource": "modelhost-local-1",
    "digest": "0123456789abcdef",
    "account": "000000000000",
    "region": "us-east-1",
    "caller": "arn:aws:iam::000000000000:user/me",
    "fault": "throttle-1",
}


def add(calls: CallLog, operation: str) -> None:
    calls.add(service="s3", operation=operation, access="read", status=200, error=None, access_key="k", ms=1.0)


def test_the_file_is_put_aside_when_it_is_long_and_numbers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    calls = CallLog(path, file_bytes=1000)
    for number in range(20):
        add(calls, f"Operation{number}")
    calls.close()
    assert path.stat().st_size < 1500
    aside = tmp_path / "calls.jsonl.1"
    assert aside.stat().st_size < 1500
    kept = [json.loads(text)["n"] for file in (aside, path) for text in file.read_text().splitlines()]
    assert kept == list(range(kept[0], 21))


def test_numbers_go_on_after_a_kill_between_two_files(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl.1").write_text('{"n": 41}\n{"n": 42}\n')
    calls = CallLog(tmp_path / "calls.jsonl")
    add(calls, "Next")
    assert calls.latest(1)[0]["n"] == 43
    calls.close()


def test_the_latest_calls_are_handed_out_without_the_others(tmp_path: Path) -> None:
    calls = CallLog(tmp_path / "calls.jsonl")
    for operation in "ABC":
        add(calls, operation)
    assert [call["operation"] for call in calls.latest(2)] == ["B", "C"]
    assert len(calls.latest(100)) == 3
    assert calls.latest(0) == []
    assert calls.since(99)["calls"] == []
    calls.close()


def test_a_call_is_one_line() -> None:
    assert line(CALL) == (
        "    12 21:00:00.123      1.5 ms  sagemaker CreateModel  modelhost-local-1  400 ThrottlingException  "
        "by arn:aws:iam::000000000000:user/me  [0123456789abcdef]  fault throttle-1"
    )
    dropped = {**CALL, "status": 0, "error": None, "access_key": None, "caller": None, "resource": None, "digest": None}
    assert (
        line(dropped) == "    12 21:00:00.123      1.5 ms  sagemaker CreateModel  no answer  unsigned  fault throttle-1"
    )


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), True),
        (("--service", "sagemaker", "--writes", "--errors"), True),
        (("--service", "s3"), False),
        (("--operation", "ListModels"), False),
        (("--resource", "local"), True),
        (("--resource", "dev"), False),
    ],
)
def test_calls_are_filtered(options: tuple[str, ...], wanted: bool) -> None:
    assert is_wanted(CALL, parser().parse_args(["calls", *options])) is wanted
    read = {**CALL, "access": "read", "status": 200}
    assert not is_wanted(read, parser().parse_args(["calls", "--writes"]))
    assert not is_wanted(read, parser().parse_args(["calls", "--errors"]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--home", "x", "--port", "0"], "a port from 1 to 65535, not 0"),
        (["serve", "--home", "x", "--time-scale", "-1"], "a number from 0, not -1"),
        (["serve", "--home", "x", "--time-scale", "nan"], "a number from 0, not nan"),
        (["serve", "--home", "x", "--serverless-containers", "0"], "a number from 1, not 0"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_started(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert said in capsys.readouterr().err
