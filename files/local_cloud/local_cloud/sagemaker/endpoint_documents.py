# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints in the store: what DescribeEndpoint answers, and what a cloud that starts again has to know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ..aws.caller import Caller
from ..store import Document, Store
from .arns import key_of
from .lifecycle import check_transition

KIND = "endpoint"
# The deployment in service, the one that an update is to bring with its DeploymentConfig, and the new one of a mix.
DEPLOYED, PENDING, OPTIONS, MIXED = "_deployed", "_pending", "_options", "_mixed"

NO_UPDATE: Document = {PENDING: None, OPTIONS: None}


class EndpointDocuments:
    """The documents of every account and region."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, caller: Caller, name: str) -> Document | None:
        """The endpoint's document, or None."""
        return self._store.get(KIND, caller, key_of(name))

    def everywhere(self) -> Iterator[tuple[Caller, Document]]:
        """Every endpoint's document, with its account and region."""
        return self._store.everywhere(KIND)

    def put(self, caller: Caller, document: Document) -> None:
        """Write a document. It was modified now."""
        document["LastModifiedTime"] = time.time()
        self._store.put(KIND, caller, key_of(document["EndpointName"]), document)

    def move(self, caller: Caller, name: str, status: str, **changes: Any) -> None:
        """Take an endpoint to another status. Raises ValueError for a step that no endpoint takes."""
        document = self.get(caller, name)
        if document is None:
            raise LookupError(f"the endpoint {name} has no document")
        check_transition(document["EndpointStatus"], status)
        self.put(caller, {**document, "EndpointStatus": status, **changes})

    def delete(self, caller: Caller, name: str) -> None:
        """Forget an endpoint."""
        self._store.delete(KIND, caller, key_of(name))
