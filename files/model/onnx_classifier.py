# SPDX-License-Identifier: GPL-3.0-or-later
"""The exported model as a function of texts, with onnxruntime and tokenizers only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

LABELS = ("NEGATIVE", "POSITIVE")


class OnnxClassifier:
    """Reads ``model.onnx`` and ``tokenizer.json`` of a model directory."""

    def __init__(self, directory: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def logits(self, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Float32, one row a text, one column a label (NEGATIVE, POSITIVE)."""
        encodings = self._tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([e.ids for e in encodings], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], dtype=np.int64),
        }
        return np.asarray(self._session.run(["logits"], feed)[0], dtype=np.float32)

    def predict(self, texts: list[str]) -> list[str]:
        """The label of each text, POSITIVE or NEGATIVE, in order."""
        return [LABELS[int(row.argmax())] for row in self.logits(texts)]
