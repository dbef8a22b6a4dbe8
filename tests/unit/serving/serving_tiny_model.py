# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a tiny sentiment model: a bag of words as an ONNX graph, whose answers can be worked out by hand.

Each word has a weight for NEGATIVE and one for POSITIVE; the logits are the mean over a text's words.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

# No sum of these is a tie, so that rounding cannot turn an answer.
WORDS = {
    "[PAD]": (0.0, 0.0),
    "[UNK]": (0.1, 0.0),
    "[CLS]": (0.0, 0.0),
    "[SEP]": (0.0, 0.0),
    "good": (-2.03, 2.11),
    "love": (-3.07, 3.19),
    "bad": (2.17, -2.23),
    "hate": (3.29, -3.31),
    "not": (1.37, -1.41),
    "dogs": (0.0, 0.237),
    "cats": (0.173, 0.0),
}
LABELS = ("NEGATIVE", "POSITIVE")
MAX_LENGTH = 16


def write_tiny_model(directory: Path, inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> None:
    """Write model.onnx, tokenizer.json, config.json and tokenizer_config.json."""
    directory.mkdir(parents=True)
    _write_graph(directory / "model.onnx", inputs)
    write_tokenizer(directory / "tokenizer.json")
    config = {
        "architectures": ["DistilBertForSequenceClassification"],
        "model_type": "distilbert",
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
        "max_position_embeddings": MAX_LENGTH,
        "pad_token_id": 0,
    }
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}),
        encoding="utf-8",
    )


def write_tokenizer(path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))


def expected_logits(text: str) -> np.ndarray:
    """What the model must answer, worked out in Python: shape [2]."""
    words = ["[CLS]", *text.lower().split()[: MAX_LENGTH - 2], "[SEP]"]
    weights = [WORDS.get(word, WORDS["[UNK]"]) for word in words]
    return np.asarray(weights, dtype=np.float32).mean(axis=0)


def _write_graph(path: Path, inputs: tuple[str, ...]) -> None:
    shape = ["batch", "sequence"]
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [
            numpy_helper.from_array(np.asarray(list(WORDS.values()), dtype=np.float32), "weights"),
            numpy_helper.from_array(np.asarray([2], dtype=np.int64), "last"),
            numpy_helper.from_array(np.asarray([1], dtype=np.int64), "middle"),
        ],
    )
    # An older opset and IR version than the newest, so that any onnxruntime of the last years reads it.
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
