# SPDX-License-Identifier: GPL-3.0-or-later
"""What our services remember: JSON documents in one SQLite file, committed before a call is answered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
# What lists filter and sort by, beside the documents, so that a page is found without reading what is not on it.
_LISTING_COLUMNS = {"created": "REAL", "modified": "REAL", "status": "TEXT"}
# A column of `documents` -> the member of a document that it repeats.
_REPEATED = {"created": "CreationTime", "modified": "LastModifiedTime", "status": "EndpointStatus"}
_INDEXES = """
CREATE INDEX IF NOT EXISTS by_created ON documents (kind, account, region, created, key, modified, status)
    WHERE created IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_name ON documents (kind, account, region, key, created, modified, status)
    WHERE created IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_status ON documents (kind, account, region, status, key, created, modified)
    WHERE created IS NOT NULL;
"""
_INDEX_OF = {"created": "by_created", "key": "by_name", "status": "by_status"}


@dataclass(frozen=True)
class PageQuery:
    """Which documents a page has, of those that have a CreationTime.

    sort: "created", "key" or "status"; documents with the same value are in the order of their keys.
    after: the sort value and key of the last document of the page before, or None for the first page.
    Times are seconds since 1970: created_from is part of the range, the other limits are not.
    """

    size: int
    sort: str = "created"
    descending: bool = True
    after: tuple[Any, str] | None = None
    key_contains: str | None = None
    status: str | None = None
    created_from: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None


@dataclass(frozen=True)
class Page:
    """last: what the next page's query has as `after`; None where this is the last page."""

    documents: list[Document]
    last: tuple[Any, str] | None


class Store:
    """Documents by kind, account, region and key. Used from one thread, the event loop's."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        # WAL survives the death of this process at any moment, and costs no fsync per call.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(_SCHEMA)
        self._add_listing_columns()

    def get(self, kind: str, caller: Caller, key: str) -> Document | None:
        """The document, or None."""
        row = self._connection.execute(
            "SELECT document FROM documents WHERE kind=? AND account=? AND region=? AND key=?",
            (kind, caller.account, caller.region, key),
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, caller: Caller, key: str, document: Document) -> None:
        """Add or replace the document. It is on disk when this returns."""
        repeated = (document.get(member) for member in _REPEATED.values())
        self._connection.execute(
            "INSERT OR REPLACE INTO documents (kind, account, region, key, document, created, modified, status)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, caller.account, caller.region, key, json.dumps(document), *repeated),
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

    def page(self, kind: str, caller: Caller, query: PageQuery) -> Page:
        """One page of a kind's documents in one account and region. Reads the documents of that page and no others."""
        rows = self._connection.execute(*_selection(kind, caller, query)).fetchall()
        found = (self.get(kind, caller, key) for _, key in rows[: query.size])
        documents = [document for document in found if document is not None]
        return Page(documents, rows[query.size - 1] if len(rows) > query.size else None)

    def explain(self, kind: str, caller: Caller, query: PageQuery) -> Sequence[str]:
        """How SQLite finds a page."""
        sql, values = _selection(kind, caller, query)
        return [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]

    def everywhere(self, kind: str) -> Iterator[tuple[Caller, Document]]:
        """Every document of a kind, with the account and region it lives in."""
        rows = self._connection.execute(
            "SELECT account, region, document FROM documents WHERE kind=? ORDER BY account, region, key", (kind,)
        ).fetchall()
        for account, region, document in rows:
            yield Caller(account, region), json.loads(document)

    def close(self) -> None:
        self._connection.close()

    def _add_listing_columns(self) -> None:
        """Bring a file that was written without them up to date; killed in the middle, it stays as it was."""
        self._connection.execute("BEGIN IMMEDIATE")
        known = {row[1] for row in self._connection.execute("PRAGMA table_info(documents)")}
        missing = {column: kind for column, kind in _LISTING_COLUMNS.items() if column not in known}
        for column, column_type in missing.items():
            self._connection.execute(f"ALTER TABLE documents ADD COLUMN {column} {column_type}")
        if missing:
            for key in self._connection.execute(
                "SELECT kind, account, region, key, document FROM documents"
            ).fetchall():
                document = json.loads(key[4])
                values = [document.get(member) for member in _REPEATED.values()]
                self._connection.execute(
                    "UPDATE documents SET created=?, modified=?, status=?"
                    " WHERE kind=? AND account=? AND region=? AND key=?",
                    (*values, *key[:4]),
                )
        for statement in filter(str.strip, _INDEXES.split(";")):
            self._connection.execute(statement)
        self._connection.execute("COMMIT")


def _selection(kind: str, caller: Caller, query: PageQuery) -> tuple[str, list[Any]]:
    """SQL that finds the sort values and keys of a page and one more, and its values."""
    order = "DESC" if query.descending else "ASC"
    conditions, values = _conditions(query)
    sql = (
        f"SELECT {query.sort}, key FROM documents INDEXED BY {_INDEX_OF[query.sort]}"  # noqa: S608 - our own words
        f" WHERE kind=? AND account=? AND region=? AND created IS NOT NULL{''.join(conditions)}"
        f" ORDER BY {', '.join(f'{column} {order}' for column in dict.fromkeys((query.sort, 'key')))} LIMIT ?"
    )
    return sql, [kind, caller.account, caller.region, *values, query.size + 1]


def _conditions(query: PageQuery) -> tuple[list[str], list[Any]]:
    """SQL and its values for what a page's documents have to meet."""
    conditions: list[str] = []
    values: list[Any] = []
    if query.after is not None:
        than = "<" if query.descending else ">"
        if query.sort == "key":
            conditions.append(f" AND key {than} ?")
            values.append(query.after[1])
        else:
            conditions.append(f" AND ({query.sort}, key) {than} (?, ?)")
            values.extend(query.after)
    for condition, value in (
        ("instr(key, ?) > 0", query.key_contains),
        ("status = ?", query.status),
        ("created >= ?", query.created_from),
        ("created < ?", query.created_before),
        ("modified > ?", query.modified_after),
        ("modified < ?", query.modified_before),
    ):
        if value is not None:
            conditions.append(f" AND {condition}")
            values.append(value)
    return conditions, values
