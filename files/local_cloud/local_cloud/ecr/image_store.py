# SPDX-License-Identifier: GPL-3.0-or-later
"""What the repositories hold: images, their tags, and the layers they are made of.

Layers are files named by their digest, shared by all repositories; which repository has which is in SQLite, as are
manifests, which are small. A file is in its place before a row speaks of it, so a kill leaves no row without its file.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..aws.caller import Caller

# A repository is written as "<account>/<region>/<name>".
_SCHEMA = """
CREATE TABLE IF NOT EXISTS layers (
    repository TEXT, digest TEXT, size INTEGER, pushed REAL, PRIMARY KEY (repository, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images (
    repository TEXT, digest TEXT, media_type TEXT, artifact_type TEXT, manifest BLOB, size INTEGER, pushed REAL,
    pulled REAL, PRIMARY KEY (repository, digest)
);
CREATE TABLE IF NOT EXISTS needs (
    repository TEXT, image TEXT, digest TEXT, PRIMARY KEY (repository, image, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
    repository TEXT, tag TEXT, digest TEXT, PRIMARY KEY (repository, tag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, repository TEXT, started REAL, received INTEGER, short_part INTEGER
) WITHOUT ROWID;
"""

# A layer that no image needs is kept this long: its image may still be on its way.
UNUSED_LAYER_SECONDS = 3600.0


@dataclass(frozen=True)
class Repository:
    """A repository's place: one account's and region's, by name."""

    owner: Caller
    name: str

    @property
    def key(self) -> str:
        return f"{self.owner.account}/{self.owner.region}/{self.name}"


@dataclass(frozen=True)
class StoredImage:
    """An image. size: bytes of its layers. pushed, pulled: seconds since 1970. tags: in alphabetical order.

    artifact_type: the media type of what the image is, which its config's descriptor names.
    """

    digest: str
    media_type: str
    artifact_type: str | None
    manifest: bytes
    size: int
    pushed: float
    pulled: float | None
    tags: tuple[str, ...] = ()


class ImageStore:
    """Images and layers. Used from one thread, the event loop's; the layers' files are written and read elsewhere."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"
        self.uploads_dir = directory / "uploads"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self.uploads_dir.mkdir(exist_ok=True)
        self.connection = sqlite3.connect(directory / "ecr.sqlite3", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.executescript(_SCHEMA)

    def close(self) -> None:
        self.connection.close()

    # Layers

    def blob_path(self, digest: str) -> Path:
        """Where the bytes of a digest are, if they are anywhere."""
        return self._blobs / digest.removeprefix("sha256:")

    def layer_size(self, repository: Repository, digest: str) -> int | None:
        """The bytes of a layer (or of a config, which is pushed as one), or None where the repository has it not."""
        row = self.connection.execute(
            "SELECT size FROM layers WHERE repository=? AND digest=?", (repository.key, digest)
        ).fetchone()
        return int(row[0]) if row else None

    def add_layer(self, repository: Repository, digest: str, size: int) -> None:
        """The repository has a layer, whose file is in its place."""
        self.connection.execute(
            "INSERT OR REPLACE INTO layers VALUES (?, ?, ?, ?)", (repository.key, digest, size, time.time())
        )

    # Images

    def put_image(self, repository: Repository, image: StoredImage, needs: tuple[str, ...], tag: str | None) -> None:
        """Add an image, or give one that is there the tag, which no other image has then.

        needs: the digests of its layers and config, or of the images that an index lists.
        """
        with self._transaction():
            self.connection.execute(
                "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    repository.key,
                    image.digest,
                    image.media_type,
                    image.artifact_type,
                    image.manifest,
                    image.size,
                    image.pushed,
                ),
            )
            self.connection.executemany(
                "INSERT OR IGNORE INTO needs VALUES (?, ?, ?)",
                [(repository.key, image.digest, digest) for digest in needs],
            )
            if tag is not None:
                self.connection.execute(
                    "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", (repository.key, tag, image.digest)
                )

    def image(self, repository: Repository, *, digest: str | None = None, tag: str | None = None) -> StoredImage | None:
        """The image with this digest, with this tag, or with both."""
        if tag is not None:
            row = self.connection.execute(
                "SELECT digest FROM tags WHERE repository=? AND tag=?", (repository.key, tag)
            ).fetchone()
            if row is None or digest not in (None, row[0]):
                return None
            digest = row[0]
        found = self._images(repository, digest)
        return found[0] if found else None

    def images(self, repository: Repository) -> list[StoredImage]:
        """Every image of the repository, in the order they were pushed."""
        return self._images(repository, None)

    def indexes_with(self, repository: Repository, digest: str) -> list[str]:
        """The digests of the indexes that list this image."""
        rows = self.connection.execute(
            "SELECT image FROM needs WHERE repository=? AND digest=? ORDER BY image", (repository.key, digest)
        )
        return [row[0] for row in rows]

    def was_pulled(self, repository: Repository, digest: str) -> None:
        """Note that somebody pulled the image."""
        self.connection.execute(
            "UPDATE images SET pulled=? WHERE repository=? AND digest=?", (time.time(), repository.key, digest)
        )

    def remove_tag(self, repository: Repository, tag: str) -> None:
        self.connection.execute("DELETE FROM tags WHERE repository=? AND tag=?", (repository.key, tag))

    def remove_image(self, repository: Repository, digest: str) -> None:
        """Remove an image and its tags. Its layers stay until `collect_garbage`."""
        with self._transaction():
            place = (repository.key, digest)
            self.connection.execute("DELETE FROM images WHERE repository=? AND digest=?", place)
            self.connection.execute("DELETE FROM tags WHERE repository=? AND digest=?", place)
            self.connection.execute("DELETE FROM needs WHERE repository=? AND image=?", place)

    def remove_repository(self, repository: Repository) -> None:
        """Forget everything in a repository."""
        with self._transaction():
            self.connection.execute("DELETE FROM images WHERE repository=?", (repository.key,))
            self.connection.execute("DELETE FROM tags WHERE repository=?", (repository.key,))
            self.connection.execute("DELETE FROM needs WHERE repository=?", (repository.key,))
            self.connection.execute("DELETE FROM layers WHERE repository=?", (repository.key,))
            self.connection.execute("DELETE FROM uploads WHERE repository=?", (repository.key,))

    def collect_garbage(self) -> list[Path]:
        """Forget layers that no image needs; the files that nothing speaks of any more, for the caller to delete."""
        with self._transaction():
            self.connection.execute(
                "DELETE FROM layers WHERE pushed < ? AND NOT EXISTS"
                " (SELECT 1 FROM needs AS n WHERE n.repository=layers.repository AND n.digest=layers.digest)",
                (time.time() - UNUSED_LAYER_SECONDS,),
            )
        known = {row[0] for row in self.connection.execute("SELECT DISTINCT digest FROM layers")}
        young = time.time() - UNUSED_LAYER_SECONDS
        return [
            path
            for path in self._blobs.iterdir()
            if f"sha256:{path.name}" not in known and path.stat().st_mtime < young
        ]

    def _images(self, repository: Repository, digest: str | None) -> list[StoredImage]:
        place = {"repository": repository.key, "digest": digest}
        tags: dict[str, list[str]] = {}
        for tagged, tag in self.connection.execute(
            "SELECT digest, tag FROM tags WHERE repository=:repository AND (:digest IS NULL OR digest=:digest)"
            " ORDER BY tag",
            place,
        ):
            tags.setdefault(tagged, []).append(tag)
        return [
            StoredImage(name, media_type, artifact_type, manifest, size, pushed, pulled, tuple(tags.get(name, ())))
            for name, media_type, artifact_type, manifest, size, pushed, pulled in self.connection.execute(
                "SELECT digest, media_type, artifact_type, manifest, size, pushed, pulled FROM images"
                " WHERE repository=:repository AND (:digest IS NULL OR digest=:digest) ORDER BY pushed, rowid",
                place,
            )
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
