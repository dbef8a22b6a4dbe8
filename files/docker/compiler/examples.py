# SPDX-License-Identifier: GPL-3.0-or-later
"""From texts to what a graph of the task takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compiler.errors import CompileError
from compiler.source import Source

Ints = npt.NDArray[np.int64]
# What a zero-shot model is asked about each text in turn; transformers' own template.
_HYPOTHESES = ("This example is good news.", "This example is about work.", "This example is about family.")
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One row: the tokens of a text, and for fill-mask the position to fill in."""

    ids: tuple[int, ...]
    types: tuple[int, ...]
    masked_index: int = 0


def examples(source: Source, texts: Sequence[str]) -> list[Example]:
    """Tokenise texts as the task's pipeline does, cut to what the model can read."""
    pairs = [_HYPOTHESES[index % len(_HYPOTHESES)] for index in range(len(texts))]
    encoded = source.tokenizer(
        list(texts),
        pairs if source.task.name == "zero-shot-classification" else None,
        truncation="only_first" if source.task.name == "zero-shot-classification" else True,
        max_length=source.max_length,
        return_token_type_ids=True,
    )
    found = []
    for ids, types in zip(encoded["input_ids"], encoded["token_type_ids"], strict=True):
        # A text without a token, which some tokenizers have, is no example of anything.
        if not ids:
            continue
        example = Example(tuple(ids), tuple(types))
        found.append(_masked(example, source) if source.task.name == "fill-mask" else example)
    return found


def batches(rows: Sequence[Example], size: int = _BATCH) -> Iterator[list[int]]:
    """Indices of rows that run together: of like length, so that padding is little, but there."""
    order = sorted(range(len(rows)), key=lambda index: (len(rows[index].ids), index))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def feeds(rows: Sequence[Example], inputs: Sequence[str], pad: int) -> dict[str, Ints]:
    """The graph's inputs for one batch, padded on the right."""
    shape = (len(rows), max(len(row.ids) for row in rows))
    made = {
        "input_ids": np.full(shape, pad, dtype=np.int64),
        "attention_mask": np.zeros(shape, dtype=np.int64),
        "token_type_ids": np.zeros(shape, dtype=np.int64),
        "masked_index": np.array([row.masked_index for row in rows], dtype=np.int64),
    }
    for index, row in enumerate(rows):
        made["input_ids"][index, : len(row.ids)] = row.ids
        made["attention_mask"][index, : len(row.ids)] = 1
        made["token_type_ids"][index, : len(row.ids)] = row.types
    return {name: made[name] for name in inputs}


def _masked(example: Example, source: Source) -> Example:
    """The same with the token in its middle masked."""
    mask = source.tokenizer.mask_token_id
    if mask is None:
        raise CompileError(f"The tokenizer in {source.directory} has no mask token; fill-mask needs one.")
    middle = len(example.ids) // 2
    return Example((*example.ids[:middle], mask, *example.ids[middle + 1 :]), example.types, middle)
