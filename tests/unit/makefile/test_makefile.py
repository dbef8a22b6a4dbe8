# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing on a machine is named in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / "inventories" / "local").mkdir(parents=True)
    return tmp_path


def make(checkout: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit status, and the lines printed less make's own."""
    # The tests are themselves run by a make, whose variables must not reach this one.
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True)
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make:")]


def python_that_fails_on(checkout: Path, words: str) -> str:
    """A stand-in for a Python that lacks something: it fails where the given words are asked of it."""
    script = checkout / "python"
    script.write_text(f'#!/bin/sh\ncase "$*" in *"{words}"*) exit 1;; esac\nexit 0\n')
    script.chmod(0o755)
    return f"PYTHON={script}"


def test_a_missing_venv_module_is_named_with_its_package(checkout: Path) -> None:
    code, lines = make(checkout, "deploy", python_that_fails_on(checkout, "import ensurepip"))
    assert code != 0
    assert lines == ["python3-venv is missing: apt install python3-venv"]


def test_an_old_python_is_named_with_the_version_needed(checkout: Path) -> None:
    code, lines = make(checkout, "deploy", python_that_fails_on(checkout, "version_info"))
    assert code != 0
    assert len(lines) == 1
    assert "Python 3.11 or newer is needed" in lines[0]


def test_a_stage_that_does_not_exist_is_named_with_those_that_do(checkout: Path) -> None:
    code, lines = make(checkout, "deploy", "STAGE=prod")
    assert code != 0
    assert lines == ["There is no stage 'prod'. There are: local "]


def test_help_explains_every_target(checkout: Path) -> None:
    code, lines = make(checkout, "help")
    assert code == 0
    named = {line.split()[0] for line in lines if line.startswith("  ")}
    assert {"deploy", "teardown", "new_stage", "url", "env", "stop", "test", "lint", "help"} <= named
