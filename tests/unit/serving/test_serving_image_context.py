# SPDX-License-Identifier: GPL-3.0-or-later
"""The build context: what goes into the image and how it is started."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from serving_process import CONTEXT, ServerProcess

LOCKED = ("compiled", "toolkit", "toolkit-build")


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def requirements(kind: str) -> dict[str, list[str]]:
    """The hashes of each requirement that a lock file names, by the requirement."""
    found: dict[str, list[str]] = {}
    for line in lines_of(CONTEXT / f"requirements-{kind}.txt"):
        if line.strip() and not line.lstrip().startswith("#"):
            if line.startswith(" "):
                found[list(found)[-1]].append(line.strip(" \\"))
            else:
                found[line.strip(" \\")] = []
    return found


@pytest.mark.parametrize("kind", LOCKED)
def test_every_requirement_is_pinned_with_the_hashes_of_its_files(kind: str) -> None:
    found = requirements(kind)
    assert found
    for requirement, hashes in found.items():
        assert re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[0-9][0-9A-Za-z.]*( ; .+)?", requirement), requirement
        assert hashes, requirement
        for line in hashes:
            assert re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line), line


def test_the_compiled_image_holds_neither_torch_nor_transformers() -> None:
    names = {requirement.partition("==")[0].lower() for requirement in requirements("compiled")}
    assert names.isdisjoint({"torch", "transformers", "safetensors"})
    assert {"onnxruntime", "tokenizers", "uvicorn", "orjson"} <= names


def test_the_context_is_a_list_of_what_is_needed() -> None:
    first, *lines = [line for line in lines_of(CONTEXT / ".dockerignore") if not line.startswith("#")]
    assert first == "*"
    kept = {line for line in lines if line.startswith("!")}
    assert kept == {"!Dockerfile.serve", "!serve", "!serving", "!requirements-*.txt", "!model"}


def test_serve_is_executable_and_starts_the_server(tmp_path: Path) -> None:
    serve = CONTEXT / "serve"
    assert os.access(serve, os.X_OK)
    environment = {
        "PYTHONPATH": str(CONTEXT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAGEMAKER_BIND_TO_PORT": "0",
        "SAGEMAKER_BASE_DIR": str(tmp_path),
    }
    done = subprocess.run([sys.executable, str(serve)], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "model_load_failed" in done.stdout
    assert done.stderr == ""


def test_the_readme_has_a_row_for_each_setting() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (CONTEXT / "README.md").read_text(encoding="utf-8"), re.M))
    read = set(re.findall(r'"((?:SERVING|SAGEMAKER|HF)_[A-Z_]+)"', (CONTEXT / "serving" / "settings.py").read_text()))
    assert documented == read


def test_the_handler_in_the_readme_works(
    tmp_path: Path, start: Callable[..., ServerProcess], context_with_handler: Callable[[str], Path]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (CONTEXT / "README.md").read_text(encoding="utf-8"), re.S)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "words.txt").write_text("good\nlove\n", encoding="utf-8")
    server = start(tmp_path, context=context_with_handler(example)).ready()
    assert server.invoke({"inputs": ["all is good", "good love", ""]}).predictions == [1, 2, 0]
    assert server.invoke({"inputs": "a"}).error["message"] == "inputs must be a list of texts."


def test_the_image_is_started_as_sagemaker_does() -> None:
    dockerfile = (CONTEXT / "Dockerfile.serve").read_text(encoding="utf-8")
    assert "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true" in dockerfile
    assert "SERVING_HOST=0.0.0.0" in dockerfile
    assert 'CMD ["serve"]' in dockerfile
    assert not re.search(r"^USER ", dockerfile, re.M)
