# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts a graph is checked on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compiler.calibration import LEAST, SHIPPED, read
from compiler.errors import CompileError

REPOSITORY = Path(__file__).resolve().parents[3]


def test_more_than_five_hundred_shipped_texts_of_all_lengths_serve_for_the_check() -> None:
    texts = read(None)
    lengths = sorted(len(text.split()) for text in texts.check)
    assert len(texts.check) >= 500
    assert lengths[0] <= 2
    assert lengths[-1] >= 200


def test_no_shipped_text_is_checked_that_made_the_ranges() -> None:
    texts = read(None)
    assert not set(texts.ranges) & set(texts.check)


def test_no_shipped_text_holds_a_sentence_that_is_held_out() -> None:
    held_out = (REPOSITORY / "files" / "model" / "held_out" / "sentences.tsv").read_text(encoding="utf-8")
    shipped = SHIPPED.read_text(encoding="utf-8")
    sentences = [line.rpartition("\t")[2] for line in held_out.splitlines() if line]
    assert len(sentences) > 300
    assert [sentence for sentence in sentences if sentence in shipped] == []


def test_a_text_file_holds_one_text_a_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"Text {number}\n\n" for number in range(90)), encoding="utf-8")
    texts = read(path)
    assert (len(texts.ranges), len(texts.check), texts.check[0], texts.ranges[0]) == (30, 60, "Text 0", "Text 2")


def test_json_lines_hold_texts_or_objects_with_a_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps(f"Line\n{n}") if n % 2 else json.dumps({"text": f"Line\n{n}"}) for n in range(LEAST)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read(path).check[:2] == ("Line\n0", "Line\n1")


@pytest.mark.parametrize("line", ["{", "3", '{"sentence": "x"}', '""', '{"text": 5}'])
def test_a_line_without_a_text_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('"fine"\n' + line, encoding="utf-8")
    with pytest.raises(CompileError, match=r"Line 2 of .*texts\.jsonl must be"):
        read(path)


def test_too_few_texts_are_refused_with_the_number_needed(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("One.\nTwo.\n", encoding="utf-8")
    with pytest.raises(CompileError, match=rf"has 2 texts; at least {LEAST} are needed"):
        read(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"missing\.txt cannot be read"):
        read(tmp_path / "missing.txt")
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CompileError, match=r"binary\.txt cannot be read"):
        read(binary)
