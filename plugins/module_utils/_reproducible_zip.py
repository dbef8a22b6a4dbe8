# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips whose bytes depend on names, modes and contents, and on nothing else.

Nothing is compressed: another release of zlib compresses to other bytes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

Advance = Callable[[int], None]

# Zip cannot tell an earlier time than this.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_CHUNK = 1024 * 1024


def new(destination: Path | IO[bytes]) -> zipfile.ZipFile:
    """Begin a zip; what is added with `add` is all that goes in."""
    return zipfile.ZipFile(destination, "w", zipfile.ZIP_STORED)


def add(archive: zipfile.ZipFile, source: Path, name: str, mode: int, advance: Advance = lambda count: None) -> None:
    """Add a file, in chunks, so that a large one takes no memory. ``advance`` is told of every chunk's bytes."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = mode << 16
    # Known before it is written, so that ZIP64 is used where it is needed and nowhere else.
    entry.file_size = source.stat().st_size
    with source.open("rb") as content, archive.open(entry, "w") as target:
        while chunk := content.read(_CHUNK):
            target.write(chunk)
            advance(len(chunk))
