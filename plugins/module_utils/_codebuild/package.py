# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a build context into a zip whose bytes depend on the files' names, contents and modes, and on nothing else."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

Advance = Callable[[int], None]

# Zip cannot tell an earlier time than this.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_CHUNK = 1024 * 1024


class InvalidContext(ValueError):
    """The directory cannot be packed; the text says why."""


def context_files(root: Path) -> list[Path]:
    """The files below ``root``, relative to it and sorted. Raises `InvalidContext` where there are none."""
    if not root.is_dir():
        raise InvalidContext(f"{root} is not a directory; it has to hold the build context.")
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    if not files:
        raise InvalidContext(f"{root} holds no files; it has to hold the build context.")
    return files


def context_bytes(root: Path) -> int:
    """How many bytes the context's files have."""
    return sum((root / path).stat().st_size for path in context_files(root))


def pack(root: Path, destination: Path, advance: Advance = lambda count: None) -> None:
    """Write the zip, completely or not at all.

    Nothing is compressed: weights hardly shrink, and another release of zlib would compress to other bytes. Files are
    copied in chunks, so a large model takes no memory. ``advance`` is told of every chunk's bytes.
    """
    files = context_files(root)
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = destination.with_name(f"{destination.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for path in files:
                _add(archive, root / path, path.as_posix(), advance)
        unfinished.replace(destination)
    finally:
        unfinished.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, source: Path, name: str, advance: Advance) -> None:
    status = source.stat()
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = (0o100755 if status.st_mode & 0o100 else 0o100644) << 16
    # Known before it is written, so that ZIP64 is used where it is needed and nowhere else.
    entry.file_size = status.st_size
    with source.open("rb") as content, archive.open(entry, "w") as target:
        while chunk := content.read(_CHUNK):
            target.write(chunk)
            advance(len(chunk))
