# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a model by HF_MODEL_ID, from a hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving_fake_hub import COMMIT, FakeHub, files_of
from serving_process import CONTEXT, ServerProcess

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


def test_a_repository_without_a_graph_names_the_ways_out_before_anything_is_fetched(
    make_hub: Callable[[dict[str, bytes]], FakeHub], start_from: Start
) -> None:
    hub = make_hub({"config.json": b"{}", "model.safetensors": b"weights"})
    server = start_from(hub)
    assert server.exit_status() == 1
    assert "a container compiles none" in server.log[-1]["message"]
    assert "image_runtime to toolkit" in server.log[-1]["message"]
    assert hub.fetched == []


def test_a_graph_with_another_sum_than_the_hub_lists_is_not_served(
    tiny_model: Path, make_hub: Callable[[dict[str, bytes]], FakeHub], start_from: Start
) -> None:
    files = files_of(tiny_model / "model")
    hub = make_hub(files)
    hub.lies = {"model.onnx": bytes(len(files["model.onnx"]))}
    server = start_from(hub, HF_MODEL_REVISION=COMMIT)
    assert server.exit_status() == 1
    assert server.log[-1]["message"] == ("model.onnx arrived from the hub with another SHA-256 than the hub lists.")


def located(hub: FakeHub, tmp_path: Path, **settings: str) -> tuple[dict[str, str], set[str]]:
    """What locate_model says of itself for the runtime toolkit, and which files it brought."""
    program = (
        "import json, os, pathlib\n"
        "from serving.errors import ModelLoadError\n"
        "from serving.hub import locate_model\n"
        "from serving.settings import Settings\n"
        f"settings = Settings(model_dir=pathlib.Path('/nowhere'), model_id='organisation/tiny', **{settings!r})\n"
        "try:\n"
        "    print(json.dumps({'path': str(locate_model(settings, weights=True).path)}))\n"
        "except ModelLoadError as error:\n"
        "    print(json.dumps({'error': str(error)}))\n"
    )
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CONTEXT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer, set(files_of(Path(answer["path"]))) if "path" in answer else set()


WEIGHTS = {
    "config.json": b"{}",
    "chat_template.jinja": b"{{ messages }}",
    "code/inference.py": b"raise SystemExit('ran')",
    "model-00001-of-00002.safetensors": b"first",
    "model-00002-of-00002.safetensors": b"second",
    "model.safetensors.index.json": b"{}",
    "model.onnx": b"graph",
    **EXTRAS,
}
TAKEN = {
    "chat_template.jinja", "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    "model.safetensors.index.json", "source.json",
}  # fmt: skip


def test_the_toolkit_gets_weights_and_descriptions_and_their_commit(
    tmp_path: Path, make_hub: Callable[[dict[str, bytes]], FakeHub]
) -> None:
    answer, files = located(make_hub(WEIGHTS), tmp_path)
    assert files == TAKEN
    source = json.loads((Path(answer["path"]) / "source.json").read_text())
    assert source == {"model_id": "organisation/tiny", "commit": COMMIT}


@pytest.mark.parametrize(("commit", "extra"), [(COMMIT, {"modeling_tiny.py"}), ("d" * 40, set())])
def test_code_comes_only_from_the_commit_that_is_trusted(
    commit: str, extra: set[str], tmp_path: Path, make_hub: Callable[[dict[str, bytes]], FakeHub]
) -> None:
    _answer, files = located(make_hub(WEIGHTS), tmp_path, trust_remote_code=commit)
    assert files == TAKEN | extra


def test_pickled_weights_come_only_where_they_are_allowed_and_there_are_no_others(
    tmp_path: Path, make_hub: Callable[[dict[str, bytes]], FakeHub]
) -> None:
    hub = make_hub({"config.json": b"{}", **EXTRAS})
    answer, _files = located(hub, tmp_path)
    assert "pickled weights are not loaded" in answer["error"]
    assert hub.fetched == []
    _answer, files = located(hub, tmp_path, allow_pickle="pickled-weights-can-run-code")
    assert files == {"config.json", "pytorch_model.bin", "source.json"}
    _answer, files = located(make_hub(WEIGHTS), tmp_path / "other", allow_pickle="pickled-weights-can-run-code")
    assert files == TAKEN


def test_another_commit_than_the_one_that_was_asked_for_is_refused(
    tmp_path: Path, make_hub: Callable[[dict[str, bytes]], FakeHub]
) -> None:
    hub = make_hub(WEIGHTS)
    hub.answers_with = "d" * 40
    answer, _files = located(hub, tmp_path, model_revision=COMMIT)
    assert answer["error"].startswith(f"The hub answered with commit {'d' * 40}")
