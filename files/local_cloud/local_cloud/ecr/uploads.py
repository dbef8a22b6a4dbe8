# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers on their way in: each a file that grows, and is moved to its digest's place when it is whole.

What was acknowledged of an upload survives a kill, so a client that tries again goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .image_store import ImageStore, Repository

UPLOAD_LIFE_SECONDS = 24 * 3600.0
_CHUNK = 4 << 20


class WrongDigest(Exception):
    """What was uploaded has another digest: `actual`."""

    def __init__(self, actual: str) -> None:
        super().__init__(actual)
        self.actual = actual


@dataclass
class Upload:
    """One layer that is being uploaded. received: bytes so far. short_part: whether a last part was uploaded.

    lock: hold it from looking at what was received until more has been written.
    """

    id: str
    repository: Repository
    path: Path
    received: int = 0
    short_part: bool = False
    digest: Any = field(default_factory=hashlib.sha256)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Uploads:
    """The uploads that have begun and not ended."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._open: dict[str, Upload] = {}

    def begin(self, repository: Repository) -> Upload:
        """A new upload into the repository."""
        upload_id = str(uuid.uuid4())
        upload = Upload(upload_id, repository, self._store.uploads_dir / upload_id)
        upload.path.touch(mode=0o600)
        self._store.connection.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, 0, 0)", (upload_id, repository.key, time.time())
        )
        self._open[upload_id] = upload
        return upload

    async def find(self, repository: Repository, upload_id: str) -> Upload | None:
        """An upload into this repository, also one that began before the cloud was started."""
        upload = self._open.get(upload_id) or await self._resume(repository, upload_id)
        return upload if upload is not None and upload.repository == repository else None

    async def write(self, upload: Upload, content: bytes) -> None:
        """Add bytes. They count once they are acknowledged."""
        await asyncio.to_thread(_append, upload, content)

    def acknowledge(self, upload: Upload) -> None:
        """What has been written so far is there to stay."""
        self._store.connection.execute(
            "UPDATE uploads SET received=?, short_part=? WHERE id=?", (upload.received, upload.short_part, upload.id)
        )

    def finish(self, upload: Upload, digest: str) -> None:
        """Make it a layer of its repository. Raises WrongDigest, and ends the upload, where it is not that layer."""
        actual = "sha256:" + upload.digest.hexdigest()
        if actual != digest:
            self.cancel(upload)
            raise WrongDigest(actual)
        upload.path.replace(self._store.blob_path(digest))
        self._store.add_layer(upload.repository, digest, upload.received)
        self._forget(upload)

    def cancel(self, upload: Upload) -> None:
        """End the upload without a layer."""
        upload.path.unlink(missing_ok=True)
        self._forget(upload)

    def expire(self) -> None:
        """End uploads that nobody finished, and remove files that belong to none."""
        connection = self._store.connection
        connection.execute("DELETE FROM uploads WHERE started < ?", (time.time() - UPLOAD_LIFE_SECONDS,))
        known = {row[0] for row in connection.execute("SELECT id FROM uploads")}
        for path in self._store.uploads_dir.iterdir():
            if path.name not in known:
                path.unlink(missing_ok=True)
                self._open.pop(path.name, None)

    async def _resume(self, repository: Repository, upload_id: str) -> Upload | None:
        row = self._store.connection.execute(
            "SELECT received, short_part FROM uploads WHERE id=? AND repository=?", (upload_id, repository.key)
        ).fetchone()
        path = self._store.uploads_dir / upload_id
        if row is None or not path.is_file():
            return None
        upload = Upload(upload_id, repository, path, int(row[0]), bool(row[1]))
        await asyncio.to_thread(_take_up, upload)
        return self._open.setdefault(upload_id, upload)

    def _forget(self, upload: Upload) -> None:
        self._open.pop(upload.id, None)
        self._store.connection.execute("DELETE FROM uploads WHERE id=?", (upload.id,))


def _append(upload: Upload, content: bytes) -> None:
    with upload.path.open("ab") as file:
        file.write(content)
    upload.digest.update(content)
    upload.received += len(content)


def _take_up(upload: Upload) -> None:
    """Cut off what was written and not acknowledged, and digest the rest."""
    os.truncate(upload.path, upload.received)
    with upload.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            upload.digest.update(chunk)
