# SPDX-License-Identifier: GPL-3.0-or-later
"""The handler of the compiled runtime: finds the model and its task, and passes each request on to the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serving.errors import ModelLoadError
from serving.handler import Request, Row
from serving.hub import locate_model
from serving.model_directory import Compilation, ModelDirectory
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.tasks.base import Task

# transformers and the hub know some tasks by two names.
ALIASES: Mapping[str, str] = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "sentence-similarity": "feature-extraction",
    "sentence-embeddings": "feature-extraction",
}

# For a model that came without a task: what its architecture was made for.
_BY_ARCHITECTURE: Mapping[str, str] = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForMaskedLM": "fill-mask",
    "Model": "feature-extraction",
}

# The same graph answers both: they differ in what it is asked.
_ALIKE = frozenset({"text-classification", "zero-shot-classification"})


class CompiledHandler:
    """Serves a graph for one of five tasks. See tasks/base.py for what they share."""

    content_types: Sequence[str] = ()
    concurrent = True

    def initialize(self, context: Settings) -> None:
        """Load the model.

        Raises:
            ModelLoadError: there is none, or it cannot do the task.
        """
        directory = locate_model(context)
        self.task: Task = loader(task_name(context, directory))(directory, context)

    def example(self) -> Request:
        return self.task.example()

    def preprocess(self, request: Request) -> Sequence[Row]:
        return self.task.preprocess(request)

    def inference(self, rows: Sequence[Row], threads: int) -> Sequence[Any]:
        return self.task.inference(rows, threads)

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> list[Any]:
        return self.task.postprocess(request, rows, outputs)


def task_name(context: Settings, directory: ModelDirectory) -> str:
    """The task to serve: HF_TASK, else the one that the graph was compiled for, else what the architecture says.

    Raises:
        ModelLoadError: HF_TASK and the graph do not belong together.
    """
    compilation: Compilation | None = directory.compilation()
    compiled = _plain(compilation.task) if compilation else ""
    wanted = _plain(context.task)
    if wanted and compiled and wanted != compiled and not {wanted, compiled} <= _ALIKE:
        raise ModelLoadError(
            f"HF_TASK is {context.task!r}, and the graph in {directory.path} was compiled for {compiled}. "
            "Compile the model for the task that is to be served."
        )
    if wanted or compiled:
        return wanted or compiled
    names = directory.config().architectures
    return next((task for end, task in _BY_ARCHITECTURE.items() if any(name.endswith(end) for name in names)), "") or (
        "text-classification"
    )


def loader(name: str) -> Callable[[ModelDirectory, Settings], Task]:
    """What loads a model for a task. Each task is imported when it is the one: that is a part of the cold start.

    Raises:
        ModelLoadError: the compiled runtime does not do this task.
    """
    if name == "text-classification":
        from serving.tasks.text_classification import TextClassification

        return TextClassification
    if name == "token-classification":
        from serving.tasks.token_classification import TokenClassification

        return TokenClassification
    if name == "zero-shot-classification":
        from serving.tasks.zero_shot_classification import ZeroShotClassification

        return ZeroShotClassification
    if name == "fill-mask":
        from serving.tasks.fill_mask import FillMask

        return FillMask
    if name == "feature-extraction":
        from serving.tasks.feature_extraction import for_directory

        return for_directory
    raise ModelLoadError(
        f"HF_TASK is {name!r}; a compiled model does text-classification, token-classification, "
        "zero-shot-classification, feature-extraction or fill-mask. Other tasks need the image with "
        "image_runtime: toolkit."
    )


def _plain(name: str) -> str:
    return ALIASES.get(name, name)
