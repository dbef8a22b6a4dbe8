# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the model directory: Hugging Face format, and the compiled graph with its report beside the weights."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import DistilBertForSequenceClassification
from wordpiece import MAX_TOKENS

COMPILER = Path(__file__).resolve().parents[1] / "docker"
# What the compiler adds to a model directory. The graph is small enough to hold its tensors itself.
COMPILED = ("model.onnx", "compilation.json")


def round_to_half(model: DistilBertForSequenceClassification) -> None:
    """Round every weight, in place, to what float16 can hold, so that storing it as float16 changes nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())


def write(directory: Path, model: DistilBertForSequenceClassification, tokenizer: Tokenizer) -> None:
    """Write config.json, tokenizer.json, tokenizer_config.json and model.safetensors.

    The weights are stored as float16; config.json says float32, which is what they are computed in.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=True))
    config |= {"architectures": ["DistilBertForSequenceClassification"], "dtype": "float32"}
    _write_json(directory / "config.json", config)
    _write_json(
        directory / "tokenizer_config.json",
        {
            # Not DistilBertTokenizer: that class would put its own normaliser in the place of tokenizer.json's.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": MAX_TOKENS,
            "model_input_names": ["input_ids", "attention_mask"],
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        },
    )
    tokenizer.save(str(directory / "tokenizer.json"), pretty=False)
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    weights_file = directory / "model.safetensors"
    save_file(weights, weights_file, metadata={"format": "pt"})
    weights_file.chmod(0o644)  # safetensors makes its files readable by their owner only


def compile_graph(directory: Path) -> dict[str, Any]:
    """Compile the weights in ``directory`` as any deployment does, and put graph and report beside them.

    Returns the report. Raises ValueError if the graph does not agree with the weights.
    """
    sys.path.insert(0, str(COMPILER))
    from compiler.compile import Options, compile_model
    from compiler.errors import CompileError

    with tempfile.TemporaryDirectory() as work:
        compiled = Path(work, "compiled")
        try:
            report = compile_model(Options(source=directory, destination=compiled, task="text-classification"))
        except CompileError as error:
            raise ValueError(str(error)) from error
        for name in COMPILED:
            shutil.copyfile(compiled / name, directory / name)
    return report


def size(directory: Path) -> int:
    """The bytes of every file in ``directory``."""
    return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
