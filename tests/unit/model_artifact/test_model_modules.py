# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that package a model, run as programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.modules.hub_model import plain_token
from serving_fake_hub import COMMIT, FakeHub

ROOT = Path(__file__).parents[3]
ORIGIN = " --model-id organisation/tiny --commit c0ffee"

# In place of the real one, which takes torch: it does with its arguments what they mean.
COMPILER = """
import json, pathlib, shutil, sys
source, destination = map(pathlib.Path, sys.argv[1:3])
print(f"compiling for {sys.argv[4]}", flush=True)
if (source / "broken").exists():
    sys.exit("The architecture Tiny cannot be compiled.")
shutil.copytree(source, destination, ignore=shutil.ignore_patterns("*.safetensors"))
(destination / "model.onnx").write_text(" ".join(sys.argv[3:]))
(destination / "compilation.json").write_text(json.dumps({"precision": "fp32", "source": {"commit": "c0ffee"}}))
with open(pathlib.Path(__file__).parent.parent / "runs", "a") as runs:
    runs.write("run\\n")
"""


def run(name: str, tmp_path: Path, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run a module as a program; its result."""
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check}}))
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.modelhost.sagemaker.plugins.modules.{name}", str(arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / "config.json").write_text("{}")
    (root / "model.safetensors").write_text("weights")
    (root / "source.json").write_text('{"model_id": "organisation/tiny", "commit": "c0ffee"}')
    return root


@pytest.fixture
def compiling(tmp_path: Path) -> dict[str, str]:
    """The options of compiled_model with a compiler that takes no torch."""
    compiler = tmp_path / "program" / "compiler"
    compiler.mkdir(parents=True)
    (compiler / "__main__.py").write_text(COMPILER)
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\n")
    return {
        "task": "fill-mask",
        "cache": str(tmp_path / "compiled"),
        "compiler": str(compiler),
        "requirements": str(tmp_path / "requirements.txt"),
        "python": sys.executable,
    }


def runs_of(tmp_path: Path) -> int:
    runs = tmp_path / "program" / "runs"
    return len(runs.read_text().splitlines()) if runs.exists() else 0


def test_a_model_is_compiled_once(tmp_path: Path, model: Path, compiling: dict[str, str]) -> None:
    progress = tmp_path / "progress"
    first = run("compiled_model", tmp_path, path=str(model), progress=str(progress), **compiling)
    assert (first["changed"], (Path(first["path"]) / "model.onnx").read_text()) == (True, f"--task fill-mask{ORIGIN}")
    assert "compiling for fill-mask" in progress.read_text()
    again = run("compiled_model", tmp_path, path=str(model), **compiling)
    assert (again["changed"], again["path"]) == (False, first["path"])
    assert runs_of(tmp_path) == 1


def test_another_task_texts_or_precision_is_another_compilation(
    tmp_path: Path, model: Path, compiling: dict[str, str]
) -> None:
    (tmp_path / "texts.txt").write_text("One text\n")
    changes = [{}, {"task": "text-classification"}, {"calibration": str(tmp_path / "texts.txt")}, {"precision": "fp32"}]
    results = [run("compiled_model", tmp_path, path=str(model), **{**compiling, **change}) for change in changes]
    graphs = [(Path(result["path"]) / "model.onnx").read_text() for result in results]
    assert graphs == [
        f"--task fill-mask{ORIGIN}",
        f"--task text-classification{ORIGIN}",
        f"--task fill-mask --calibration {tmp_path / 'texts.txt'}{ORIGIN}",
        f"--task fill-mask --precision fp32{ORIGIN}",
    ]


def test_a_directory_with_a_graph_is_left_as_it_is(tmp_path: Path, model: Path, compiling: dict[str, str]) -> None:
    (model / "model.onnx").write_text("graph")
    result = run("compiled_model", tmp_path, path=str(model), **compiling)
    assert (result["changed"], result["path"], runs_of(tmp_path)) == (False, str(model), 0)


def test_a_check_compiles_nothing(tmp_path: Path, model: Path, compiling: dict[str, str]) -> None:
    result = run("compiled_model", tmp_path, check=True, path=str(model), **compiling)
    assert (result["changed"], result["path"], runs_of(tmp_path)) == (True, "", 0)
    assert not (tmp_path / "compiled").exists()


def test_the_compilers_sentence_is_what_a_person_is_told(
    tmp_path: Path, model: Path, compiling: dict[str, str]
) -> None:
    (model / "broken").touch()
    result = run("compiled_model", tmp_path, path=str(model), **compiling)
    assert result["failed"]
    assert result["msg"].endswith("The architecture Tiny cannot be compiled.")
    assert [path for path in (tmp_path / "compiled").iterdir() if path.is_dir()] == []


def test_a_package_is_a_copy_that_an_edit_of_the_original_does_not_change(tmp_path: Path, model: Path) -> None:
    options = {"path": str(model), "runtime": "toolkit", "packages": str(tmp_path / "packages")}
    first = run("model_package", tmp_path, **options)
    package = Path(first["path"])
    assert package.name == first["digest"]
    assert {path.name for path in package.iterdir()} == {"config.json", "model.safetensors", "source.json"}
    assert first["source"] == {"model_id": "organisation/tiny", "commit": "c0ffee"}
    assert first["bytes"] == sum(path.stat().st_size for path in package.iterdir())
    assert run("model_package", tmp_path, **options)["changed"] is False
    (model / "model.safetensors").write_text("edited!")
    second = run("model_package", tmp_path, **options)
    assert second["digest"] != first["digest"]
    assert (package / "model.safetensors").read_text() == "weights"


def test_a_check_tells_the_digest_and_copies_nothing(tmp_path: Path, model: Path) -> None:
    options = {"path": str(model), "runtime": "toolkit", "packages": str(tmp_path / "packages")}
    checked = run("model_package", tmp_path, check=True, **options)
    assert not (tmp_path / "packages").exists()
    assert checked["changed"] is True
    assert run("model_package", tmp_path, **options)["digest"] == checked["digest"]


def test_old_packages_are_forgotten_and_the_latest_are_kept(tmp_path: Path, model: Path) -> None:
    options = {"path": str(model), "runtime": "toolkit", "packages": str(tmp_path / "packages"), "keep": 2}
    digests = []
    for number in range(4):
        (model / "model.safetensors").write_text(str(number))
        digests.append(run("model_package", tmp_path, **options)["digest"])
    there = {path.name for path in (tmp_path / "packages").iterdir() if path.is_dir()}
    assert there == set(digests[-2:])


def test_a_model_that_the_runtime_cannot_serve_is_named(tmp_path: Path, model: Path) -> None:
    result = run("model_package", tmp_path, path=str(model), runtime="compiled", packages=str(tmp_path / "packages"))
    assert result["failed"]
    assert result["msg"].startswith(f"{model} cannot be served: there is no graph")


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The options of hub_model for a public model on a hub of this test's own."""
    hub = FakeHub({"config.json": b"{}", "model.safetensors": b"weights", "README.md": b"# tiny"})
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield {
        "model_id": "organisation/tiny",
        "runtime": "compiled",
        "cache": str(tmp_path / "hub"),
        "python": sys.executable,
        "program": str(ROOT / "files" / "packaging" / "hub_fetch.py"),
        "region": "us-east-1",
    }
    hub.close()


def test_a_branch_is_fetched_at_its_commit_and_says_where_it_comes_from(
    tmp_path: Path, fetching: dict[str, str]
) -> None:
    result = run("hub_model", tmp_path, **fetching)
    assert (result["changed"], result["commit"]) == (True, COMMIT)
    fetched = Path(result["path"])
    assert fetched == tmp_path / "hub" / "organisation--tiny" / COMMIT
    assert {path.name for path in fetched.iterdir() if path.is_file() and not path.name.startswith(".")} == {
        "config.json", "model.safetensors", "source.json",
    }  # fmt: skip
    assert json.loads((fetched / "source.json").read_text()) == {"model_id": "organisation/tiny", "commit": COMMIT}
    again = run("hub_model", tmp_path, **fetching)
    assert (again["changed"], again["path"]) == (False, result["path"])


def test_a_check_of_a_branch_knows_what_it_stands_for_and_fetches_nothing(
    tmp_path: Path, fetching: dict[str, str]
) -> None:
    checked = run("hub_model", tmp_path, check=True, **fetching)
    assert (checked["changed"], checked["commit"], checked["path"]) == (True, COMMIT, "")
    assert not (tmp_path / "hub").exists()
    fetched = run("hub_model", tmp_path, **fetching)
    checked = run("hub_model", tmp_path, check=True, **fetching)
    assert (checked["changed"], checked["path"]) == (False, fetched["path"])


def test_other_wishes_fetch_what_they_need_and_leave_nothing_behind(tmp_path: Path, fetching: dict[str, str]) -> None:
    trusting = {**fetching, "runtime": "toolkit", "trust_remote_code": COMMIT}
    assert run("hub_model", tmp_path, **trusting)["changed"] is True
    assert run("hub_model", tmp_path, **fetching)["changed"] is True
    assert run("hub_model", tmp_path, **{**trusting, "trust_remote_code": "d" * 40})["failed"]


def test_a_container_that_is_to_fetch_a_model_without_a_graph_is_refused_here(
    tmp_path: Path, fetching: dict[str, str]
) -> None:
    refused = run("hub_model", tmp_path, **fetching, fetch=False)
    assert "a container compiles nothing" in refused["msg"]
    taken = run("hub_model", tmp_path, **{**fetching, "runtime": "toolkit"}, fetch=False)
    assert (taken["changed"], taken["commit"], taken["path"]) == (False, COMMIT, "")


@pytest.mark.parametrize(
    ("secret", "token"),
    [
        ("hf_abc", "hf_abc"),
        ("hf_abc\n", "hf_abc"),
        ('{"token": "hf_abc"}', "hf_abc"),
        ('{"a": "hf_abc", "b": "x"}', None),
        ('{"a": 1}', None),
        ("{", None),
        ("two words", None),
        ("", None),
    ],
)
def test_a_secret_is_the_token_or_an_object_with_it(secret: str, token: str | None) -> None:
    assert plain_token(secret) == token
