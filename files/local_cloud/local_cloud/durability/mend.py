# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts right what a killed cloud left half done on disk. Run it before ministack is imported, which loads its files.

Every file is replaced in one step, so a file is never half written. What can be half done is a change of two files: S3
keeps an object's bytes in one and its ETag, size and headers in another, `<key>.meta.json`, which it writes second.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .keeper import replace

_SIDECAR = ".meta.json"
# Where ministack keeps the bytes of versions that are not the latest.
_VERSIONS = ".versions"
_CHUNK = 1 << 20

logger = logging.getLogger("local_cloud.durability")


def mend(ministack_dir: Path, s3_dir: Path) -> None:
    """Remove or complete what was half done, and set aside files that cannot be read."""
    for leftover in ministack_dir.rglob("*.tmp"):
        leftover.unlink(missing_ok=True)
    for file in ministack_dir.glob("*.json"):
        _set_aside_if_broken(file)
    for directory, files in _directories(s3_dir):
        for name in files:
            if name.endswith(".tmp"):  # S3 keeps keys that end so under other names
                (directory / name).unlink(missing_ok=True)
    versions_dir = s3_dir / _VERSIONS
    for directory, files in _directories(s3_dir):
        if versions_dir not in (directory, *directory.parents):
            names = set(files)
            for name in sorted(names):
                if not name.endswith((".tmp", _SIDECAR)):
                    _mend_object(s3_dir, directory / name, name + _SIDECAR in names)


def _set_aside_if_broken(file: Path) -> None:
    """Keep a file that is no JSON, which only a crash of the machine makes, from being taken for an empty service."""
    try:
        json.loads(file.read_bytes())
    except ValueError:
        aside = file.with_name(file.name + ".broken")
        file.replace(aside)
        logger.error("%s was damaged; its service starts empty, and the damaged file is now %s", file, aside)


def _mend_object(s3_dir: Path, data: Path, has_sidecar: bool) -> None:
    sidecar = data.with_name(data.name + _SIDECAR)
    if not has_sidecar:
        # The first PUT of this key was never answered.
        data.unlink(missing_ok=True)
        return
    content, described = data.stat(), sidecar.stat()
    if content.st_mtime_ns <= described.st_mtime_ns:
        return
    meta: dict[str, Any] = json.loads(sidecar.read_bytes())
    etag = str(meta.get("etag", "")).strip('"')
    digest = _md5(data)
    if meta.get("is_delete_marker") or (content.st_size == meta.get("size") and (digest == etag or "-" in etag)):
        return
    earlier = _version_file(s3_dir, data, str(meta.get("version_id") or "null"))
    if earlier is not None:
        # The version that the answered calls made is kept; the new one's PUT was never answered.
        shutil.copyfile(earlier, data)
        os.utime(data, ns=(described.st_mtime_ns, described.st_mtime_ns))
        return
    meta.update(size=content.st_size, etag=f'"{digest}"', checksums={})
    replace(sidecar, json.dumps(meta).encode())


def _version_file(s3_dir: Path, data: Path, version_id: str) -> Path | None:
    account, bucket, *key = data.relative_to(s3_dir).parts
    path = s3_dir.joinpath(_VERSIONS, account, bucket, version_id, *key)
    return path if path.is_file() else None


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _directories(top: Path) -> Iterator[tuple[Path, list[str]]]:
    for directory, _, files in os.walk(top):
        yield Path(directory), files
