# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: one JSON object a line, on standard output. It never holds what a caller sent or what the model answered.

The server's own lines do not go through `logging`: a line for each request is most of what is written, and the way
through it costs three times what the line does. What libraries log arrives here by a handler.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

import orjson

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_level = logging.INFO

# The second that was formatted last, and its text.
_second = (0, "")


class JsonHandler(logging.Handler):
    """Writes what a library logs as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            fields.update(describe(record.exc_info[1]))
        _write(record.levelname.lower(), "library", fields)


def setup(level: str) -> None:
    """Send every record of the process to standard output, ours at `level` and the libraries' from warnings up."""
    global _level
    _level = _LEVELS[level]
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler()]
    root.setLevel(logging.WARNING)


def enabled(level: str) -> bool:
    """Whether lines of this level are written: asked before gathering what only they need."""
    return _LEVELS[level] >= _level


def debug(event: str, **fields: Any) -> None:
    if _level <= logging.DEBUG:
        _write("debug", event, fields)


def info(event: str, **fields: Any) -> None:
    if _level <= logging.INFO:
        _write("info", event, fields)


def warning(event: str, **fields: Any) -> None:
    if _level <= logging.WARNING:
        _write("warning", event, fields)


def error(event: str, **fields: Any) -> None:
    _write("error", event, fields)


def describe(exception: BaseException) -> dict[str, Any]:
    """Where an exception came from: its type and its stack, innermost call last.

    Its text is left out unless the log level is debug: a library puts the value it tripped over there, and that
    value may be what a caller sent.
    """
    stack = traceback.extract_tb(exception.__traceback__)
    found: dict[str, Any] = {
        "exception": type(exception).__name__,
        "stack": [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in stack[-12:]],
    }
    if enabled("debug"):
        found["exception_message"] = str(exception)
    return found


def _write(level: str, event: str, fields: dict[str, Any]) -> None:
    global _second
    now = time.time()
    second, text = _second
    if second != int(now):
        second = int(now)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)
    milliseconds = int((now - second) * 1000)
    document = {"time": f"{text}.{milliseconds:03d}Z", "level": level, "event": event, **fields}
    try:
        line = orjson.dumps(document, default=str).decode()
    except TypeError:
        # Half a surrogate pair in a text, which only json can write.
        line = json.dumps(document, default=str)
    # In one call, so that the lines of several threads do not mix.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
