# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cloud writes down: documents, calls, and what its own code is."""

from __future__ import annotations

import socket
from pathlib import Path

from local_cloud.aws.caller import Caller
from local_cloud.call_log import CallLog
from local_cloud.ministack_backend import environment
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
