# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that the serving image knows, in transformers' terms, and which runtime does which."""

from __future__ import annotations

import re

#: What both runtimes do.
COMPILED_TASKS = (
    "text-classification",
    "token-classification",
    "zero-shot-classification",
    "feature-extraction",
    "fill-mask",
)

#: What needs transformers and torch.
TOOLKIT_TASKS = (
    "question-answering",
    "text2text-generation",
    "summarization",
    "translation",
    "text-generation",
    "image-classification",
    "automatic-speech-recognition",
)

#: transformers' own aliases, and the hub's names of sentence embeddings.
ALIASES = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "sentence-similarity": "feature-extraction",
    "sentence-embeddings": "feature-extraction",
}

_TRANSLATION = re.compile(r"translation_\w+_to_\w+")


def canonical(task: str) -> str:
    """The task's own name; empty where there is no such task."""
    name = "translation" if _TRANSLATION.fullmatch(task) else ALIASES.get(task, task)
    return name if name in COMPILED_TASKS + TOOLKIT_TASKS else ""


def names() -> list[str]:
    """Every name that is understood, for a message."""
    return [*COMPILED_TASKS, *TOOLKIT_TASKS, *ALIASES]
