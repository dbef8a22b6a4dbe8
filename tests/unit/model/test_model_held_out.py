# SPDX-License-Identifier: GPL-3.0-or-later
"""The held-out sentences stay unseen: training cannot read them, and they are nobody else's."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import held_out_guard
import pytest
from evaluate import held_out_sentences
from held_out_guard import HeldOutError, read_training_text
from labelled import parse

SOURCES = Path(held_out_guard.__file__).resolve().parent
HELD_OUT_FILE = SOURCES / "held_out" / "sentences.tsv"


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SOURCES / "train.py"), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("option", ["--dev", "--sentences"])
def test_training_refuses_held_out_material_and_says_why(option: str) -> None:
    path = HELD_OUT_FILE if option == "--dev" else HELD_OUT_FILE.parent
    result = train(option, str(path))
    assert result.returncode == 1
    assert "is held out: the model's accuracy is measured on it, so training must not read it." in result.stderr
    assert "Traceback" not in result.stderr


def test_training_refuses_held_out_material_behind_a_link(tmp_path: Path) -> None:
    link = tmp_path / "harmless.tsv"
    link.symlink_to(HELD_OUT_FILE)
    result = train("--dev", str(link))
    assert result.returncode == 1
    assert "is held out" in result.stderr


def test_the_reader_of_training_files_refuses_a_held_out_one() -> None:
    with pytest.raises(HeldOutError, match="is held out"):
        read_training_text(SOURCES / "dev" / ".." / "held_out" / "sentences.tsv")


ROUTES = {
    "open": "open(path)",
    "pathlib": "pathlib.Path(path).read_text()",
    "bytes": "open(os.fsencode(path), 'rb')",
    "descriptor": "os.open(path, os.O_RDONLY)",
    "listing": "os.listdir(os.path.dirname(path))",
    "glob": "list(pathlib.Path(path).parent.glob('*.tsv'))",
    "copy": "shutil.copy(path, os.devnull)",
}


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES.keys())
def test_a_training_process_cannot_reach_held_out_material_by_any_route(route: str) -> None:
    script = f"""
import os, pathlib, shutil, sys
sys.path.insert(0, {str(SOURCES)!r})
import held_out_guard
path = {str(HELD_OUT_FILE)!r}
held_out_guard.install()
pathlib.Path({str(SOURCES / "dev" / "sentences.tsv")!r}).read_text()
try:
    {route}
except held_out_guard.HeldOutError:
    print("refused")
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.stdout == "refused\n", result.stderr


def test_the_held_out_file_is_large_and_balanced() -> None:
    sentences = held_out_sentences()
    assert len(sentences) >= 300
    labels = Counter(s.label for s in sentences)
    assert labels[0] == labels[1]
    kinds = Counter((s.kind, s.label) for s in sentences)
    assert {kind for kind, _ in kinds} == {"plain", "negated", "contrast", "implied"}
    assert all(kinds[kind, 0] == kinds[kind, 1] for kind, _ in kinds)


def test_no_held_out_sentence_is_written_out_in_the_training_material() -> None:
    written_out: set[str] = set()
    for path in (*(SOURCES / "sentences").rglob("*.txt"), *(SOURCES / "sentences").rglob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            written_out.add(letters(line.split("\t")[-1].split(" @")[0].split(" -> ")[0]))
    dev = SOURCES / "dev" / "sentences.tsv"
    written_out.update(letters(s.text) for s in parse(dev.read_text(encoding="utf-8"), dev.name))
    assert [s.text for s in held_out_sentences() if letters(s.text) in written_out] == []


def letters(text: str) -> str:
    """What is left of a sentence without case, spacing and punctuation."""
    return re.sub(r"[^a-z]+", " ", text.lower()).strip()
