# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a hub's repository are fetched, and which never."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.hub_files import (
    HubModelError,
    Wishes,
    check_remote_code,
    chosen,
    chosen_for_container,
)

COMMIT = "c0ffee0000000000000000000000000000000000"
WHAT = "organisation/name at main"
DESCRIPTIONS = ["config.json", "special_tokens_map.json", "tokenizer.json", "vocab.txt", "spiece.model"]
REPOSITORY = [
    *DESCRIPTIONS,
    ".gitattributes",
    "README.md",
    "code/inference.py",
    "flax_model.msgpack",
    "model.safetensors",
    "modeling_tiny.py",
    "onnx/config.json",
    "onnx/model.onnx",
    "onnx/model_quantized.onnx",
    "pytorch_model.bin",
    "tf_model.h5",
]


@pytest.mark.parametrize("runtime", ["compiled", "toolkit"])
def test_weights_and_descriptions_are_fetched_and_nothing_that_could_run(runtime: str) -> None:
    assert set(chosen(REPOSITORY, Wishes(runtime), WHAT)) == {*DESCRIPTIONS, "model.safetensors"}


def test_a_sentence_transformers_model_comes_with_its_modules() -> None:
    modules = ["modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"]
    assert set(modules) <= set(chosen([*REPOSITORY, *modules], Wishes("compiled"), WHAT))


def test_shards_come_with_their_index_and_without_other_formats_of_the_same_weights() -> None:
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    assert set(chosen(["config.json", *shards, "consolidated.safetensors"], Wishes("toolkit"), WHAT)) == {
        "config.json",
        *shards,
    }


def test_a_graph_is_fetched_where_there_are_no_weights_to_compile() -> None:
    names = ["config.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_fp16.onnx"]
    wanted = {"config.json", "onnx/model.onnx", "onnx/model.onnx_data"}
    assert set(chosen(names, Wishes("compiled"), WHAT)) == wanted
    with pytest.raises(HubModelError, match=r"no safetensors weights\."):
        chosen(names, Wishes("toolkit"), WHAT)


def test_pickled_weights_are_fetched_only_where_they_are_allowed_and_there_are_no_others() -> None:
    names = ["config.json", "pytorch_model.bin", "training_args.bin"]
    with pytest.raises(HubModelError, match="pickled, and reading those can run code"):
        chosen(names, Wishes("toolkit"), WHAT)
    allowed = Wishes("toolkit", allow_pickled_weights=True)
    assert chosen(names, allowed, WHAT) == ["config.json", "pytorch_model.bin"]
    assert "pytorch_model.bin" not in chosen(REPOSITORY, allowed, WHAT)


def test_code_is_fetched_only_where_its_commit_is_trusted() -> None:
    assert "modeling_tiny.py" in chosen(REPOSITORY, Wishes("toolkit", trust_remote_code=COMMIT), WHAT)


def test_code_of_another_commit_than_the_one_that_was_read_is_refused() -> None:
    check_remote_code(Wishes("toolkit"), COMMIT, WHAT)
    check_remote_code(Wishes("toolkit", trust_remote_code=COMMIT), COMMIT, WHAT)
    with pytest.raises(HubModelError, match=f"is commit {COMMIT}"):
        check_remote_code(Wishes("toolkit", trust_remote_code="d" * 40), COMMIT, WHAT)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/outside.json", "1_a/../../outside.json", "..\\outside.json"])
def test_a_name_that_leads_out_of_the_directory_is_not_fetched(name: str) -> None:
    assert name not in chosen([*REPOSITORY, name], Wishes("toolkit"), WHAT)


def test_a_container_needs_a_graph_for_the_compiled_runtime() -> None:
    wanted = {*DESCRIPTIONS, "onnx/model.onnx"}
    assert set(chosen_for_container(REPOSITORY, Wishes("compiled"), WHAT)) == wanted
    with pytest.raises(HubModelError, match="a container compiles nothing"):
        chosen_for_container(["config.json", "model.safetensors"], Wishes("compiled"), WHAT)
    assert "model.safetensors" in chosen_for_container(REPOSITORY, Wishes("toolkit"), WHAT)
