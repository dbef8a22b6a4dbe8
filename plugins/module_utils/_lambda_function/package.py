# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a directory into a zip whose bytes depend on the files' names and contents, and on nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path

from ansible_collections.modelhost.sagemaker.plugins.module_utils import _reproducible_zip

_MODE = 0o100644

# Lambda's quota for a zip that comes with the request.
MAX_BYTES = 50 * 1024 * 1024


class InvalidPackage(ValueError):
    """The directory cannot be packed; the text says why."""


def build_package(source: Path) -> bytes:
    """Return the zip of all files under ``source``, less byte code and hidden files.

    The same source gives the same bytes on every machine; else it would be published again from another one. Raise
    `InvalidPackage` where there is no directory, no file in it, or too much.
    """
    if not source.is_dir():
        raise InvalidPackage(f"{source} is not a directory; it has to hold the source of the function.")
    files = sorted((path.relative_to(source).as_posix(), path) for path in source.rglob("*") if _belongs(path, source))
    if not files:
        raise InvalidPackage(f"{source} holds no files; it has to hold the source of the function.")
    buffer = io.BytesIO()
    with _reproducible_zip.new(buffer) as archive:
        for name, path in files:
            _reproducible_zip.add(archive, path, name, _MODE)
    package = buffer.getvalue()
    if len(package) > MAX_BYTES:
        raise InvalidPackage(f"{source} packs to {len(package)} bytes; Lambda takes at most {MAX_BYTES} in a request.")
    return package


def code_sha256(package: bytes) -> str:
    """Return the digest of a zip the way Lambda tells it: SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(package).digest()).decode("ascii")


def _belongs(path: Path, source: Path) -> bool:
    parts = path.relative_to(source).parts
    if any(part == "__pycache__" or part.startswith(".") for part in parts):
        return False
    return path.is_file() and path.suffix != ".pyc"
