# SPDX-License-Identifier: GPL-3.0-or-later
"""The task fill-mask: each text with its masks filled in. One row for each mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, ClassVar

import numpy as np

from serving import parameters as check
from serving.errors import InputError, ModelLoadError
from serving.handler import Request, Row
from serving.parameters import Check
from serving.runtimes.text import Tokens
from serving.tasks.base import FloatArray, Parameters, Task, finite, softmax

MAX_MASKS = 16_384


class FillMask(Task):
    """Readable: the text with each mask filled by its best token.

    Full: for a text with one mask a list of {"score", "token", "token_str", "sequence"}, best first; for several masks
    a list of such lists. `top_k` says how many, 5 if it does not; `targets` are the only words to choose from.
    """

    head = "ForMaskedLM"
    extra_inputs = frozenset({"masked_index"})
    parameters: ClassVar[Mapping[str, Check]] = {"top_k": check.whole(1, 10_000), "targets": check.texts(1000)}
    makes_full = frozenset({"top_k", "targets"})

    def prepare(self) -> None:
        mask = self.encoder.special_token(self.config.mask_token, ("[MASK]", "<mask>"))
        if mask is None:
            raise ModelLoadError(
                f"The tokenizer in {self.directory.path} has no mask token; "
                "tokenizer_config.json must name it as mask_token."
            )
        self.mask = mask
        self.mask_token = self.encoder.tokenizer.id_to_token(mask)

    def example(self) -> Request:
        return Request([f"I love {self.mask_token}."])

    def preprocess(self, request: Request) -> list[Row]:
        given = self.given(request)
        self._targets(given)
        rows = []
        for index, tokens in enumerate(self.encode(self.texts(request.inputs), given)):
            masks = [position for position, token in enumerate(tokens.ids) if token == self.mask]
            if not masks:
                raise InputError(f"Input {index} has no {self.mask_token}: put it where a word is to be found.")
            # The same Tokens under several rows, but for the position asked about.
            rows += [Row(replace(tokens, masked_index=position), len(tokens.ids), None) for position in masks]
        if len(rows) > MAX_MASKS:
            raise InputError(f"The inputs have {len(rows)} masks; at most {MAX_MASKS} are filled in one request.")
        return rows

    def inference(self, rows: Sequence[Row], threads: int) -> list[FloatArray]:
        outputs = super().inference(rows, threads)
        if "masked_index" in self.graph.inputs:
            return outputs
        # Somebody else's export: logits for every position.
        left = self.config.padding_side == "left"
        return [
            output[row.payload.masked_index - len(row.payload.ids) + len(output) if left else row.payload.masked_index]
            for row, output in zip(rows, outputs, strict=True)
        ]

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[FloatArray]) -> list[Any]:
        given = self.given(request)
        scores = softmax(finite(outputs))
        targets = self._targets(given)
        best = self._best(scores, targets, given.get("top_k", 5))
        answer = self._full if self.is_full(given) else self._readable
        predictions = []
        # Rows of one text follow each other and share its Encoding.
        numbered = enumerate(row.payload for row in rows)
        for _, group in groupby(numbered, key=lambda pair: id(pair[1].encoding)):
            members = list(group)
            chosen = [(tokens, best[index], scores[index]) for index, tokens in members]
            predictions.append(answer(chosen))
        return predictions

    def _best(self, scores: FloatArray, targets: list[int] | None, top_k: int) -> list[list[int]]:
        """For each row the numbers of its best tokens, best first."""
        if targets is None:
            top_k = min(top_k, scores.shape[1])
            found = np.argpartition(-scores, top_k - 1, axis=1)[:, :top_k]
        else:
            found = np.tile(np.asarray(targets), (len(scores), 1))
        order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
        return [[int(token) for token in row] for row in np.take_along_axis(found, order, axis=1)[:, :top_k]]

    def _full(self, masks: Sequence[tuple[Tokens, list[int], FloatArray]]) -> list[Any]:
        single = len(masks) == 1
        lists = []
        for tokens, best, scores in masks:
            entries = []
            for token in best:
                entries.append(
                    {
                        "score": float(scores[token]),
                        "token": token,
                        "token_str": self.encoder.decode([token]),
                        # With several masks the others stay in the text, and special tokens with them.
                        "sequence": self._sequence(tokens.ids, {tokens.masked_index: token}, readable=single),
                    }
                )
            lists.append(entries)
        return lists[0] if single else lists

    def _readable(self, masks: Sequence[tuple[Tokens, list[int], FloatArray]]) -> str:
        filled = {tokens.masked_index: best[0] for tokens, best, _ in masks}
        return self._sequence(masks[0][0].ids, filled, readable=True)

    def _sequence(self, ids: Sequence[int], filled: dict[int, int], readable: bool) -> str:
        tokens = [filled.get(position, token) for position, token in enumerate(ids)]
        kept = [token for token in tokens if token != self.config.pad_token_id]
        return self.encoder.decode(kept, skip_special_tokens=readable)

    def _targets(self, given: Parameters) -> list[int] | None:
        """The tokens of the caller's words: the word itself, or what its first part is.

        Raises:
            InputError: none of the words is anything to this model.
        """
        if "targets" not in given:
            return None
        found = []
        for target in given["targets"]:
            token = self.encoder.tokenizer.token_to_id(target)
            if token is None:
                parts = self.encoder.tokenizer.encode(target, add_special_tokens=False).ids
                token = parts[0] if parts else None
            if token is not None:
                found.append(token)
        if not found:
            raise InputError("targets holds no word that this model knows a token for.")
        return sorted(set(found))
