# SPDX-License-Identifier: GPL-3.0-or-later
"""The task text-classification: from a caller's parameters and a model's logits to labels and scores.

Parameters and their meaning are those of transformers' TextClassificationPipeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.errors import InputError
from serving.model_directory import ModelConfig

_FUNCTIONS = ("softmax", "sigmoid", "none")
_PARAMETERS = ("top_k", "function_to_apply")


@dataclass(frozen=True)
class ClassificationParameters:
    """What a caller may choose.

    `with_scores` is True where `top_k` was given; a `top_k` of None then means every label.
    """

    with_scores: bool = False
    top_k: int | None = None
    function_to_apply: str | None = None

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> ClassificationParameters:
        """Check a request's parameters.

        Raises:
            InputError: an unknown name, or a value of the wrong kind.
        """
        for name in parameters:
            if name not in _PARAMETERS:
                raise InputError(f"An unknown parameter was given; known are {' and '.join(_PARAMETERS)}.")
        top_k = parameters.get("top_k")
        # bool is a kind of int in Python, not in JSON.
        if top_k is not None and (not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1):
            raise InputError("top_k must be a whole number of at least 1, or null for every label.")
        function = parameters.get("function_to_apply")
        if function is not None and function not in _FUNCTIONS:
            raise InputError(f"function_to_apply must be one of {', '.join(_FUNCTIONS)}.")
        return cls("top_k" in parameters, top_k, function)


def check_texts(inputs: Any) -> list[str]:
    """The texts of a request: a string counts as a list of one.

    Raises:
        InputError: something is not a string, or holds half of a surrogate pair, which no tokenizer can read.
    """
    texts = inputs if isinstance(inputs, list) else [inputs]
    for index, text in enumerate(texts):
        where = f"inputs[{index}]" if isinstance(inputs, list) else "inputs"
        if not isinstance(text, str):
            raise InputError(f"{where} is not a string; inputs must be a text or a list of texts.")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(f"{where} is not valid text: character {error.start} is half a surrogate pair.") from None
    return texts


def predictions(
    logits: npt.NDArray[np.floating], config: ModelConfig, parameters: ClassificationParameters
) -> list[Any]:
    """What is answered for each row of logits.

    Args:
        logits: shape [texts, labels].
        config: gives the labels, and which function the model was trained with.
        parameters: what the caller chose.

    Returns:
        The best label of each text; where the caller gave `top_k`, a list of {"label", "score"}, best first.
    """
    if not parameters.with_scores:
        # Neither function changes which label is best.
        return [config.labels[index] for index in logits.argmax(axis=1)]
    function = parameters.function_to_apply or _default_function(config)
    scores = apply_function(logits, function)
    # Stable, so that labels of the same score keep the model's order.
    order = np.argsort(-scores, axis=1, kind="stable")[:, : parameters.top_k]
    return [
        [{"label": config.labels[index], "score": float(row[index])} for index in best]
        for row, best in zip(scores, order, strict=True)
    ]


def apply_function(logits: npt.NDArray[np.floating], function: str) -> npt.NDArray[np.floating]:
    """Turn logits into scores, row by row, without overflow for large values."""
    if function == "none":
        return logits
    if function == "sigmoid":
        small = np.exp(-np.abs(logits))
        return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _default_function(config: ModelConfig) -> str:
    """transformers' choice: several labels may hold at once, or there is one only: sigmoid. Else softmax."""
    if config.problem_type == "regression":
        return "none"
    if config.problem_type == "multi_label_classification" or len(config.labels) == 1:
        return "sigmoid"
    if config.problem_type is None and config.function_to_apply in _FUNCTIONS:
        return config.function_to_apply
    return "softmax"
