# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of transformers' pipelines, and which class serves which."""

from __future__ import annotations

from pathlib import Path

from serving.errors import ModelLoadError
from serving.settings import Settings
from serving.toolkit.loading import infer_task, load_pipeline
from serving.toolkit.tasks.audio import SpeechRecognition
from serving.toolkit.tasks.base import Task
from serving.toolkit.tasks.generation import TextGeneration, TextToText
from serving.toolkit.tasks.images import ImageClassification
from serving.toolkit.tasks.other import OtherTask
from serving.toolkit.tasks.sentences import MODULES, SentenceEmbedding, load_sentence_transformer
from serving.toolkit.tasks.text import (
    FeatureExtraction,
    FillMask,
    QuestionAnswering,
    TextClassification,
    TokenClassification,
    ZeroShotClassification,
)

_TASKS: tuple[type[Task], ...] = (
    TextClassification,
    TokenClassification,
    ZeroShotClassification,
    FeatureExtraction,
    FillMask,
    QuestionAnswering,
    TextToText,
    TextGeneration,
    ImageClassification,
    SpeechRecognition,
)
# Beside those that transformers knows.
_ALIASES = {"sentence-similarity": "feature-extraction", "sentence-embeddings": "feature-extraction"}


def load_task(path: Path, settings: Settings) -> Task:
    """Load the model of a directory for HF_TASK, or for the task that its architecture is made for.

    Raises:
        ModelLoadError: see `loading.load_pipeline`; or the task is one that cannot be served.
    """
    if settings.task:
        name = _ALIASES.get(settings.task, settings.task)
    else:
        name = "feature-extraction" if (path / MODULES).is_file() else infer_task(path)
    if name == "feature-extraction" and (path / MODULES).is_file():
        return SentenceEmbedding(load_sentence_transformer(path, settings), settings)
    loaded = load_pipeline(path, name, settings)
    for task in _TASKS:
        if loaded.task in task.names:
            return task(loaded, settings)
    if not OtherTask.serves(loaded.task):
        raise ModelLoadError(f"HF_TASK is {name!r}, for which this server needs a code/inference.py in the model.")
    return OtherTask(loaded, settings)
