# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that grow all day long, log events and metric data: kept in a file to which only what is new is appended.

Each line of the file is [key, start, items]: from `start` on, the list of that key goes on with these items. A list
that was changed before its end is written from 0 again; one that is gone is cut to nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Key = tuple[str, ...]

# A file with more than this many lost items, and more of them than are left, is written anew at the next start.
_MOST_LOST = 10_000


class Journal:
    """The lists of one service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # What the file has of each list: how many items, and the last one, by which an unchanged beginning is known.
        self._written: dict[Key, tuple[int, Any]] = {}

    def load(self) -> dict[Key, list[Any]]:
        """The lists as they were last written. They are the caller's, which may go on changing them."""
        lists: dict[Key, list[Any]] = {}
        read = 0
        for key, start, items in self._lines():
            held = lists.setdefault(key, [])
            held[start:] = items
            read += len(items)
        kept = sum(map(len, lists.values()))
        if read - kept > max(kept, _MOST_LOST):
            self._rewrite(lists)
        self._written = {key: (len(items), items[-1]) for key, items in lists.items() if items}
        return lists

    def write(self, lists: Iterable[tuple[Key, list[Any]]]) -> None:
        """Append what is new since the last time. It is with the operating system when this returns.

        lists: all there are; a list is changed by nobody else meanwhile, but may grow. Raises OSError.
        """
        lines = []
        written: dict[Key, tuple[int, Any]] = {}
        for key, items in lists:
            end = len(items)
            count, last = self._written.get(key, (0, None))
            start = count if count <= end and (count == 0 or items[count - 1] is last) else 0
            if start < end:
                lines.append(json.dumps([key, start, items[start:end]]))
            if end:
                written[key] = (end, items[end - 1])
        lines += [json.dumps([key, 0, []]) for key in self._written.keys() - written.keys()]
        if lines:
            self._append("".join(line + "\n" for line in lines).encode())
        self._written = written

    def _append(self, content: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            end = os.lseek(file, 0, os.SEEK_END)
            written = os.write(file, content)
            if written != len(content):
                os.ftruncate(file, end)
                raise OSError(f"only {written} of {len(content)} bytes could be written to {self._path}")
        finally:
            os.close(file)

    def _lines(self) -> Iterator[tuple[Key, int, list[Any]]]:
        if not self._path.exists():
            return
        end = 0
        with self._path.open("rb") as file:
            for line in file:
                try:
                    key, start, items = json.loads(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                yield tuple(key), start, items
        # What a kill cut short was not acknowledged. What comes next must not be appended to it.
        os.truncate(self._path, end)

    def _rewrite(self, lists: dict[Key, list[Any]]) -> None:
        staging = self._path.with_name(self._path.name + ".tmp")
        with open(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            for key, items in lists.items():
                if items:
                    file.write(json.dumps([key, 0, items]) + "\n")
        staging.replace(self._path)
