# SPDX-License-Identifier: GPL-3.0-or-later
"""The task feature-extraction: vectors for each text.

A plain model gives one vector for each token, [1][tokens][hidden], as transformers' pipeline does. A directory that
sentence-transformers wrote gives one for the text, [hidden], as its `SentenceTransformer.encode` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from serving.errors import ModelLoadError
from serving.handler import Request, Row
from serving.model_directory import ModelDirectory
from serving.settings import Settings
from serving.tasks.base import FloatArray, Task

_STATES = ("last_hidden_state", "token_embeddings")
_SENTENCE = "sentence_embedding"


class FeatureExtraction(Task):
    """One form only: arrays of float32, which the server writes as JSON numbers."""

    reads = _STATES
    per_token = True

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        return [states[None] for states in outputs]


class SentenceEmbedding(Task):
    """One vector for each text."""

    reads = (_SENTENCE, *_STATES)

    def prepare(self) -> None:
        self._prompt = _default_prompt(self.directory)
        self._pool: Callable[[FloatArray], FloatArray] | None = None
        if self.output != _SENTENCE:
            # Somebody else's export, of the transformer alone.
            self._pool = _pooling(self.directory)
            self.per_token = True

    def texts(self, inputs: Any) -> list[str]:
        # Some models were trained with a few words in front of every text.
        return [self._prompt + text for text in super().texts(inputs)]

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        return list(outputs) if self._pool is None else [self._pool(states) for states in outputs]


def for_directory(directory: ModelDirectory, settings: Settings) -> Task:
    """The one of the two that the directory calls for."""
    return (SentenceEmbedding if directory.is_sentence_transformer else FeatureExtraction)(directory, settings)


def _default_prompt(directory: ModelDirectory) -> str:
    declared = directory.read_json("config_sentence_transformers.json", required=False)
    prompts, name = declared.get("prompts"), declared.get("default_prompt_name")
    prompt = prompts.get(name) if isinstance(prompts, dict) and name is not None else None
    return prompt if isinstance(prompt, str) else ""


# For states [tokens, hidden] without padding. Names and order are those of sentence-transformers' Pooling.
_MODES: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {
        "cls": lambda states: states[0],
        "max": lambda states: states.max(axis=0),
        "mean": lambda states: states.mean(axis=0),
        "mean_sqrt_len": lambda states: states.sum(axis=0) / np.sqrt(len(states)).astype(np.float32),
    }
)
_KEYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len": "pooling_mode_mean_sqrt_len_tokens",
}


def _pooling(directory: ModelDirectory) -> Callable[[FloatArray], FloatArray]:
    """What modules.json says comes after the transformer, as far as it needs no weights.

    Raises:
        ModelLoadError: it lists something else than pooling and normalising.
    """
    path = directory.path / "modules.json"
    entries = directory.read_list("modules.json")
    kinds = [str(entry.get("type", "")).rpartition(".")[2] for entry in entries]
    if kinds[:2] != ["Transformer", "Pooling"] or not set(kinds[2:]) <= {"Normalize"}:
        raise ModelLoadError(
            f"{path} lists {', '.join(kinds)}, and the graph gives no sentence_embedding. Without one, a Transformer, "
            "a Pooling and a Normalize can be served. Compile the model with this collection's compiler instead."
        )
    name = f"{entries[1].get('path', '')}/config.json"
    config = directory.read_json(name)
    named = config.get("pooling_mode")
    if named is None:
        named = [mode for mode, key in _KEYS.items() if config.get(key) is True]
    modes = [named] if isinstance(named, str) else list(named)
    if not modes or not set(modes) <= set(_MODES):
        raise ModelLoadError(f"{directory.path / name} must ask for pooling by {', '.join(_MODES)}.")
    normalise = "Normalize" in kinds

    def pool(states: FloatArray) -> FloatArray:
        vector = np.concatenate([_MODES[mode](states) for mode in modes])
        return np.asarray(vector / max(np.linalg.norm(vector), 1e-12), np.float32) if normalise else vector

    return pool
