# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a build context into a zip whose bytes depend on the files' names, contents and modes, and on nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.modelhost.sagemaker.plugins.module_utils import _reproducible_zip
from ansible_collections.modelhost.sagemaker.plugins.module_utils._reproducible_zip import Advance


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

    ``advance`` is told of every chunk's bytes. Weights would hardly shrink if they were compressed.
    """
    files = context_files(root)
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = destination.with_name(f"{destination.name}.{os.getpid()}")
    try:
        with _reproducible_zip.new(unfinished) as archive:
            for path in files:
                runs = (root / path).stat().st_mode & 0o100
                _reproducible_zip.add(archive, root / path, path.as_posix(), 0o100755 if runs else 0o100644, advance)
        unfinished.replace(destination)
    finally:
        unfinished.unlink(missing_ok=True)
