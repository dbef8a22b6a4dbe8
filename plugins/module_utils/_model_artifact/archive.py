# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a model directory into the model.tar.gz that SageMaker unpacks under /opt/ml/model."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import SUMS, sums_document

#: SageMaker takes nothing but a tar in gzip, and weights hardly shrink: level 1 took 7 % off fp32 and 19 % off int8
#: ones (docs/model_delivery.md), at 20 to 50 MB/s to pack and 120 to 300 MB/s to unpack, which every cold start pays.
#: Stored, both run as fast as the disk.
COMPRESSION_LEVEL = 0

Advance = Callable[[int], None]


def pack(root: Path, sums: Mapping[str, str], destination: Path, advance: Advance = lambda count: None) -> None:
    """Writes the archive with fixed times, owners and modes, completely or not at all.

    ``sums`` names the files and the SHA-256 of each; the archive carries them as ``SHA256SUMS``. ``advance`` is told
    how many bytes were read. Memory does not depend on the model's size.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = destination.with_name(f"{destination.name}.{os.getpid()}")
    try:
        with (
            unfinished.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=COMPRESSION_LEVEL) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for name in sorted(sums):
                with (root / name).open("rb") as content:
                    _add(archive, name, os.fstat(content.fileno()).st_size, _Counted(content, advance))
            document = sums_document(sums)
            _add(archive, SUMS, len(document), io.BytesIO(document))
        unfinished.replace(destination)
    finally:
        unfinished.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, size: int, content: Any) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    archive.addfile(entry, content)


class _Counted(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, content: IO[bytes], advance: Advance) -> None:
        self._content = content
        self._advance = advance

    def read(self, size: int = -1) -> bytes:
        block = self._content.read(size)
        self._advance(len(block))
        return block
