# SPDX-License-Identifier: GPL-3.0-or-later
"""The task text-classification: a label for each text, or for each pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from serving import parameters as check
from serving.errors import InputError
from serving.handler import Request, Row
from serving.model_directory import ModelConfig
from serving.parameters import Check
from serving.runtimes.text import Text
from serving.tasks.base import FloatArray, Task, finite, sigmoid, softmax

_FUNCTIONS = ("softmax", "sigmoid", "none")
_PAIR = ("text", "text_pair")


class TextClassification(Task):
    """Readable: the best label; the score, where the model has one label only. Full: {"label", "score"}.

    With `top_k` the full form is a list of them, best first; null gives all.
    """

    head = "ForSequenceClassification"
    parameters: ClassVar[Mapping[str, Check]] = {
        "top_k": check.whole(1, 1_000_000, or_null=True),
        "function_to_apply": check.one_of(*_FUNCTIONS),
    }
    makes_full = frozenset({"top_k", "function_to_apply"})

    def prepare(self) -> None:
        self.check_labels()

    def texts(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, list):
            return [_text_or_pair("inputs", inputs)]
        return [_text_or_pair(f"inputs[{index}]", entry) for index, entry in enumerate(inputs)]

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        given = self.given(request)
        labels = self.config.labels
        logits = finite(outputs)
        full = self.is_full(given)
        if not full and len(labels) > 1:
            # Neither function changes which label is best.
            return [labels[index] for index in logits.argmax(axis=1)]
        scores = apply_function(logits, given.get("function_to_apply") or default_function(self.config))
        if not full:
            # One label says nothing; its score is what the model was trained to give.
            return [float(row[0]) for row in scores]
        if "top_k" not in given:
            best = scores.argmax(axis=1)
            return [
                {"label": labels[index], "score": float(row[index])} for row, index in zip(scores, best, strict=True)
            ]
        # Stable, so that labels of the same score keep the model's order.
        order = np.argsort(-scores, axis=1, kind="stable")[:, : given["top_k"]]
        return [
            [{"label": labels[index], "score": float(row[index])} for index in best]
            for row, best in zip(scores, order, strict=True)
        ]


def apply_function(logits: FloatArray, function: str) -> FloatArray:
    """Turn logits [texts, labels] into scores."""
    if function == "none":
        return logits
    return sigmoid(logits) if function == "sigmoid" else softmax(logits)


def default_function(config: ModelConfig) -> str:
    """transformers' choice: none for a regression; sigmoid for one label, or several that may hold at once."""
    if config.problem_type == "regression":
        return "none"
    if config.problem_type == "multi_label_classification" or len(config.labels) == 1:
        return "sigmoid"
    return "softmax"


def _text_or_pair(where: str, value: Any) -> Text:
    if not isinstance(value, dict):
        return check.text(where, value)
    if "text" not in value or not set(value) <= set(_PAIR):
        raise InputError(f'{where} must be a text, or an object with "text" and "text_pair".')
    text = check.text(f"{where}.text", value["text"])
    pair = check.text(f"{where}.text_pair", value.get("text_pair", ""))
    # transformers reads an empty second text as none.
    return (text, pair) if pair else text
