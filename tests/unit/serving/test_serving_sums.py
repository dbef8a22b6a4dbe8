# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that is not the one that was packaged is not served."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from serving.errors import ModelLoadError
from serving.sums import verify_sums
from serving_fake_hub import files_of
from serving_process import ServerProcess


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "onnx" / "model.onnx").write_text("graph")
    return with_sums(tmp_path)


def with_sums(directory: Path) -> Path:
    """Write SHA256SUMS over what is in the directory, as sha256sum does."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files_of(directory).items()]
    (directory / "SHA256SUMS").write_text("".join(lines))
    return directory


def test_a_directory_that_is_as_it_was_packaged_is_taken(directory: Path) -> None:
    assert verify_sums(directory)


def test_a_directory_without_sums_is_taken_as_it_is(tmp_path: Path) -> None:
    assert not verify_sums(tmp_path)


def test_a_changed_file_is_named(directory: Path) -> None:
    (directory / "onnx" / "model.onnx").write_text("another")
    with pytest.raises(ModelLoadError, match=r"onnx/model\.onnx has another SHA-256 than SHA256SUMS says"):
        verify_sums(directory)


def test_a_missing_file_is_named(directory: Path) -> None:
    (directory / "config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"config\.json is missing"):
        verify_sums(directory)


@pytest.mark.parametrize("sums", ["no sum\n", "\xff", "0123  config.json\n"])
def test_sums_that_cannot_be_read_are_refused(directory: Path, sums: str) -> None:
    (directory / "SHA256SUMS").write_bytes(sums.encode("latin-1"))
    with pytest.raises(ModelLoadError, match="SHA256SUMS"):
        verify_sums(directory)


def test_the_server_ends_with_a_sentence_where_a_file_was_changed(
    tiny_model: Path, start: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name, content in files_of(tiny_model / "model").items():
        (model / name).write_bytes(content)
    with_sums(model)
    assert start(tmp_path).ready().wait_for("model_verified")
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    server = start(tmp_path)
    assert server.exit_status() == 1
    assert "is not the one that was packaged: config.json" in server.log[-1]["message"]
