# SPDX-License-Identifier: GPL-3.0-or-later
"""`code/requirements.txt`: installed once, into a directory of its own. The package lies here: no network."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving.errors import ModelLoadError
from serving.toolkit.requirements import install_requirements, main

CONTEXT = Path(__file__).parents[3] / "files" / "docker"


@pytest.fixture(autouse=True)
def path_as_it_was() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("tiny_words", None)
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would ask an index fails at once. The builds of the package need nothing but what is installed."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files, which is this test's own."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A model's code directory with a package in it, which its requirements name by a relative path."""
    code = tmp_path / "model" / "code"
    package = code / "tiny" / "tiny_words"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VERSION = 1\n", encoding="utf-8")
    (code / "tiny" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "tiny-words"\nversion = "1.0"\ndependencies = ["numpy"]\n',
        encoding="utf-8",
    )
    (code / "requirements.txt").write_text("# ours\n./tiny\nnumpy\n", encoding="utf-8")
    return code


def test_packages_are_installed_where_the_image_is_left_alone(code: Path, temporary: Path) -> None:
    import numpy

    target = install_requirements(code)
    assert target is not None
    assert temporary in target.parents
    assert importlib.import_module("tiny_words").VERSION == 1
    assert sys.path[0] == str(target)
    # numpy is there already, and is not fetched again.
    assert not (target / "numpy").exists()
    assert target not in Path(numpy.__file__).parents


def test_what_is_installed_is_not_installed_again_until_the_file_changes(
    code: Path, temporary: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install_requirements(code)
    calls: list[object] = []
    monkeypatch.setattr("serving.toolkit.requirements._install", lambda *arguments: calls.append(arguments))
    assert install_requirements(code) == first
    assert calls == []
    (code / "requirements.txt").write_text("numpy\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError):
        install_requirements(code)
    assert len(calls) == 1


def test_a_model_without_requirements_needs_nothing(tmp_path: Path) -> None:
    assert install_requirements(tmp_path / "code") is None


def test_what_pip_cannot_find_is_said_in_one_sentence(code: Path, temporary: Path) -> None:
    (code / "requirements.txt").write_text("a-package-that-is-not-there==1.0\n", encoding="utf-8")
    with pytest.raises(ModelLoadError) as refused:
        install_requirements(code)
    message = str(refused.value)
    assert "No matching distribution found for a-package-that-is-not-there==1.0" in message
    assert "network isolation" in message
    assert "\n" not in message
    # What failed is tried again at the next start, and leaves no half of it on the path.
    assert not any(entry.startswith(str(temporary)) for entry in sys.path)
    with pytest.raises(ModelLoadError):
        install_requirements(code)


def test_a_line_that_is_no_requirement_is_said_too(code: Path, temporary: Path) -> None:
    (code / "requirements.txt").write_text("numpy ==== 3\n", encoding="utf-8")
    with pytest.raises(ModelLoadError, match="Invalid requirement"):
        install_requirements(code)


def test_the_command_installs_beside_the_code_and_the_server_finds_it(code: Path, temporary: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "serving.toolkit.requirements", str(code.parent)],
        cwd=CONTEXT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0, result.stdout + result.stderr
    assert events[0]["event"] == "requirements"
    assert any(event["event"] == "pip" for event in events)
    assert events[-1]["event"] == "requirements_installed"
    assert events[-1]["packages"] == 1
    assert install_requirements(code) == code / "site-packages"
    assert list(temporary.iterdir()) == []
    assert importlib.import_module("tiny_words").VERSION == 1


def test_the_command_says_what_went_wrong(code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "nothing")]) == 0
    (code / "requirements.txt").write_text("a-package-that-is-not-there\n", encoding="utf-8")
    assert main([str(code.parent), "--target", str(tmp_path / "elsewhere")]) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "requirements_failed"
    assert "No matching distribution found" in last["message"]
