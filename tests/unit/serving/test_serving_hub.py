# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a model by HF_MODEL_ID, from a hub on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving_fake_hub import COMMIT, FakeHub, files_of
from serving_process import ServerProcess

Start = Callable[..., ServerProcess]


@pytest.fixture
def make_hub() -> Iterator[Callable[[dict[str, bytes]], FakeHub]]:
    hubs: list[FakeHub] = []

    def make(files: dict[str, bytes]) -> FakeHub:
        hubs.append(FakeHub(files))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.close()


@pytest.fixture
def start_from(start: Start, tmp_path: Path) -> Start:
    def start_one(hub: FakeHub, **environment: str) -> ServerProcess:
        variables = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_MODEL_ID": "organisation/tiny",
            "no_proxy": "127.0.0.1",
        }
        return start(tmp_path, **{**variables, **environment})

    return start_one


EXTRAS = {
    "pytorch_model.bin": b"\x80\x04",
    "modeling_tiny.py": b"raise SystemExit('ran')",
    "README.md": b"# tiny",
    "onnx/model_quantized.onnx": b"another",
}


def test_an_empty_model_directory_is_filled_from_the_hub_with_the_graph_and_its_descriptions_alone(
    tiny_model: Path, make_hub: Callable[[dict[str, bytes]], FakeHub], start_from: Start
) -> None:
    hub = make_hub({**files_of(tiny_model / "model"), **EXTRAS})
    server = start_from(hub).ready()
    assert server.invoke({"inputs": "love"}).predictions == ["POSITIVE"]
    assert sorted(hub.fetched) == ["config.json", "model.onnx", "tokenizer.json", "tokenizer_config.json"]
    assert server.errors == []


def test_the_log_tells_which_commit_a_branch_stood_for(
    tiny_model: Path, make_hub: Callable[[dict[str, bytes]], FakeHub], start_from: Start
) -> None:
    server = start_from(make_hub(files_of(tiny_model / "model")), HF_MODEL_REVISION="main").ready()
    line = server.wait_for("model_fetch")
    assert (line["model_id"], line["revision"], line["commit"]) == ("organisation/tiny", "main", COMMIT)


def test_a_model_directory_that_holds_a_model_is_served_whatever_the_hub_has(
    tiny_model: Path, make_hub: Callable[[dict[str, bytes]], FakeHub], start: Start
) -> None:
    hub = make_hub({})
    server = start(tiny_model, HF_ENDPOINT=hub.url, HF_MODEL_ID="organisation/tiny").ready()
    assert server.invoke({"inputs": "love"}).predictions == ["POSITIVE"]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"HF_MODEL_ID": "organisation/other"}, "The hub has no public model organisation/other (HF_MODEL_ID)."),
        ({"HF_MODEL_REVISION": "v9"}, "The hub has no revision v9 of organisation/tiny (HF_MODEL_REVISION)."),
        ({"HF_MODEL_ID": "a/b/c"}, "HF_MODEL_ID is 'a/b/c'; it must look like 'organisation/name'."),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "The hub could not be reached for organisation/tiny at revision main"),
    ],
)
def test_a_model_that_the_hub_does_not_give_ends_the_process_with_a_sentence(
    environment: dict[str, str],
    sentence: str,
    make_hub: Callable[[dict[str, bytes]], FakeHub],
    start_from: Start,
) -> None:
    server = start_from(make_hub({"config.json": b"{}"}), **environment)
    assert server.exit_status() == 1
    assert server.log[-1]["event"] == "model_load_failed"
    assert server.log[-1]["message"].startswith(sentence)


def test_a_repository_with_pickled_weights_alone_is_refused_before_anything_is_fetched(
    make_hub: Callable[[dict[str, bytes]], FakeHub], start_from: Start
) -> None:
    hub = make_hub({"config.json": b"{}", **EXTRAS})
    server = start_from(hub)
    assert server.exit_status() == 1
    assert "pickled weights are not loaded" in server.log[-1]["message"]
    assert hub.fetched == []
