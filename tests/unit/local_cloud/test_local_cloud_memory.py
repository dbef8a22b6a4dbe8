# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cloud writes down: documents, calls, and what its own code is."""

from __future__ import annotations

import base64
import json
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.call_log import CallLog
from local_cloud.ministack_backend import environment
from local_cloud.sagemaker.listing import next_token, page_query
from local_cloud.settings import Settings, digest_of_code, docker_host_of
from local_cloud.store import Store

HERE, THERE = Caller("000000000000", "us-east-1"), Caller("000000000000", "eu-west-1")


def log(calls: CallLog, operation: str) -> None:
    calls.add(service="s3", operation=operation, access="read", status=200, error=None, access_key="k", ms=1.0)


def test_calls_are_numbered_on_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    first = CallLog(path)
    log(first, "HeadBucket")
    log(first, "GetObject")
    first.close()
    with path.open("a") as file:
        file.write('{"n": 3, "ti')  # cut short by a kill
    second = CallLog(path)
    log(second, "PutObject")
    page = second.since(2)
    assert [(call["n"], call["operation"]) for call in page["calls"]] == [(3, "PutObject")]
    assert page["next"] == 3


def test_a_page_of_calls_says_where_the_next_begins(tmp_path: Path) -> None:
    calls = CallLog(tmp_path / "calls.jsonl")
    assert calls.since(0) == {"calls": [], "next": 0}
    for operation in ("A", "B", "C"):
        log(calls, operation)
    page = calls.since(1)
    assert [call["operation"] for call in page["calls"]] == ["B", "C"]
    assert calls.since(page["next"])["calls"] == []


def test_documents_are_kept_by_kind_account_and_region(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite3")
    store.put("model", HERE, "m", {"a": 1})
    store.put("model", HERE, "m", {"a": 2})
    store.put("model", THERE, "m", {"a": 3})
    store.close()
    store = Store(tmp_path / "store.sqlite3")
    assert store.get("model", HERE, "m") == {"a": 2}
    assert store.get("endpoint", HERE, "m") is None
    assert store.list("model", THERE) == [{"a": 3}]
    assert [caller for caller, _ in store.everywhere("model")] == [THERE, HERE]
    store.delete("model", HERE, "m")
    assert store.list("model", HERE) == []


def endpoint(name: str, created: float, **members: Any) -> dict[str, Any]:
    times = {"CreationTime": created, "LastModifiedTime": created + 100}
    return {"EndpointName": name, "EndpointStatus": "InService", **times, **members}


@pytest.fixture
def endpoints(tmp_path: Path) -> Store:
    """Twelve endpoints, e0 to e11, made one second after another; those with an even number are in service."""
    store = Store(tmp_path / "store.sqlite3")
    for n in range(12):
        status = "Failed" if n % 2 else "InService"
        store.put("endpoint", HERE, f"e{n}", endpoint(f"e{n}", float(n), EndpointStatus=status))
        store.put("endpoint", THERE, f"far{n}", endpoint(f"far{n}", float(n)))
    store.put("sagemaker-tags", HERE, "arn", {"no": "times"})
    return store


def listed(store: Store, **parameters: Any) -> tuple[list[str], str | None]:
    query = page_query(parameters)
    page = store.page("endpoint", HERE, query)
    return [document["EndpointName"] for document in page.documents], next_token(query, page)


def test_a_list_begins_with_the_newest_and_has_ten_to_a_page(endpoints: Store) -> None:
    names, token = listed(endpoints)
    assert names == [f"e{n}" for n in range(11, 1, -1)]
    assert listed(endpoints, NextToken=token) == (["e1", "e0"], None)


def test_a_last_page_that_is_full_has_no_token(endpoints: Store) -> None:
    assert listed(endpoints, MaxResults=12)[1] is None


@pytest.mark.parametrize("order", ["Ascending", "Descending"])
@pytest.mark.parametrize("sort", ["Name", "CreationTime", "Status"])
def test_the_pages_of_a_list_are_its_parts_in_order(endpoints: Store, sort: str, order: str) -> None:
    whole, _ = listed(endpoints, MaxResults=100, SortBy=sort, SortOrder=order)
    pages: list[str] = []
    token: str | None = ""
    while token is not None:
        names, token = listed(
            endpoints, MaxResults=5, SortBy=sort, SortOrder=order, **({"NextToken": token} if token else {})
        )
        pages += names
    assert pages == whole
    assert sorted(whole) == sorted(f"e{n}" for n in range(12))
    if sort == "Name":
        assert whole == sorted(whole, reverse=order == "Descending")


def test_a_page_begins_where_the_last_one_ended_whatever_was_deleted(endpoints: Store) -> None:
    _, token = listed(endpoints, MaxResults=2)
    for gone in ("e11", "e10", "e9"):
        endpoints.delete("endpoint", HERE, gone)
    endpoints.put("endpoint", HERE, "new", endpoint("new", 50.0))
    assert listed(endpoints, MaxResults=2, NextToken=token)[0] == ["e8", "e7"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"NameContains": "E1"}, ["e11", "e10", "e1"]),
        ({"CreationTimeAfter": 10}, ["e11", "e10"]),
        ({"CreationTimeBefore": 1}, ["e0"]),
        ({"LastModifiedTimeAfter": 110}, ["e11"]),
        ({"LastModifiedTimeBefore": 101}, ["e0"]),
        ({"StatusEquals": "Failed", "MaxResults": 2}, ["e11", "e9"]),
        ({"StatusEquals": "Deleting"}, []),
        ({"SortBy": "Name", "MaxResults": 2}, ["e9", "e8"]),
    ],
)
def test_lists_are_filtered_and_sorted(endpoints: Store, parameters: dict[str, Any], expected: list[str]) -> None:
    assert listed(endpoints, **parameters)[0] == expected


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "e30=",
        "é",
        base64.b64encode(b'["created", true, 1e999, "x"]').decode(),
        base64.b64encode(b'["created", true, "x", "x"]').decode(),
        base64.b64encode(b'["created", true, 1, "\\ud800"]').decode(),
        base64.b64encode(b'["key", true, "x", "x"]').decode(),
        base64.b64encode(b"[" * 3000).decode(),
    ],
)
def test_a_token_that_is_not_ours_is_refused(endpoints: Store, token: str) -> None:
    if "MWU5OTk" in token:  # a moment beyond all others is one, too
        assert listed(endpoints, NextToken=token)[0]
        return
    with pytest.raises(AwsError, match="NextToken"):
        listed(endpoints, NextToken=token)


