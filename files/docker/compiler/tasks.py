# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that can be compiled: which class of transformers holds the model, and what its graph gives out.

Names are those of transformers' pipelines. The graph's inputs and outputs are the contract with serving/tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compiler.errors import INSTEAD, CompileError


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        auto_class: the class of transformers that loads its model.
        head: how the names of its architectures end, as config.json lists them.
        output: the graph's main output.
        axes: what the output's dimensions mean; the last one is fixed.
    """

    name: str
    auto_class: str
    head: str
    output: str
    axes: tuple[str, ...]


_TASKS = (
    Task(
        "text-classification", "AutoModelForSequenceClassification", "ForSequenceClassification", "logits", ("batch",)
    ),
    Task(
        "zero-shot-classification",
        "AutoModelForSequenceClassification",
        "ForSequenceClassification",
        "logits",
        ("batch",),
    ),
    Task(
        "token-classification",
        "AutoModelForTokenClassification",
        "ForTokenClassification",
        "logits",
        ("batch", "sequence"),
    ),
    Task("fill-mask", "AutoModelForMaskedLM", "ForMaskedLM", "logits", ("batch",)),
    Task("feature-extraction", "AutoModel", "", "last_hidden_state", ("batch", "sequence")),
)
TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _TASKS})
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "sentiment-analysis": "text-classification",
        "ner": "token-classification",
        "sentence-similarity": "feature-extraction",
        "sentence-embeddings": "feature-extraction",
    }
)


def find(name: str) -> Task:
    """The task of that name, or of the name that means the same.

    Raises:
        CompileError: it cannot be compiled.
    """
    task = TASKS.get(ALIASES.get(name, name))
    if task is None:
        raise CompileError(f"The task {name} cannot be compiled; {', '.join(TASKS)} can. {INSTEAD}")
    return task
