# SPDX-License-Identifier: GPL-3.0-or-later
"""The task token-classification: the entities in each text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from serving import parameters as check
from serving.handler import Request, Row
from serving.parameters import Check
from serving.runtimes.text import Tokens
from serving.tasks.base import FloatArray, Task, finite, softmax
from serving.tasks.entities import STRATEGIES, Token, entities

_OUTSIDE = ["O"]


class TokenClassification(Task):
    """Readable: [{"word", "entity"}], grouped as by aggregation_strategy simple. Full: the pipeline's list."""

    head = "ForTokenClassification"
    per_token = True
    parameters: ClassVar[Mapping[str, Check]] = {
        "aggregation_strategy": check.one_of(*STRATEGIES),
        "ignore_labels": check.texts(1000, empty=True),
    }
    makes_full = frozenset({"aggregation_strategy"})

    def prepare(self) -> None:
        self.check_labels()
        model = self.encoder.tokenizer.model
        # A tokenizer that marks the pieces of a word is asked; for others a blank in the text must tell.
        self._marks_pieces = bool(getattr(model, "continuing_subword_prefix", None))
        self._unknown = self.encoder.special_token(self.config.unk_token, ("[UNK]", "<unk>"))

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        given = self.given(request)
        full = self.is_full(given)
        strategy = given.get("aggregation_strategy", "none" if full else "simple")
        ignored = given.get("ignore_labels", _OUTSIDE)
        predictions: list[Any] = []
        for text, row, logits in zip(self.texts(request.inputs), rows, outputs, strict=True):
            tokens = self._tokens(text, row.payload, softmax(finite([logits])[0]))
            found = entities(tokens, self.config.labels, strategy, ignored, self.encoder.words)
            predictions.append(found if full else [_readable(entity) for entity in found])
        return predictions

    def _tokens(self, text: str, tokens: Tokens, scores: FloatArray) -> list[Token]:
        """The tokens that stand for something in the text, with where they stand."""
        encoding = tokens.encoding
        found = []
        for index, (word, (start, end), special) in enumerate(
            zip(encoding.tokens, encoding.offsets, encoding.special_tokens_mask, strict=True)
        ):
            if special:
                continue
            if tokens.ids[index] == self._unknown:
                word, continues = text[start:end], False
            elif self._marks_pieces:
                continues = len(word) != end - start
            else:
                continues = start > 0 and " " not in text[start - 1 : start + 1]
            found.append(Token(word, start, end, index, continues, scores[index]))
        return found


def _readable(entity: dict[str, Any]) -> dict[str, str]:
    return {"word": entity["word"], "entity": entity.get("entity_group", entity.get("entity"))}
