# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformers runtime against transformers' own pipeline, on a tiny model with random weights."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import runtimes
from serving.classification import ClassificationParameters, predictions
from serving.errors import ModelLoadError
from serving.settings import Settings
from serving_process import ServerProcess
from serving_tiny_model import MAX_LENGTH, WORDS, write_tokenizer

MISSING = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"not installed: {', '.join(MISSING)}; see files/docker/requirements-transformers.txt",
    ),
]


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base directory of a tiny DistilBERT with random weights and three labels."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

    base_dir = tmp_path_factory.mktemp("random")
    torch.manual_seed(7)
    config = DistilBertConfig(
        vocab_size=len(WORDS),
        max_position_embeddings=MAX_LENGTH,
        n_layers=2,
        n_heads=2,
        dim=16,
        hidden_dim=32,
        initializer_range=0.5,
        id2label={0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"},
        label2id={"NEGATIVE": 0, "NEUTRAL": 1, "POSITIVE": 2},
    )
    DistilBertForSequenceClassification(config).eval().save_pretrained(base_dir / "model")
    write_tokenizer(base_dir / "tokenizer.json")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(base_dir / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.save_pretrained(base_dir / "model")
    return base_dir


@pytest.fixture
def spoiled_model(random_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(random_model / "model", tmp_path / "model"))


def some_texts(count: int) -> list[str]:
    chooser = random.Random(3)
    return [" ".join(chooser.choices(list(WORDS)[4:], k=chooser.randrange(1, 40))) for _ in range(count)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"top_k": 1},
        {"top_k": 2},
        {"top_k": None},
        {"top_k": None, "function_to_apply": "sigmoid"},
        {"top_k": None, "function_to_apply": "none"},
    ],
)
def test_labels_and_scores_are_those_of_the_pipeline(random_model: Path, parameters: dict[str, Any]) -> None:
    import transformers

    pipeline = transformers.pipeline("text-classification", model=str(random_model / "model"))
    runtime = runtimes.load(Settings(model_dir=random_model / "model", max_batch_size=4))
    assert runtime.name == "transformers"
    texts = some_texts(30)
    ours = predictions(runtime.logits(texts), runtime.config, ClassificationParameters.parse(parameters))
    theirs = pipeline(texts, truncation=True, **parameters)
    for our, their in zip(ours, theirs, strict=True):
        assert [entry["label"] for entry in our] == [entry["label"] for entry in their]
        assert [entry["score"] for entry in our] == pytest.approx([entry["score"] for entry in their], abs=1e-5)


def test_the_server_answers_from_weights(random_model: Path, start: Callable[..., ServerProcess]) -> None:
    import transformers

    pipeline = transformers.pipeline("text-classification", model=str(random_model / "model"))
    texts = some_texts(5)
    server = start(random_model).ready()
    expected = [entry["label"] for entry in pipeline(texts, truncation=True)]
    assert server.invoke({"inputs": texts}).predictions == expected
    server.terminate()
    assert server.exit_status() == 0


def test_weights_that_lack_a_part_are_refused(spoiled_model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(spoiled_model / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, spoiled_model / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelLoadError, match=r"lack classifier\.weight"):
        runtimes.load(Settings(model_dir=spoiled_model))


def test_weights_that_cannot_be_read_are_refused(spoiled_model: Path) -> None:
    (spoiled_model / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelLoadError, match="transformers cannot load"):
        runtimes.load(Settings(model_dir=spoiled_model))


def test_code_from_the_model_directory_is_never_run(spoiled_model: Path, tmp_path: Path) -> None:
    config = json.loads((spoiled_model / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = "homemade"
    config["auto_map"] = {
        "AutoConfig": "homemade.HomemadeConfig",
        "AutoModelForSequenceClassification": "homemade.HomemadeForSequenceClassification",
    }
    (spoiled_model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (spoiled_model / "homemade.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(ModelLoadError, match="transformers cannot load"):
        runtimes.load(Settings(model_dir=spoiled_model))
    assert not (tmp_path / "ran").exists()
