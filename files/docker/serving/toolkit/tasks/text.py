# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that read texts and generate none."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from serving import parameters as check
from serving.errors import InputError
from serving.handler import Request, Row
from serving.parameters import Check
from serving.toolkit.tasks.base import TextTask, Work

_FUNCTIONS = ("softmax", "sigmoid", "none")
# Rows of the model for one request: inputs times labels.
_MAX_HYPOTHESES = 16_384


class TextClassification(TextTask):
    """A label for each text, or for each pair of texts."""

    names = ("text-classification",)
    parameters: ClassVar[Mapping[str, Check]] = {
        "top_k": check.whole(1, 1_000_000, or_null=True),
        "function_to_apply": check.one_of(*_FUNCTIONS),
    }
    makes_full = frozenset({"top_k", "function_to_apply"})

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        if not isinstance(value, dict):
            return super().item(value, where, given)
        if set(value) - {"text", "text_pair"} or "text" not in value:
            raise InputError(f'{where} must be a text, or an object with "text" and "text_pair".')
        pair = {name: check.text(f"{where}.{name}", entry) for name, entry in value.items()}
        return pair, self.count(pair["text"], pair.get("text_pair"), where, given), None

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        named = {name: given[name] for name in ("top_k", "function_to_apply") if name in given}
        with self.cut(pipeline, given):
            return list(
                pipeline([work.item for work in works], batch_size=self.batch_size(works), truncation=True, **named)
            )

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        best = output[0] if isinstance(output, list) else output
        # A single label says nothing; its score is what the model was trained to give.
        return best["score"] if pipeline.model.config.num_labels == 1 else best["label"]


class TokenClassification(TextTask):
    """Entities in each text."""

    names = ("token-classification",)
    parameters: ClassVar[Mapping[str, Check]] = {
        "aggregation_strategy": check.one_of("none", "simple", "first", "average", "max"),
        "ignore_labels": check.texts(1000, empty=True),
    }
    makes_full = frozenset({"aggregation_strategy"})

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        return given if full else {**given, "aggregation_strategy": "simple"}

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        named = {name: given[name] for name in self.parameters if name in given}
        with self.cut(pipeline, given):
            # One call for one text: the pipeline takes the list around a single one off again.
            if len(works) == 1:
                return [plain(pipeline(works[0].item, **named))]
            outputs = pipeline([work.item for work in works], batch_size=self.batch_size(works), **named)
        return [plain(output) for output in outputs]

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        return [{"word": entity["word"], "entity": entity["entity_group"]} for entity in output]


def _labels(name: str, value: Any) -> list[str]:
    """A list of labels as it is; one text is split at its commas, as the pipeline does."""
    if isinstance(value, str):
        value = [label.strip() for label in check.text(name, value).split(",") if label.strip()]
    labels = check.texts(1000, empty=True)(name, value)
    if not labels:
        raise InputError(f"{name} holds no label.")
    return labels


class ZeroShotClassification(TextTask):
    """The label, of those that the caller names, that fits each text best."""

    names = ("zero-shot-classification",)
    parameters: ClassVar[Mapping[str, Check]] = {
        "candidate_labels": _labels,
        "hypothesis_template": check.template,
        "multi_label": check.boolean,
    }
    makes_full = frozenset({"multi_label"})
    example_parameters: ClassVar[Mapping[str, Any]] = {"candidate_labels": ["animals", "travel"]}

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        if "candidate_labels" not in given:
            raise InputError('candidate_labels is missing; give the labels to choose from under "parameters".')
        return given

    def rows(self, request: Request) -> list[Row]:
        rows = super().rows(request)
        if len(rows) * len(rows[0].payload.parameters["candidate_labels"]) > _MAX_HYPOTHESES:
            raise InputError(f"inputs times candidate_labels must be at most {_MAX_HYPOTHESES}.")
        return rows

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        text, length, beside = super().item(value, where, given)
        if not text:
            raise InputError(f"{where} is an empty text.")
        # The model reads the text once for every label.
        return text, length * len(given["candidate_labels"]), beside

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        named = {name: given[name] for name in self.parameters if name in given}
        rows = len(works) * len(given["candidate_labels"]) if self.padded else 1
        with self.cut(pipeline, given):
            return list(pipeline([work.item for work in works], batch_size=min(rows, 64), **named))

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        return output["labels"][0]


