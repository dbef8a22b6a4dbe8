# SPDX-License-Identifier: GPL-3.0-or-later
"""A model directory is packed as SageMaker unpacks it, and is named by its content."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.archive import (
    ModelDirectoryError,
    content_digest,
    model_files,
    pack,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "onnx").mkdir(parents=True)
    (root / "config.json").write_text("{}")
    (root / "onnx" / "model.onnx").write_bytes(b"graph")
    (root / ".cache").mkdir()
    (root / ".cache" / "left-over").write_text("")
    return root


def test_the_archive_unpacks_to_the_model_without_a_folder_around_it(model: Path, tmp_path: Path) -> None:
    pack(model, model_files(model), tmp_path / "out" / "model.tar.gz")
    with tarfile.open(tmp_path / "out" / "model.tar.gz") as archive:
        assert archive.getnames() == ["config.json", "onnx/model.onnx"]


def test_the_same_model_is_packed_to_the_same_bytes(model: Path, tmp_path: Path) -> None:
    pack(model, model_files(model), tmp_path / "first.tar.gz")
    os.utime(model / "config.json", (1, 1))
    pack(model, model_files(model), tmp_path / "second.tar.gz")
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


def test_another_content_has_another_digest(model: Path) -> None:
    before = content_digest(model, model_files(model))
    (model / "config.json").write_text('{"a": 1}')
    assert content_digest(model, model_files(model)) != before


def test_a_directory_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelDirectoryError, match=r"config\.json"):
        model_files(tmp_path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelDirectoryError, match="does not exist"):
        model_files(tmp_path / "nowhere")
