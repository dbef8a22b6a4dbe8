# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that fetches from the hub, against a hub on loopback."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving_fake_hub import COMMIT, FakeHub

PROGRAM = Path(__file__).parents[3] / "files" / "packaging" / "hub_fetch.py"
TOKEN = "hf_TheTokenThatNobodyMaySee"
WEIGHTS = random.Random(7).randbytes(12_000_000)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "1_Pooling/config.json": b'{"a": 1}'}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub(dict(FILES))
    yield hub
    hub.close()


def start(hub: FakeHub, request: dict[str, Any], **environment: str) -> subprocess.Popen[str]:
    """The program, with its request on the way."""
    started = subprocess.Popen(
        [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "HF_ENDPOINT": hub.url, "no_proxy": "127.0.0.1", **environment},
    )  # fmt: skip
    assert started.stdin
    started.stdin.write(json.dumps({"model_id": hub.model_id, "token": "", **request}))
    started.stdin.close()
    return started


def ask(hub: FakeHub, request: dict[str, Any], **environment: str) -> dict[str, Any]:
    """The program's last word."""
    process = start(hub, request, **environment)
    assert process.stdout
    assert process.stderr
    words, errors = process.stdout.read(), process.stderr.read()
    process.wait()
    assert errors == ""
    return dict(json.loads(words.splitlines()[-1]))


def listed(hub: FakeHub, **more: Any) -> dict[str, Any]:
    return ask(hub, {"do": "list", "revision": "main", **more})


def fetch(hub: FakeHub, destination: Path, **more: Any) -> dict[str, Any]:
    files = listed(hub, **more)["files"]
    return {"do": "fetch", "commit": COMMIT, "destination": str(destination), "files": files, **more}


def test_a_branch_is_resolved_to_its_commit_with_the_sum_of_every_file(hub: FakeHub) -> None:
    answer = listed(hub)
    assert answer["commit"] == COMMIT
    assert {file["name"]: file["size"] for file in answer["files"]} == {k: len(v) for k, v in FILES.items()}
    assert all(bool(file["sha256"]) != bool(file["git_sha1"]) for file in answer["files"])


def test_files_arrive_as_they_are_and_nothing_else_is_seen_in_the_directory(hub: FakeHub, tmp_path: Path) -> None:
    assert ask(hub, fetch(hub, tmp_path))["event"] == "fetched"
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == set(FILES)
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS


def test_a_fetch_that_was_killed_goes_on_where_it_stopped(hub: FakeHub, tmp_path: Path) -> None:
    request = fetch(hub, tmp_path)
    hub.stalls["model.safetensors"] = 9_000_000
    process = start(hub, request)
    while not any(path.stat().st_size >= 8_000_000 for path in (tmp_path / ".parts").glob("*")):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    hub.stalls.clear()
    hub.paused.set()
    assert not (tmp_path / "model.safetensors").exists()
    assert ask(hub, request)["event"] == "fetched"
    (_first, (name, resumed_at)) = [each for each in hub.ranges if each[0] == "model.safetensors"]
    assert (name, resumed_at >= 8_000_000) == ("model.safetensors", True)
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS


def test_a_line_that_breaks_is_gone_on_with_by_itself(hub: FakeHub, tmp_path: Path) -> None:
    hub.breaks["model.safetensors"] = 5_000_000
    assert ask(hub, fetch(hub, tmp_path))["event"] == "fetched"
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS


def test_what_is_there_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    request = fetch(hub, tmp_path)
    ask(hub, request)
    hub.fetched.clear()
    (tmp_path / "config.json").write_text("spoilt")
    assert ask(hub, request)["event"] == "fetched"
    assert hub.fetched == ["config.json"]
    assert (tmp_path / "config.json").read_bytes() == b"{}"


@pytest.mark.parametrize(("name", "sum_"), [("model.safetensors", "SHA-256"), ("config.json", "git id")])
def test_a_file_with_another_sum_than_the_hub_lists_is_refused_and_not_kept(
    hub: FakeHub, tmp_path: Path, name: str, sum_: str
) -> None:
    hub.lies = {name: bytes(len(FILES[name]))}
    answer = ask(hub, fetch(hub, tmp_path))
    assert answer["event"] == "failed"
    assert f"{name} of organisation/tiny arrived with {sum_}" in answer["message"]
    assert not (tmp_path / name).exists()
    assert not list((tmp_path / ".parts").iterdir())


def test_the_token_goes_to_the_hub_and_into_no_list_of_processes(hub: FakeHub, tmp_path: Path) -> None:
    hub.token = TOKEN
    request = fetch(hub, tmp_path, token=TOKEN)
    hub.paused.clear()
    process = start(hub, request)
    while not hub.fetched:
        assert process.poll() is None
        time.sleep(0.05)
    for page in ("cmdline", "environ"):
        assert TOKEN.encode() not in Path(f"/proc/{process.pid}/{page}").read_bytes()
    hub.paused.set()
    assert process.stdout
    assert process.stderr
    printed = process.stdout.read() + process.stderr.read()
    assert process.wait() == 0
    assert TOKEN not in printed
    assert hub.tokens == {TOKEN}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_a_token_of_this_machine_is_not_used(hub: FakeHub) -> None:
    listed(hub)
    assert ask(hub, {"do": "list", "revision": "main"}, HF_TOKEN=TOKEN)["event"] == "listed"
    assert hub.tokens == set()


@pytest.mark.parametrize(
    ("private", "gated", "request_", "sentence"),
    [
        ("", False, {"model_id": "organisation/other"}, "no model organisation/other, or it is private"),
        ("", False, {"revision": "v9"}, "no revision v9 of organisation/tiny"),
        ("", False, {"model_id": "a/b/c"}, "'a/b/c' is no name of a model"),
        (TOKEN, False, {}, "model_serving_hub_token_secret_id has to name the secret"),
        (TOKEN, False, {"token": "hf_another"}, "model_serving_hub_token_secret_id is not for it"),
    ],
)
def test_a_model_that_is_not_given_is_explained(
    hub: FakeHub, private: str, gated: bool, request_: dict[str, str], sentence: str
) -> None:
    hub.token, hub.gated = private, gated
    answer = listed(hub, **request_)
    assert answer["event"] == "failed"
    assert sentence in answer["message"]
    assert "hf_another" not in answer["message"]


def test_terms_that_were_not_accepted_are_named(hub: FakeHub, tmp_path: Path) -> None:
    hub.token, hub.gated = TOKEN, True
    request = fetch(hub, tmp_path)
    answer = ask(hub, request)
    assert answer["event"] == "failed"
    assert "accepted its terms" in answer["message"]


def test_a_hub_that_does_not_answer_is_named(hub: FakeHub) -> None:
    answer = ask(hub, {"do": "list", "revision": "main"}, HF_ENDPOINT="http://127.0.0.1:9")
    assert "The hub could not be reached for organisation/tiny at revision main" in answer["message"]
