# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: one JSON object a line, on standard output. It never holds what a caller sent or what the model answered."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

logger = logging.getLogger("serving")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, event, then the fields of that event."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
        }
        if record.name == logger.name:
            line["event"] = record.getMessage()
            line.update(getattr(record, "fields", {}))
        else:
            line["event"] = "library"
            line["logger"] = record.name
            line["message"] = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            line.update(describe(record.exc_info[1]))
        return json.dumps(line, default=str)


def setup(level: str) -> None:
    """Send every record of the process to standard output, ours at `level` and the libraries' from warnings up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger.setLevel(level.upper())


def info(event: str, **fields: Any) -> None:
    logger.info(event, extra={"fields": fields})


def warning(event: str, **fields: Any) -> None:
    logger.warning(event, extra={"fields": fields})


def error(event: str, **fields: Any) -> None:
    logger.error(event, extra={"fields": fields})


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
    if logger.isEnabledFor(logging.DEBUG):
        found["exception_message"] = str(exception)
    return found
