# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written when: the parts of durability, without a cloud."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from local_cloud.durability.durable_app import DurableApp
from local_cloud.durability.journal import Journal
from local_cloud.durability.keeper import StateKeeper, replace
from local_cloud.durability.mend import mend
from local_cloud.durability.ministack_state import Source
from local_cloud.durability.touched import When, services_changed, when_to_write
from local_cloud.ministack_backend import environment
from local_cloud.operation_names import Operation
from local_cloud.settings import Settings

REGISTRY: dict[str, Any] = {
    "iam": {"module": "iam"},
    "lambda": {"module": "lambda_svc", "state_key": "lambda", "sub_modules": ("lambda_durable",)},
    "monitoring": {"module": "cloudwatch", "aliases": ("cloudwatch",)},
    "logs": {"module": "cloudwatch_logs"},
}


class FakeState:
    """Two services whose state the test sets."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"iam": {}, "cloudwatch_logs": {}}
        self.reads: list[str] = []
        self.written: list[str] = []
        self.registry = REGISTRY

    def sources(self) -> dict[str, Source]:
        return {name: self._source(name) for name in self.values}

    def append(self, source: Source) -> None:
        source.append()

    def encode(self, _service: str, source: Source) -> bytes | None:
        value = source.read()
        return None if value is None else json.dumps(value).encode()

    def _source(self, name: str) -> Source:
        return Source(lambda: self._read(name), written=lambda: self.written.append(name))

    def _read(self, name: str) -> Any:
        self.reads.append(name)
        return self.values[name]


def on_disk(directory: Path, name: str) -> Any:
    path = directory / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


@pytest.mark.parametrize(
    ("service", "operation", "access", "when"),
    [
        ("iam", "CreateRole", "write", When.BEFORE_THE_ANSWER),
        ("s3", "PutObject", "write", When.BEFORE_THE_ANSWER),
        ("logs", "CreateLogGroup", "write", When.BEFORE_THE_ANSWER),
        ("logs", "PutLogEvents", "write", When.BEFORE_THE_ANSWER),
        ("monitoring", "PutMetricData", "write", When.BEFORE_THE_ANSWER),
        ("monitoring", "PutMetricAlarm", "write", When.BEFORE_THE_ANSWER),
        ("lambda", "Invoke", "data", When.SOON),
        ("lambda", "InvokeWithResponseStream", "write", When.SOON),
        ("execute-api", "POST /demo", "data", When.SOON),
        ("iam", "GetRole", "read", When.NEVER),
        ("sts", "GetSessionToken", "read", When.BEFORE_THE_ANSWER),
        ("unsigned", "POST /", "write", When.BEFORE_THE_ANSWER),
    ],
)
def test_only_what_an_invocation_leaves_behind_may_wait(service: str, operation: str, access: str, when: When) -> None:
    assert when_to_write(Operation(service, operation, access)) is when


def test_a_call_changes_its_services_modules_and_some_change_anything() -> None:
    assert services_changed("iam", REGISTRY) == ("iam",)
    assert services_changed("lambda", REGISTRY) == ("lambda", "lambda_durable")
    assert services_changed("cloudwatch", REGISTRY) == ("cloudwatch",)
    assert services_changed("cloudformation", REGISTRY) is None
    assert services_changed("unsigned", REGISTRY) is None


@pytest.mark.parametrize("service", ["iam", "cloudwatch_logs"])
def test_a_commit_returns_when_the_state_is_on_disk(tmp_path: Path, service: str) -> None:
    async def scenario() -> None:
        state = FakeState()
        keeper = StateKeeper(state, tmp_path)  # type: ignore[arg-type]
        for value in ({"role": 1}, {"role": 2}):
            state.values[service] = value
            await keeper.commit([service])
            assert on_disk(tmp_path, service) == value
        assert os.listdir(tmp_path) == [f"{service}.json"]
        assert state.written == [service, service]

    asyncio.run(scenario())


def test_calls_that_come_together_share_a_write_and_none_is_left_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = FakeState()
        keeper = StateKeeper(state, tmp_path)  # type: ignore[arg-type]

        async def call(number: int) -> None:
            state.values["iam"][str(number)] = number
            await keeper.commit(["iam"])
            assert on_disk(tmp_path, "iam")[str(number)] == number

        await asyncio.gather(*(call(number) for number in range(100)))
        assert state.reads.count("iam") < 10

    asyncio.run(scenario())


def test_state_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = FakeState()
        keeper = StateKeeper(state, tmp_path)  # type: ignore[arg-type]
        await keeper.commit()
        before = (tmp_path / "iam.json").stat().st_ino
        await keeper.commit()
        assert (tmp_path / "iam.json").stat().st_ino == before

    asyncio.run(scenario())


def test_a_service_with_nothing_to_keep_leaves_its_file_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "iam.json").write_text('{"kept": true}')
        state = FakeState()
        state.values["iam"] = None
        await StateKeeper(state, tmp_path).commit()  # type: ignore[arg-type]
        assert on_disk(tmp_path, "iam") == {"kept": True}

    asyncio.run(scenario())


def test_a_change_that_nobody_waits_for_is_written_soon_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_cloud.durability.keeper.SOON_SECONDS", 0.01)

    async def scenario() -> None:
        state = FakeState()
        keeper = StateKeeper(state, tmp_path)  # type: ignore[arg-type]
        keeper.open()
        state.values["iam"] = {"changed": "by itself"}
        keeper.changed()
        while on_disk(tmp_path, "iam") != {"changed": "by itself"}:
            await asyncio.sleep(0.005)
        state.values["iam"] = {"changed": "last"}
        await keeper.close()
        assert on_disk(tmp_path, "iam") == {"changed": "last"}

    asyncio.run(scenario())


def test_a_disk_that_is_full_refuses_the_call_and_the_next_one_can_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = FakeState()
        directory = tmp_path / "state"
        keeper = StateKeeper(state, directory)  # type: ignore[arg-type]
        assert await answer(DurableApp(create_role, keeper, REGISTRY)) == 500  # the directory is missing
        directory.mkdir()
        assert await answer(DurableApp(create_role, keeper, REGISTRY)) == 200
        assert on_disk(directory, "iam") == {}

    asyncio.run(scenario())


async def create_role(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"<done/>"})


async def answer(app: DurableApp) -> int:
    credential = b"AWS4-HMAC-SHA256 Credential=000000000000/20261123/us-east-1/iam/aws4_request"
    headers = [(b"authorization", credential), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"Action=CreateRole&RoleName=x"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    status: int = sent[0]["status"]
    return status


def test_a_file_is_replaced_in_one_step_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace(path, b"one")
    replace(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777, os.listdir(tmp_path)) == (b"two", 0o600, ["a.json"])


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


A, B = ("000000000000", "us-east-1", "a"), ("000000000000", "us-east-1", "b")


def test_only_what_is_new_of_a_growing_list_is_written(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    events = [{"n": 1}]
    journal.write([(A, events)])
    journal.write([(A, events)])
    events += [{"n": 2}, {"n": 3}]
    journal.write([(A, events), (B, [{"n": 1}])])
    assert lines(path) == [[[*A], 0, [{"n": 1}]], [[*A], 1, [{"n": 2}, {"n": 3}]], [[*B], 0, [{"n": 1}]]]
    found = Journal(path).load()
    assert found == {A: [{"n": 1}, {"n": 2}, {"n": 3}], B: [{"n": 1}]}


def test_a_list_that_changed_before_its_end_is_written_whole_and_one_that_went_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    first, second, third = {"n": 1}, {"n": 2}, {"n": 3}
    journal.write([(A, [first, third]), (B, [first])])
    journal.write([(A, [first, second, third])])
    assert Journal(path).load() == {A: [first, second, third], B: []}
    journal.write([(A, [third]), (B, [second])])
    assert Journal(path).load() == {A: [third], B: [second]}
    journal.write([(A, []), (B, [second])])
    assert Journal(path).load() == {A: [], B: [second]}


def test_a_journal_goes_on_after_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    Journal(path).write([(A, [{"n": 1}])])
    with path.open("a") as file:
        file.write('[["000000000000", "us-ea')
    journal = Journal(path)
    events = journal.load()[A]
    events.append({"n": 2})
    journal.write([(A, events)])
    assert Journal(path).load() == {A: [{"n": 1}, {"n": 2}]}


def test_a_journal_forgets_what_is_long_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_cloud.durability.journal._MOST_LOST", 10)
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    for number in range(20):
        journal.write([(A, [{"n": number}])])
    assert Journal(path).load() == {A: [{"n": 19}]}
    assert lines(path) == [[[*A], 0, [{"n": 19}]]]


def s3_object(s3: Path, key: str, body: bytes, *, newer: bool, **meta: Any) -> Path:
    data = s3 / "000000000000" / "bucket" / key
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_bytes(body)
    sidecar = data.with_name(data.name + ".meta.json")
    sidecar.write_text(json.dumps(meta))
    os.utime(sidecar, ns=(1_000, 1_000))
    os.utime(data, ns=(2_000, 2_000) if newer else (1_000, 1_000))
    return data


def test_an_object_whose_new_bytes_came_without_their_description_gets_it(tmp_path: Path) -> None:
    s3 = tmp_path / "s3"
    data = s3_object(s3, "k", b"new", newer=True, size=1, etag='"old"', content_type="text/x", checksums={"CRC32": "x"})
    whole = s3_object(s3, "whole", b"new", newer=True, size=3, etag='"22af645d1859cb5ca6da0c484f1f37ea"', checksums=1)
    parts = s3_object(s3, "parts", b"new", newer=True, size=3, etag='"0123-2"')
    mend(tmp_path, s3)
    meta = json.loads((data.parent / "k.meta.json").read_text())
    md5 = '"22af645d1859cb5ca6da0c484f1f37ea"'
    assert meta == {"size": 3, "etag": md5, "content_type": "text/x", "checksums": {}}
    assert json.loads(whole.with_name("whole.meta.json").read_text())["checksums"] == 1
    assert json.loads(parts.with_name("parts.meta.json").read_text())["etag"] == '"0123-2"'


def test_a_version_that_was_never_acknowledged_gives_way_to_the_one_before(tmp_path: Path) -> None:
    s3 = tmp_path / "s3"
    data = s3_object(s3, "k", b"never acknowledged", newer=True, size=3, etag='"old"', version_id="v1")
    kept = s3 / ".versions/000000000000/bucket/v1/k"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"old")
    mend(tmp_path, s3)
    assert data.read_bytes() == b"old"
    assert json.loads((data.parent / "k.meta.json").read_text())["version_id"] == "v1"
    assert kept.exists()


def test_what_is_whole_is_left_alone_and_what_is_half_is_removed(tmp_path: Path) -> None:
    s3, state = tmp_path / "s3", tmp_path / "ministack"
    (state / "lambda-blobs").mkdir(parents=True)
    whole = s3_object(s3, "a/whole", b"x", newer=False, size=99, etag='"not looked at"')
    new = s3_object(s3, "new", b"x", newer=False)
    new.with_name("new.meta.json").unlink()
    for leftover in (s3 / "000000000000/bucket/a/half.tmp", state / "iam.json.tmp", state / "lambda-blobs/x.zip.tmp"):
        leftover.write_text("half")
    (state / "iam.json").write_text('{"whole": 1}')
    (state / "sqs.json").write_text('{"torn": ')
    mend(state, s3)
    assert whole.read_bytes() == b"x"
    assert json.loads(whole.with_name("whole.meta.json").read_text())["size"] == 99
    assert not new.exists()
    assert not list(tmp_path.rglob("*.tmp"))
    assert sorted(path.name for path in state.iterdir()) == ["iam.json", "lambda-blobs", "sqs.json.broken"]


def test_a_new_home_needs_no_mending(tmp_path: Path) -> None:
    mend(tmp_path / "no", tmp_path / "such")


def test_permissions_are_enforced_by_ministack_where_they_are_switched_on(tmp_path: Path) -> None:
    assert environment(Settings(tmp_path, 4566, tmp_path, enforce_iam=True))["AUTH"] == "true"
    assert "AUTH" not in environment(Settings(tmp_path, 4566, tmp_path))
