# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a model directory into the model.tar.gz that SageMaker unpacks under /opt/ml/model."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from pathlib import Path


class ModelDirectoryError(Exception):
    """The directory cannot be served; the message says why."""


def model_files(root: Path) -> list[Path]:
    """The files of a model directory, relative to it and sorted; hidden ones are left out.

    Raises ModelDirectoryError where the directory is missing or holds no ``config.json``, which every transformers
    model has.
    """
    if not root.is_dir():
        raise ModelDirectoryError(f"The model directory {root} does not exist.")
    files = sorted(
        path.relative_to(root)
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if Path("config.json") not in files:
        raise ModelDirectoryError(f"{root} holds no config.json, so it is no Hugging Face model.")
    return files


def content_digest(root: Path, files: list[Path]) -> str:
    """32 hex digits over names and contents. Not over the archive: zlib versions pack differently."""
    content = [[path.as_posix(), hashlib.sha256((root / path).read_bytes()).hexdigest()] for path in files]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def pack(root: Path, files: list[Path], destination: Path) -> None:
    """Writes the archive with fixed times, owners and modes, completely or not at all."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = destination.with_name(f"{destination.name}.{os.getpid()}")
    try:
        with (
            unfinished.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for path in files:
                entry = tarfile.TarInfo(path.as_posix())
                entry.size = (root / path).stat().st_size
                entry.mode = 0o644
                with (root / path).open("rb") as content:
                    archive.addfile(entry, content)
        unfinished.replace(destination)
    finally:
        unfinished.unlink(missing_ok=True)
