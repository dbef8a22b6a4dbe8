# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m compiler` as a person meets it, before anything of torch is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from compiler.errors import CompileError
from compiler.report import percent
from compiler.tasks import TASKS, find

DOCKER = Path(__file__).resolve().parents[3] / "files" / "docker"


def test_a_missing_directory_ends_with_one_sentence(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "compiler",
        str(tmp_path / "nowhere"),
        str(tmp_path / "out"),
        "--task",
        "fill-mask",
    ]
    done = subprocess.run(command, cwd=DOCKER, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"There is no directory {tmp_path / 'nowhere'}.\n"


@pytest.mark.parametrize(("name", "meant"), [("ner", "token-classification"), ("fill-mask", "fill-mask")])
def test_a_task_has_the_names_that_transformers_gives_it(name: str, meant: str) -> None:
    assert find(name).name == meant


@pytest.mark.parametrize("name", ["text-generation", "summarization", "nonsense", ""])
def test_a_task_that_cannot_be_compiled_names_the_runtime_that_serves_it(name: str) -> None:
    with pytest.raises(CompileError, match="image_runtime: toolkit"):
        find(name)


def test_every_compiled_task_is_of_the_five() -> None:
    assert set(TASKS) == {
        "text-classification",
        "zero-shot-classification",
        "token-classification",
        "fill-mask",
        "feature-extraction",
    }


@pytest.mark.parametrize(("share", "text"), [(1.0, "100.00%"), (0.99996, "99.99%"), (0.995, "99.50%"), (0.0, "0.00%")])
def test_a_share_that_is_not_whole_does_not_read_as_whole(share: float, text: str) -> None:
    assert percent(share) == text


def test_the_compiler_checks_graphs_with_the_onnxruntime_that_the_image_holds() -> None:
    def pins(name: str) -> dict[str, str]:
        lines = (DOCKER / name).read_text(encoding="utf-8").splitlines()
        pairs = (line.split()[0].partition("==") for line in lines if "==" in line and line[0].isalpha())
        return {package: version for package, _, version in pairs}

    image, compiler = pins("requirements-compiled.txt"), pins("requirements-compiler.txt")
    for package in ("onnxruntime", "tokenizers", "numpy"):
        assert compiler[package] == image[package]