def test_a_page_reads_the_documents_that_are_on_it_and_no_others(
    endpoints: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    get = Store.get
    monkeypatch.setattr(Store, "get", lambda self, kind, caller, key: read.append(key) or get(self, kind, caller, key))
    for parameters in (
        {},
        {"NameContains": "e1"},
        {"SortBy": "Name"},
        {"SortBy": "Status"},
        {"StatusEquals": "Failed"},
    ):
        read.clear()
        names, _ = listed(endpoints, MaxResults=3, **parameters)
        assert read == names


@pytest.mark.parametrize("sort", ["Name", "CreationTime", "Status"])
def test_a_page_is_found_in_an_index_that_holds_all_it_filters_by(endpoints: Store, sort: str) -> None:
    query = page_query({"SortBy": sort, "NameContains": "e", "CreationTimeAfter": 1, "LastModifiedTimeAfter": 1})
    plan = " ".join(endpoints.explain("endpoint", HERE, query))
    assert "USING COVERING INDEX" in plan
    assert "TEMP B-TREE" not in plan


def test_a_file_from_before_lists_were_paged_in_it_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    with sqlite3.connect(path) as before:
        before.execute(
            "CREATE TABLE documents (kind TEXT, account TEXT, region TEXT, key TEXT, document TEXT NOT NULL,"
            " PRIMARY KEY (kind, account, region, key)) WITHOUT ROWID"
        )
        for n in range(2):
            document = json.dumps(endpoint(f"e{n}", float(n)))
            row = ("endpoint", HERE.account, HERE.region, f"e{n}", document)
            before.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", row)
    before.close()
    for _ in range(2):
        store = Store(path)
        assert listed(store)[0] == ["e1", "e0"]
        store.close()


def test_the_code_digest_changes_with_code_and_requirements(tmp_path: Path) -> None:
    package = tmp_path / "local_cloud"
    package.mkdir()
    (package / "app.py").write_text("1")
    digests = {digest_of_code(package)}
    (package / "app.py").write_text("2")
    digests.add(digest_of_code(package))
    (tmp_path / "requirements.txt").write_text("ministack")
    digests.add(digest_of_code(package))
    (package / "notes.md").write_text("no code")
    digests.add(digest_of_code(package))
    assert len(digests) == 3


def test_the_clouds_environment_has_nothing_of_the_shell_it_was_started_from(tmp_path: Path) -> None:
    settings = Settings(tmp_path, 4566, tmp_path / "venvs", docker_host="unix:///var/run/docker.sock")
    made = environment(settings)
    assert made["BIND_HOST"] == "127.0.0.1"
    assert made["PERSIST_STATE"] == "1"
    assert made["DOCKER_HOST"] != settings.docker_host, "ministack must not clean up on the user's engine"
    assert not [name for name in made if name.startswith("AWS_")]


def test_a_docker_engine_is_one_that_somebody_answers_for(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    address = f"unix://{path}"
    assert docker_host_of({"DOCKER_HOST": address}) is None
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        assert docker_host_of({"DOCKER_HOST": address}) == address
    assert docker_host_of({"DOCKER_HOST": "tcp://10.0.0.1:2375"}) == "tcp://10.0.0.1:2375"
