# SPDX-License-Identifier: GPL-3.0-or-later
"""The task zero-shot-classification: the label, of those that the caller names, that fits each text best.

The model was trained to say whether one text follows from another; it is asked about the text and "This example is
{label}." for each label, one row each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from serving import log
from serving import parameters as check
from serving.errors import InputError
from serving.handler import Request, Row
from serving.parameters import Check
from serving.tasks.base import FloatArray, Parameters, Task, finite, missing, softmax

TEMPLATE = "This example is {}."
MAX_LABELS = 1000
# Rows of the model for one request.
MAX_ROWS = 16_384


def _labels(name: str, value: Any) -> list[str]:
    # As the pipeline reads them: commas part labels in a text, and are part of a label in a list.
    if isinstance(value, str):
        value = [label for part in value.split(",") if (label := part.strip())]
    return check.texts(MAX_LABELS)(name, value)


class ZeroShotClassification(Task):
    """Readable: the best label. Full: {"sequence", "labels", "scores"}, best first."""

    head = "ForSequenceClassification"
    parameters: ClassVar[Mapping[str, Check]] = {
        "candidate_labels": _labels,
        "hypothesis_template": check.template,
        "multi_label": check.boolean,
    }
    makes_full = frozenset({"multi_label"})

    def prepare(self) -> None:
        self.check_labels()
        self.encoder.cut_first_only()
        found = [index for index, label in enumerate(self.config.labels) if label.lower().startswith("entail")]
        # The last one, as transformers has it.
        self.entailment = found[0] if found else len(self.config.labels) - 1
        if not found:
            log.warning(
                "no_entailment_label",
                message=f"id2label in {self.directory.path / 'config.json'} has no label that begins with entail; "
                f"{self.config.labels[-1]} is taken for it. Was the model trained for natural language inference?",
            )

    def example(self) -> Request:
        return Request(["I love dogs."], {"candidate_labels": ["animals", "travel"]})

    def preprocess(self, request: Request) -> list[Row]:
        given = self.given(request)
        labels = self._candidates(given)
        texts = self.texts(request.inputs)
        if len(texts) * len(labels) > MAX_ROWS:
            raise InputError(f"inputs times candidate_labels must be at most {MAX_ROWS}.")
        for index, text in enumerate(texts):
            if not text:
                raise InputError(f"inputs[{index}] is an empty text.")
        template = given.get("hypothesis_template", TEMPLATE)
        hypotheses = [template.format(label) for label in labels]
        pairs = [(text, hypothesis) for text in texts for hypothesis in hypotheses]
        tokens = self.encoder.encode_pairs(
            pairs, truncation=given.get("truncation", True), max_length=given.get("max_length")
        )
        return [Row(entry, len(entry.ids)) for entry in tokens]

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        given = self.given(request)
        labels, texts = self._candidates(given), self.texts(request.inputs)
        logits = finite(outputs).reshape(len(texts), len(labels), -1)
        if given.get("multi_label") or len(labels) == 1:
            # Each label for itself: entailment against contradiction.
            contradiction = -1 if self.entailment == 0 else 0
            scores = softmax(logits[..., [contradiction, self.entailment]])[..., 1]
        else:
            scores = softmax(logits[..., self.entailment])
        if not self.is_full(given):
            return [labels[_order(row)[0]] for row in scores]
        return [
            {
                "sequence": text,
                "labels": [labels[index] for index in _order(row)],
                "scores": [float(row[index]) for index in _order(row)],
            }
            for text, row in zip(texts, scores, strict=True)
        ]

    def _candidates(self, given: Parameters) -> list[str]:
        if "candidate_labels" not in given:
            raise missing("candidate_labels", "the labels to choose from")
        labels: list[str] = given["candidate_labels"]
        return labels


def _order(scores: FloatArray) -> list[int]:
    """Best first; of equal ones the last, as the pipeline has it."""
    return [int(index) for index in np.argsort(scores)[::-1]]
