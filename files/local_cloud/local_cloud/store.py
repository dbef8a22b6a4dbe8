# SPDX-License-Identifier: GPL-3.0-or-later
"""What our services remember: JSON documents in one SQLite file, committed before a call is answered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .aws.caller import Caller

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (kind, account, region, key)
) WITHOUT ROWID
"""


class Store:
    """Documents by kind, account, region and key. Used from one thread, the event loop's."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        # WAL survives the death of this process at any moment, and costs no fsync per call.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)

    def get(self, kind: str, caller: Caller, key: str) -> Document | None:
        """The document, or None."""
        row = self._connection.execute(
            "SELECT document FROM documents WHERE kind=? AND account=? AND region=? AND key=?",
            (kind, caller.account, caller.region, key),
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, caller: Caller, key: str, document: Document) -> None:
        """Add or replace the document. It is on disk when this returns."""
        self._connection.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
            (kind, caller.account, caller.region, key, json.dumps(document)),
        )

    def delete(self, kind: str, caller: Caller, key: str) -> None:
        """Remove the document, if it is there."""
        self._connection.execute(
            "DELETE FROM documents WHERE kind=? AND account=? AND region=? AND key=?",
            (kind, caller.account, caller.region, key),
        )

    def list(self, kind: str, caller: Caller) -> list[Document]:
        """Every document of a kind in one account and region, by key."""
        rows = self._connection.execute(
            "SELECT document FROM documents WHERE kind=? AND account=? AND region=? ORDER BY key",
            (kind, caller.account, caller.region),
        )
        return [json.loads(row[0]) for row in rows]

    def everywhere(self, kind: str) -> Iterator[tuple[Caller, Document]]:
        """Every document of a kind, with the account and region it lives in."""
        rows = self._connection.execute(
            "SELECT account, region, document FROM documents WHERE kind=? ORDER BY account, region, key", (kind,)
        ).fetchall()
        for account, region, document in rows:
            yield Caller(account, region), json.loads(document)

    def close(self) -> None:
        self._connection.close()
