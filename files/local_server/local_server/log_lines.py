# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's log, one JSON object a line, as lines for a person. Pure functions."""

from __future__ import annotations

import json
from typing import Any

# Of no use while a handler is written: `make serve` tells itself that a server listens and stops.
_HIDDEN = {"batch", "listening", "stopped"}


def readable(line: str) -> str | None:
    """A line of the log for people; None for one that tells them nothing. What is not JSON is left as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "event" not in entry:
        return line.rstrip() or None
    event = str(entry["event"])
    if event in _HIDDEN or entry.get("path") == "/ping":
        return None
    clock = str(entry.get("time", ""))[11:19]
    text = _request(entry) if event == "request" else _event(event, entry)
    level = str(entry.get("level", "info"))
    text = text if level in ("info", "debug") else f"{level.upper()}: {text}"
    return "\n".join([f"{clock}  {text}", *_stack(entry)])


def _request(entry: dict[str, Any]) -> str:
    line = f"{entry.get('method')} {entry.get('path')} → {entry.get('status')}"
    if "error" in entry:
        line += f" {entry['error']}"
    if "milliseconds" in entry:
        line += f", {entry['milliseconds']} ms"
    if "inputs" in entry:
        line += f", {entry['inputs']} input{'' if entry['inputs'] == 1 else 's'}"
    return line


def _event(event: str, entry: dict[str, Any]) -> str:
    if event == "model_ready":
        return f"The model has answered its example; it loaded in {entry.get('load_seconds', '?')} s."
    known = {"time", "level", "event", "message", "stack", "exception", "exception_message"}
    others = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in known)
    words = event.replace("_", " ")
    message = str(entry.get("message", ""))
    return ": ".join(part for part in (words, message, others) if part)


def _stack(entry: dict[str, Any]) -> list[str]:
    """Where an exception came from, innermost call last, as Python itself shows it."""
    if "exception" not in entry:
        return []
    frames = [f"            {frame}" for frame in entry.get("stack", [])]
    text = f": {entry['exception_message']}" if entry.get("exception_message") else ""
    return [*frames, f"            {entry['exception']}{text}"]
