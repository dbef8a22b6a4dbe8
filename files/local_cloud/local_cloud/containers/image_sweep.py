# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes unpacked process images that nothing uses any more, now and then."""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

_SWEEP_SECONDS = 60.0
_SETTLE_SECONDS = 0.5

logger = logging.getLogger("local_cloud.images")


class ImageSweep:
    """Sweeps `images_dir` while it is open.

    in_use: the digests ("sha256:<64 hex>") that a prepared or running container needs. settled: whether that is all of
    them, which it is not before every endpoint is back after a start.
    """

    def __init__(self, images_dir: Path, in_use: Callable[[], set[str]], settled: Callable[[], bool]) -> None:
        self._images_dir = images_dir
        self._in_use = in_use
        self._settled = settled
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to sweep. Nothing may be unpacking yet: what looks so was left by a kill."""
        for half in self._images_dir.glob(".unpacking-*"):
            half.rename(half.with_name(f".unused-{uuid.uuid4().hex}"))
        self._task = asyncio.create_task(self._sweep_now_and_then())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _sweep_now_and_then(self) -> None:
        while True:
            while not self._settled():
                await asyncio.sleep(_SETTLE_SECONDS)
            try:
                await asyncio.to_thread(_remove, set_aside(self._images_dir, self._in_use()))
            except OSError:
                logger.exception("unused images could not be removed")
            await asyncio.sleep(_SWEEP_SECONDS)


def set_aside(images_dir: Path, in_use: set[str]) -> list[Path]:
    """Take the images that are not in use out of the way at once, so that whoever wants one unpacks it again.

    Returns where they are now, with what an earlier sweep did not get to, for somebody to delete.
    """
    aside = []
    for directory in images_dir.iterdir():
        if directory.name.startswith("."):
            if directory.name.startswith(".unused-"):
                aside.append(directory)
        elif f"sha256:{directory.name}" not in in_use:
            aside.append(directory.rename(images_dir / f".unused-{uuid.uuid4().hex}"))
    return aside


def _remove(directories: list[Path]) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