class FeatureExtraction(TextTask):
    """The model's last hidden state for each token of a text: [1][tokens][hidden]."""

    names = ("feature-extraction",)

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        import torch

        with self.cut(pipeline, given):
            states = pipeline(
                [work.item for work in works], batch_size=self.batch_size(works), truncation=True, return_tensors=True
            )
        left = pipeline.tokenizer.padding_side == "left"
        outputs = []
        for work, state in zip(works, states, strict=True):
            # The pipeline answers for the padding too; a text must not change with what shares its batch.
            kept = state[:, -work.length :] if left else state[:, : work.length]
            outputs.append(kept.to(torch.float32).numpy())
        return outputs


class FillMask(TextTask):
    """Each text with its mask filled in."""

    names = ("fill-mask",)
    parameters: ClassVar[Mapping[str, Check]] = {"top_k": check.whole(1, 10_000), "targets": check.texts(1000)}
    makes_full = frozenset({"top_k", "targets"})

    def example(self) -> Request:
        return Request([f"I love {self.loaded.pipeline.tokenizer.mask_token}."])

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        text, length, beside = super().item(value, where, given)
        tokenizer = self.loaded.pipeline.tokenizer
        ids = self.counter.ids(text)
        # A text that is cut loses its end, but for the special token that closes it.
        read = ids if len(ids) <= length else ids[: length - 1]
        if tokenizer.mask_token_id not in read:
            raise InputError(f"{where} holds no {tokenizer.mask_token} among its first {length} tokens.")
        return text, length, beside

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        named: dict[str, Any] = {"targets": given["targets"]} if "targets" in given else {}
        if "top_k" in given:
            named["top_k"] = min(given["top_k"], pipeline.model.config.vocab_size)
        with self.cut(pipeline, given):
            outputs = pipeline(
                [work.item for work in works],
                batch_size=self.batch_size(works),
                tokenizer_kwargs={"truncation": True},
                **named,
            )
        # The pipeline takes the list around a single text off.
        return [outputs] if len(works) == 1 else list(outputs)

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        if isinstance(output[0], dict):
            return output[0]["sequence"]
        tokenizer = pipeline.tokenizer
        with self.cut(pipeline, work.parameters):
            ids = tokenizer(work.item, truncation=True)["input_ids"]
        masks = [index for index, token in enumerate(ids) if token == tokenizer.mask_token_id]
        for index, best in zip(masks, output, strict=True):
            ids[index] = best[0]["token"]
        return tokenizer.decode(ids, skip_special_tokens=True)


class QuestionAnswering(TextTask):
    """The answer to a question in a context. A long context is read in windows, as transformers does."""

    names = ("question-answering",)
    length_parameters: ClassVar[Mapping[str, Check]] = {}
    parameters: ClassVar[Mapping[str, Check]] = {
        "top_k": check.whole(1, 100),
        "doc_stride": check.whole(1, 100_000),
        "max_answer_len": check.whole(1, 10_000),
        "max_seq_len": check.whole(16, 100_000),
        "max_question_len": check.whole(1, 10_000),
        "handle_impossible_answer": check.boolean,
        "align_to_words": check.boolean,
    }
    makes_full = frozenset({"top_k"})
    example_input: ClassVar[Any] = {"question": "What do I love?", "context": "I love dogs."}

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        """Fit window, question and overlap into each other: transformers panics where they do not fit."""
        window = min(given.get("max_seq_len", 384), self.limit)
        # Special tokens, of which no tokenizer puts more than four around two texts; the context gets half at least.
        question = min(given.get("max_question_len", 64), (window - 4) // 2)
        room = window - question - 4
        stride = given.get("doc_stride", min(window // 2, 128))
        if "doc_stride" in given and stride >= room:
            raise InputError(f"doc_stride must be less than {room}: a window holds {window} tokens.")
        return {
            **given,
            "max_seq_len": window,
            "max_question_len": question,
            "doc_stride": min(stride, max(1, room - 1)),
        }

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        if not isinstance(value, dict) or set(value) != {"question", "context"}:
            raise InputError(f'{where} must be an object with "question" and "context".')
        question, context = (check.text(f"{where}.{name}", value[name]) for name in ("question", "context"))
        if not question.strip() or not context.strip():
            raise InputError(f"{where} has an empty question or context.")
        # The pipeline cuts questions for slow tokenizers only, and fails at a long one otherwise.
        question = self.counter.cut(question, given["max_question_len"])
        return {"question": question, "context": context}, self.counter.count(question, context), None

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        outputs = pipeline(
            question=[work.item["question"] for work in works],
            context=[work.item["context"] for work in works],
            batch_size=self.batch_size(works),
            **{name: given[name] for name in self.parameters if name in given},
        )
        return [plain(outputs)] if len(works) == 1 else [plain(output) for output in outputs]

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        best = output[0] if isinstance(output, list) else output
        return best["answer"]


def plain(value: Any) -> Any:
    """The same with numpy's numbers made Python's, which JSON needs."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value
