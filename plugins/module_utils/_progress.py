# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a module's work has come, line by line, for the action plugin of its name to show.

A module cannot print while it works. It writes to a file that the action plugin (plugin_utils/_progress_lines.py)
reads meanwhile; without one, as under a plain module run, the lines go nowhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: A line this often is enough to see that work goes on, in seconds.
LINE_EVERY = 5.0

#: A line this often where there is nothing to say but that work goes on, in seconds.
ALIVE_EVERY = 15.0

MEGABYTE = 1_000_000


class Progress:
    """Writes lines for people. C(path) is None where nobody reads them."""

    def __init__(self, path: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._said = clock()

    def say(self, line: str) -> None:
        """Write one line."""
        self._said = self._clock()
        if not self._path:
            return
        # Whoever reads may be gone; that is no reason to stop.
        with suppress(OSError), open(self._path, "a", encoding="utf-8") as file:
            file.write(" ".join(line.split()) + "\n")

    @contextmanager
    def alive(self, doing: str, every: float = ALIVE_EVERY) -> Iterator[None]:
        """Say that work goes on, "compiling: 30 s so far", whenever nothing else was said for so many seconds."""
        began, done = self._clock(), threading.Event()

        def breathe() -> None:
            while not done.wait(min(1.0, every)):
                if self._clock() - self._said >= every:
                    self.say(f"{doing}: {self._clock() - began:.0f} s so far")

        thread = threading.Thread(target=breathe, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def bytes(self, doing: str, total: int) -> ByteCount:
        """Return a counter for C(total) bytes of work, which says how far it is every few seconds."""
        return ByteCount(self, doing, total, self._clock)


class ByteCount:
    """Counts bytes and says how far it is: "uploading model.tar.gz: 64 of 256 MB, 11 MB/s"."""

    def __init__(self, progress: Progress, doing: str, total: int, clock: Callable[[], float]) -> None:
        self._progress, self._doing, self._total, self._clock = progress, doing, total, clock
        self._done = 0
        self._began = self._told = clock()

    def add(self, count: int) -> None:
        """Take note of that many more bytes."""
        self.reach(self._done + count)

    def reach(self, done: int, total: int | None = None) -> None:
        """Take note that so many bytes are done, of a total that may become known meanwhile."""
        self._done = done
        self._total = self._total if total is None else total
        now = self._clock()
        if now - self._told < LINE_EVERY:
            return
        self._told = now
        self._progress.say(f"{self._doing}: {progress_of(self._done, self._total, now - self._began)}")


def progress_of(done: int, total: int, seconds: float) -> str:
    """Return C(done) of C(total) bytes and the speed, for people."""
    speed = f", {done / MEGABYTE / seconds:.0f} MB/s" if seconds >= 1 else ""
    return f"{done / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB{speed}"
