# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from serving.errors import ModelLoadError
from serving.model_directory import ModelConfig, ModelDirectory


def config_of(config: dict[str, Any], tokenizer_config: dict[str, Any] | None = None) -> ModelConfig:
    return ModelConfig.from_documents(config, tokenizer_config or {}, Path("model"))


def test_labels_come_in_the_order_of_their_numbers() -> None:
    assert config_of({"id2label": {"1": "POSITIVE", "0": "NEGATIVE"}}).labels == ("NEGATIVE", "POSITIVE")


def test_labels_that_config_leaves_out_are_the_ones_transformers_would_give() -> None:
    assert config_of({}).labels == ("LABEL_0", "LABEL_1")
    assert config_of({"num_labels": 3}).labels == ("LABEL_0", "LABEL_1", "LABEL_2")


@pytest.mark.parametrize("id2label", [{"0": "A", "2": "B"}, {"a": "A"}, ["A", "B"], 3])
def test_labels_with_a_gap_or_of_another_form_are_refused(id2label: Any) -> None:
    with pytest.raises(ModelLoadError, match="id2label"):
        config_of({"id2label": id2label})


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "length"),
    [
        ({}, {}, None),
        ({"max_position_embeddings": 512}, {}, 512),
        ({"max_position_embeddings": 514, "model_type": "roberta"}, {}, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": 128}, 128),
        ({"max_position_embeddings": 512}, {"model_max_length": int(1e30)}, 512),
        ({}, {"model_max_length": 256}, 256),
    ],
)
def test_the_maximum_length_is_the_smaller_of_model_and_tokenizer(
    config: dict[str, Any], tokenizer_config: dict[str, Any], length: int | None
) -> None:
    assert config_of(config, tokenizer_config).model_max_length == length


def test_a_directory_is_empty_also_where_it_is_missing_or_holds_only_hidden_files(tmp_path: Path) -> None:
    assert ModelDirectory(tmp_path / "missing").is_empty
    assert ModelDirectory(tmp_path).is_empty
    (tmp_path / ".cache").mkdir()
    (tmp_path / "lost+found").mkdir()
    assert ModelDirectory(tmp_path).is_empty
    (tmp_path / "config.json").touch()
    assert not ModelDirectory(tmp_path).is_empty


@pytest.mark.parametrize("name", ["model.onnx", "onnx/model.onnx"])
def test_a_graph_is_found_beside_the_weights_or_in_onnx(tmp_path: Path, name: str) -> None:
    assert ModelDirectory(tmp_path).graph is None
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert ModelDirectory(tmp_path).graph == tmp_path / name


def test_an_artifact_packed_one_directory_too_deep_is_explained(tmp_path: Path) -> None:
    (tmp_path / "distilbert").mkdir()
    with pytest.raises(ModelLoadError, match=r"has no config\.json: it holds distilbert/\. .* at the top"):
        ModelDirectory(tmp_path).config()


@pytest.mark.parametrize("text", ["{", "[]", "\udc80", "[" * 100_000])
def test_a_broken_config_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelLoadError, match=r"config\.json"):
        ModelDirectory(tmp_path).config()


def test_padding_follows_the_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"pad_token_id": 7}), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"padding_side": "left"}), encoding="utf-8")
    config = ModelDirectory(tmp_path).config()
    assert (config.pad_token_id, config.padding_side) == (7, "left")
