# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests that wait for an asynchronous endpoint. They are on disk from before they are acknowledged until their
result is, so neither a stop nor a kill of the cloud loses one; one that was being worked on is done again."""

from __future__ import annotations

import base64
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...aws.caller import Caller
from ...store import Document, Store
from .limits import ASYNC_TTL_SECONDS

KIND = "async-invocation"


@dataclass(frozen=True)
class EndpointKey:
    """An endpoint as its queue knows it. created: its CreationTime; one made later under the same name is another."""

    caller: Caller
    name: str
    created: float


@dataclass(frozen=True)
class Entry:
    """A waiting request, without its contents. received: seconds since 1970; ttl: seconds that it may wait."""

    key: str
    received: float
    ttl: float

    def is_expired(self, now: float) -> bool:
        return now - self.received > self.ttl


class AsyncQueue:
    """Every endpoint's waiting requests, the oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[EndpointKey, deque[Entry]] = {}

    def load(self) -> Iterator[EndpointKey]:
        """Take up what the store has, and yield the endpoints that it is for."""
        documents = sorted(self._store.everywhere(KIND), key=lambda found: float(found[1]["received"]))
        for caller, document in documents:
            self._append(_endpoint_of(caller, document), _entry_of(document))
        yield from list(self._waiting)

    def put(self, endpoint: EndpointKey, document: Document, body: bytes) -> None:
        """Add a request. document: what is known of it. It is on disk when this returns."""
        document = {
            **document,
            "key": uuid.uuid4().hex,
            "endpoint_name": endpoint.name,
            "endpoint_created": endpoint.created,
            "body": base64.b64encode(body).decode(),
        }
        self._store.put(KIND, endpoint.caller, document["key"], document)
        self._append(endpoint, _entry_of(document))

    def waiting(self, endpoint: EndpointKey) -> deque[Entry]:
        """The endpoint's waiting requests. Taking one out does not remove it from the disk."""
        return self._waiting.setdefault(endpoint, deque())

    def read(self, endpoint: EndpointKey, entry: Entry) -> tuple[Document, bytes] | None:
        """A request and its inline body, or None where it is gone."""
        document = self._store.get(KIND, endpoint.caller, entry.key)
        return (document, base64.b64decode(document["body"])) if document else None

    def remove(self, endpoint: EndpointKey, entry: Entry) -> None:
        """Forget a request whose result has been written."""
        self._store.delete(KIND, endpoint.caller, entry.key)

    def drop(self, endpoint: EndpointKey) -> None:
        """Forget what waits for an endpoint that was deleted."""
        for entry in self._waiting.pop(endpoint, ()):
            self.remove(endpoint, entry)

    def forget_empty(self, endpoint: EndpointKey) -> None:
        """Let go of an endpoint without waiting requests."""
        if not self._waiting.get(endpoint):
            self._waiting.pop(endpoint, None)

    def _append(self, endpoint: EndpointKey, entry: Entry) -> None:
        self.waiting(endpoint).append(entry)


def _endpoint_of(caller: Caller, document: dict[str, Any]) -> EndpointKey:
    return EndpointKey(caller, document["endpoint_name"], document["endpoint_created"])


def _entry_of(document: dict[str, Any]) -> Entry:
    ttl = document["parameters"].get("RequestTTLSeconds", ASYNC_TTL_SECONDS)
    return Entry(document["key"], document["received"], float(ttl))
