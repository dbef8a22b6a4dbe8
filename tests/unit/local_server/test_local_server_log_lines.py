# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of `make serve` is for people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_server.log_lines import readable


def line(event: str, **fields: Any) -> str | None:
    return readable(json.dumps({"time": "2026-11-24T01:02:03.456Z", "level": "info", "event": event, **fields}))


def test_a_request_is_one_short_line() -> None:
    shown = line("request", method="POST", path="/invocations", status=200, milliseconds=3.2, inputs=2, bytes_in=50)
    assert shown == "01:02:03  POST /invocations → 200, 3.2 ms, 2 inputs"


def test_a_refused_request_names_the_error() -> None:
    shown = line("request", method="POST", path="/invocations", status=400, milliseconds=0.2, error="InvalidJSON")
    assert shown == "01:02:03  POST /invocations → 400 InvalidJSON, 0.2 ms"


def test_an_exception_is_shown_with_its_stack() -> None:
    stack = ["handler.py:10 in predict", "handler.py:20 in helper"]
    shown = line("inference_failed", level="error", exception="KeyError", exception_message="'logits'", stack=stack)
    assert shown is not None
    assert shown.splitlines() == [
        "01:02:03  ERROR: inference failed",
        "            handler.py:10 in predict",
        "            handler.py:20 in helper",
        "            KeyError: 'logits'",
    ]


@pytest.mark.parametrize("fields", [{"event": "batch", "rows": 3}, {"event": "request", "path": "/ping"}])
def test_what_says_nothing_to_a_person_is_not_shown(fields: dict[str, Any]) -> None:
    assert line(**fields) is None


@pytest.mark.parametrize("text", ["Traceback (most recent call last):", "[1, 2]", "3", '{"no": "event"}'])
def test_what_is_not_of_the_log_is_shown_as_it_is(text: str) -> None:
    assert readable(text + "\n") == text
