# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a model directory is served, and what names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import (
    ModelDirectoryError,
    content_digest,
    files_for,
    graph_of,
    model_files,
    sums_of,
)

EVERYTHING = [
    "1_Pooling/config.json",
    "SHA256SUMS",
    "code/helper.bin",
    "code/inference.py",
    "compilation.json",
    "config.json",
    "model.onnx",
    "model.onnx_data",
    "model.safetensors",
    "onnx/model_quantized.onnx",
    "pytorch_model.bin",
    "source.json",
    "tokenizer.json",
]


def chosen(runtime: str, names: list[str], **options: bool) -> set[str]:
    return {path.as_posix() for path in files_for(runtime, [Path(name) for name in names], **options)}


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_the_compiled_runtime_gets_the_graph_with_what_belongs_to_it_and_no_weights() -> None:
    left_out = {"SHA256SUMS", "code/helper.bin", "model.safetensors", "onnx/model_quantized.onnx", "pytorch_model.bin"}
    assert chosen("compiled", EVERYTHING) == set(EVERYTHING) - left_out


def test_the_toolkit_gets_weights_and_the_users_code_and_no_graph() -> None:
    left_out = {
        "SHA256SUMS", "compilation.json", "model.onnx", "model.onnx_data", "onnx/model_quantized.onnx",
        "pytorch_model.bin",
    }  # fmt: skip
    assert chosen("toolkit", EVERYTHING) == set(EVERYTHING) - left_out


def test_the_graph_beside_the_weights_comes_before_one_in_a_folder() -> None:
    assert graph_of([Path("onnx/model.onnx"), Path("model.onnx")]) == Path("model.onnx")
    assert graph_of([Path("onnx/other.onnx")]) is None


def test_a_directory_without_a_graph_is_nothing_for_the_compiled_runtime() -> None:
    with pytest.raises(ModelDirectoryError, match="no graph"):
        chosen("compiled", ["config.json", "model.safetensors"])


def test_pickled_weights_alone_are_refused_unless_they_are_allowed() -> None:
    names = ["config.json", "pytorch_model.bin"]
    with pytest.raises(ModelDirectoryError, match="model_serving_allow_pickled_weights"):
        chosen("toolkit", names)
    assert chosen("toolkit", names, allow_pickled_weights=True) == set(names)


def test_hidden_files_are_no_part_of_a_model(tmp_path: Path) -> None:
    make(tmp_path, "config.json", ".cache/left-over", ".gitattributes", "onnx/.part")
    assert model_files(tmp_path) == [Path("config.json")]


def test_the_digest_is_of_names_and_contents_and_not_of_times(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", "config.json", "b"), make(tmp_path / "b", "config.json", "b")

    def digest(root: Path) -> str:
        return content_digest(sums_of(root, model_files(root)))

    assert digest(first) == digest(second)
    (second / "b").write_text("another")
    assert digest(first) != digest(second)
    (second / "b").write_text("b")
    (second / "b").rename(second / "c")
    assert digest(first) != digest(second)


def test_a_directory_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelDirectoryError, match=r"config\.json"):
        model_files(tmp_path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelDirectoryError, match="does not exist"):
        model_files(tmp_path / "nowhere")
