# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an answer that comes in pieces, without holding up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, Future

from serving import log


class Pieces:
    """The pieces of a RawAnswer. Each is asked for in a thread, since a handler's iterator blocks until it has one."""

    def __init__(self, chunks: Iterator[bytes], threads: Executor) -> None:
        self._chunks = chunks
        self._threads = threads
        self._asked: Future[bytes | None] | None = None

    async def next(self) -> bytes | None:
        """The next piece; None at the end. Raises what the iterator raises."""
        self._asked = self._threads.submit(next, self._chunks, None)
        return await asyncio.wrap_future(self._asked)

    def close(self) -> None:
        """Tell the iterator that nobody listens any more, as soon as it has given the piece it is at."""
        if self._asked is None:
            self._close()
        else:
            # A generator cannot be closed while it runs.
            self._asked.add_done_callback(lambda _: self._close())

    def _close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            self._threads.submit(_quietly, close)


def _quietly(close: object) -> None:
    try:
        close()  # type: ignore[operator]
    except Exception as error:
        log.error("stream_close_failed", **log.describe(error))
