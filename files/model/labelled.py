# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled sentences in a file: one a line, ``+`` or ``-``, perhaps a kind, and the sentence, with tabs between."""

from __future__ import annotations

from dataclasses import dataclass

SIGNS = {"+": 1, "-": 0}


@dataclass(frozen=True)
class LabelledSentence:
    """``label`` is 1 (POSITIVE) or 0 (NEGATIVE). ``kind`` is "" where the file does not give one."""

    label: int
    kind: str
    text: str


def parse(text: str, name: str) -> list[LabelledSentence]:
    """The sentences of a file's ``text``; ``name`` is for messages. Raises ValueError on a line of another shape."""
    sentences: list[LabelledSentence] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) not in (2, 3) or fields[0] not in SIGNS or not fields[-1].strip():
            raise ValueError(f"{name}, line {number}: expected '+' or '-', a tab, a sentence; got {line!r}.")
        sentences.append(LabelledSentence(SIGNS[fields[0]], fields[1] if len(fields) == 3 else "", fields[-1]))
    return sentences
