# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tasks on a compiled model share: texts in, rows of tokens, one run of the graph, an answer in two forms.

The forms: *readable* is plain values for people and the default. *Full* is what transformers' pipeline for the task
returns; a caller gets it with `"scores": true`, or with a parameter that only makes sense there, such as top_k.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from serving import parameters as check
from serving.errors import InputError, ModelLoadError
from serving.handler import Request, Row
from serving.model_directory import ModelConfig, ModelDirectory
from serving.parameters import Check, check_parameters
from serving.runtimes.graph import Graph
from serving.runtimes.text import INPUTS, Text, TextEncoder, Tokens, feeds
from serving.settings import Settings

Parameters = Mapping[str, Any]
FloatArray = npt.NDArray[np.float32]

# What every task takes.
_COMMON: Mapping[str, Check] = {
    "scores": check.boolean,
    "truncation": check.boolean,
    "max_length": check.whole(1, 1_000_000),
}


class Task(abc.ABC):
    """One task on one loaded model. Everything but __init__ may be called in several threads at a time."""

    # How the names of its architectures end, as config.json lists them; empty takes any.
    head: ClassVar[str] = ""
    # Which outputs of a graph it can read, best first.
    reads: ClassVar[tuple[str, ...]] = ("logits",)
    # Inputs that its graph may have besides the usual ones.
    extra_inputs: ClassVar[frozenset[str]] = frozenset()
    # True where the graph gives something for each token, and not for each text.
    per_token: bool = False
    parameters: ClassVar[Mapping[str, Check]] = {}
    # Parameters that ask for the full form just by being there.
    makes_full: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, directory: ModelDirectory, settings: Settings) -> None:
        """Load graph and tokenizer, and check that they can do this task.

        Raises:
            ModelLoadError: they cannot.
        """
        self.directory = directory
        self.config: ModelConfig = directory.config()
        self._check_architecture()
        self.encoder = TextEncoder(directory, self.config, settings.max_length)
        self.graph = Graph(directory, settings.threads)
        self._check_inputs()
        self.output = next((name for name in self.reads if name in self.graph.outputs), "")
        if not self.output:
            raise ModelLoadError(
                f"The graph {self.graph.path} gives {', '.join(self.graph.outputs)}; "
                f"this task reads {' or '.join(self.reads)}."
            )
        self.prepare()

    def prepare(self) -> None:  # noqa: B027 - most tasks have something to look up, not all
        """What a task has to look up in the model, once.

        Raises:
            ModelLoadError: the model lacks what the task needs.
        """

    def example(self) -> Request:
        """A request that every model of this task can answer."""
        return Request(["I love dogs.", "I am not fond of cats though."])

    def preprocess(self, request: Request) -> list[Row]:
        """Check a request and make its rows.

        Raises:
            InputError: the caller's mistake.
        """
        given = self.given(request)
        return [
            Row(tokens, len(tokens.ids)) for tokens in self.encode(self.texts(request.inputs), given, self.per_token)
        ]

    def inference(self, rows: Sequence[Row], threads: int) -> list[FloatArray]:
        """Run one batch.

        Returns:
            For each row [labels], or [tokens, labels] where the graph answers for each token. An array is a part of
            the batch's.
        """
        tokens: list[Tokens] = [row.payload for row in rows]
        outputs = self.graph.run(self.output, feeds(tokens, self.graph.inputs, self.config), threads)
        if not self.per_token:
            return list(outputs)
        left = self.config.padding_side == "left"
        width = outputs.shape[1]
        return [
            outputs[index, width - len(row.ids) :] if left else outputs[index, : len(row.ids)]
            for index, row in enumerate(tokens)
        ]

    @abc.abstractmethod
    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        """One prediction for each input of the request."""

    def given(self, request: Request) -> dict[str, Any]:
        """The request's parameters, checked.

        Raises:
            InputError: one is not known, or has a value of the wrong kind.
        """
        if not request.parameters:
            return {}
        return check_parameters(request.parameters, {**_COMMON, **self.parameters})

    def is_full(self, given: Parameters) -> bool:
        """Which of the two forms is wanted: `scores` says, and where it is missing the other parameters do."""
        wanted = given.get("scores")
        return bool(self.makes_full & given.keys()) if wanted is None else bool(wanted)

    def texts(self, inputs: Any) -> list[str]:
        """The texts of a request: a text counts as a list of one.

        Raises:
            InputError: one is not a text.
        """
        if isinstance(inputs, list):
            return [check.text(f"inputs[{index}]", entry) for index, entry in enumerate(inputs)]
        return [check.text("inputs", inputs)]

    def encode(self, texts: Sequence[Text], given: Parameters, offsets: bool = False) -> list[Tokens]:
        """Tokens of texts, cut as the caller wants it."""
        return self.encoder.encode(
            texts, truncation=given.get("truncation", True), max_length=given.get("max_length"), offsets=offsets
        )

    def check_labels(self) -> None:
        """Compare the graph's labels with config.json's.

        Raises:
            ModelLoadError: there are more or fewer.
        """
        columns = self.graph.outputs[self.output][-1]
        if isinstance(columns, int) and columns != len(self.config.labels):
            raise ModelLoadError(
                f"The graph {self.graph.path} tells {columns} labels apart, and id2label in config.json names "
                f"{len(self.config.labels)}. The two files belong to different models."
            )

    def _check_architecture(self) -> None:
        """Refuse a model without the task's head: its answers would be those of random weights."""
        names = self.config.architectures
        if self.head and names and not any(name.endswith(self.head) for name in names):
            raise ModelLoadError(
                f"The model in {self.directory.path} is a {', '.join(names)}; this task needs a …{self.head}."
            )

    def _check_inputs(self) -> None:
        taken = self.graph.inputs
        known = {*INPUTS, *self.extra_inputs}
        if "input_ids" not in taken or not known.issuperset(taken) or None in taken.values():
            raise ModelLoadError(
                f"The graph {self.graph.path} takes {', '.join(sorted(taken)) or 'no input'}; it must take input_ids, "
                f"and may take {', '.join(sorted(known - {'input_ids'}))}, all of whole numbers."
            )


def softmax(logits: FloatArray) -> FloatArray:
    """Scores that add up to one along the last axis, without overflow for large values."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def sigmoid(logits: FloatArray) -> FloatArray:
    """Scores from 0 to 1, each for itself, without overflow for large values."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small))


def finite(outputs: Sequence[FloatArray]) -> FloatArray:
    """Outputs of the same shape as one array, [rows, …].

    Raises:
        ValueError: a value is NaN or infinite: the model is broken, and its best label would be any.
    """
    stacked = np.stack(outputs)
    if not np.isfinite(stacked).all():
        raise ValueError("the model gave numbers that are not finite")
    return stacked


def missing(name: str, what: str) -> InputError:
    """The error for a parameter that a task cannot do without."""
    return InputError(f'{name} is missing; give {what} under "parameters".')
