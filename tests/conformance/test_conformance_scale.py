# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand endpoints' worth of models, configurations and tags: a page stays a page.

What a call costs is asserted in rows and documents, not in time; measure_scale.py in this directory takes the times.
"""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest
from conformance_source import source
from local_cloud.aws.caller import Caller
from local_cloud.sagemaker.listing import next_token, page_query
from local_cloud.store import Store

HERE = Caller("000000000000", "us-east-1")
COUNT = 1_000
RULE = source("The project's own: 1,000 endpoints' worth of models and configs do not slow a describe or a list page")
KINDS = {"model": "ModelName", "endpoint-config": "EndpointConfigName", "endpoint": "EndpointName"}


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with 1,000 of each kind and their tags."""
    store = Store(tmp_path_factory.mktemp("crowded") / "store.sqlite3")
    for kind, member in KINDS.items():
        for number in range(COUNT):
            name = f"demo-{number:05}"
            times = {"CreationTime": 1e9 + number, "LastModifiedTime": 1e9 + number}
            document = {member: name, **times, "EndpointStatus": "InService", "Filler": "x" * 500}
            store.put(kind, HERE, name, document)
            store.put("sagemaker-tags", HERE, f"arn:{kind}/{name}", {"modelhost:stage": "local"})
    return store


class Counter:
    """Counts the documents that are decoded, and the steps that SQLite takes, in hundreds of its instructions."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded = self.steps = 0
        counting = SimpleNamespace(loads=lambda text: self._count(json.loads(text)), dumps=json.dumps)
        monkeypatch.setattr("local_cloud.store.json", counting)
        connection: sqlite3.Connection = store._connection
        connection.set_progress_handler(self._step, 100)

    def _count(self, document: Any) -> Any:
        self.decoded += 1
        return document

    def _step(self) -> None:
        self.steps += 1

    def reset(self) -> None:
        self.decoded = self.steps = 0


@RULE
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sort", ["CreationTime", "Name"])
def test_every_page_costs_its_own_documents_and_no_scan(
    crowded: Store, monkeypatch: pytest.MonkeyPatch, kind: str, sort: str
) -> None:
    counter = Counter(crowded, monkeypatch)
    token, costs = None, []
    for _ in range(COUNT // 100):
        counter.reset()
        query = page_query({"MaxResults": 100, "SortBy": sort, **({"NextToken": token} if token else {})})
        page = crowded.page(kind, HERE, query)
        token = next_token(query, page)
        assert len(page.documents) == counter.decoded == 100
        costs.append(counter.steps)
    assert token is None
    assert max(costs) <= 2 * min(costs), "the last page costs what the first one costs"


@RULE
@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_decodes_what_it_finds_alone(crowded: Store, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    counter = Counter(crowded, monkeypatch)
    query = page_query({"NameContains": "o-0099"})
    assert len(crowded.page(kind, HERE, query).documents) == 10
    assert counter.decoded == 10


@RULE
@pytest.mark.parametrize("kind", KINDS)
def test_a_describe_reads_one_document(crowded: Store, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    counter = Counter(crowded, monkeypatch)
    assert crowded.get(kind, HERE, "demo-00500") is not None
    assert (counter.decoded, counter.steps) == (1, 0)
