# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts on which ranges are seen and graphs are compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler.errors import CompileError

SHIPPED = Path(__file__).with_name("calibration_texts.txt")
# With fewer, one text with another label is more than the half per cent that may have one.
LEAST = 60


@dataclass(frozen=True)
class Texts:
    """Texts to see the ranges of activations on, and other texts to compare graphs on."""

    ranges: tuple[str, ...]
    check: tuple[str, ...]


def read(path: Path | None) -> Texts:
    """Read texts: one a line, or JSON lines that are texts or objects with a "text". Blank lines do not count.

    Every third text serves for the ranges. No text serves for both, or a range would be judged by what made it.

    Raises:
        CompileError: the file cannot be read, a line is no text, or there are too few.
    """
    source = path or SHIPPED
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CompileError(f"The calibration file {source} cannot be read: {error}.") from None
    as_json = source.suffix in (".jsonl", ".ndjson")
    texts = [_text(line, number, source, as_json) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(texts) < LEAST:
        raise CompileError(
            f"The calibration file {source} has {len(texts)} texts; at least {LEAST} are needed, and 500 tell more."
        )
    return split(texts)


def split(texts: Sequence[str]) -> Texts:
    """Every third text for the ranges, the others for the check."""
    return Texts(tuple(texts[2::3]), tuple(text for index, text in enumerate(texts) if index % 3 != 2))


def _text(line: str, number: int, path: Path, as_json: bool) -> str:
    if not as_json:
        return line.strip()
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str) or not text.strip():
        raise CompileError(f'Line {number} of {path} must be a JSON text, or an object with a text under "text".')
    return text
