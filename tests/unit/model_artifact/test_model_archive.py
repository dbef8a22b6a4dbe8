# SPDX-License-Identifier: GPL-3.0-or-later
"""A model directory is packed as SageMaker unpacks it, to the same bytes each time."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.archive import pack
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import model_files, sums_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "onnx").mkdir(parents=True)
    (root / "config.json").write_text("{}")
    (root / "onnx" / "model.onnx").write_bytes(b"graph")
    return root


def packed(root: Path, destination: Path) -> Path:
    pack(root, sums_of(root, model_files(root)), destination)
    return destination


def test_the_archive_unpacks_to_the_model_without_a_folder_around_it(model: Path, tmp_path: Path) -> None:
    with tarfile.open(packed(model, tmp_path / "out" / "model.tar.gz")) as archive:
        assert archive.getnames() == ["config.json", "onnx/model.onnx", "SHA256SUMS"]


def test_the_archive_brings_sums_that_coreutils_confirms(model: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    with tarfile.open(packed(model, tmp_path / "model.tar.gz")) as archive:
        archive.extractall(unpacked, filter="data")
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=unpacked, check=True)


def test_the_same_model_is_packed_to_the_same_bytes(model: Path, tmp_path: Path) -> None:
    first = packed(model, tmp_path / "first.tar.gz").read_bytes()
    os.utime(model / "config.json", (1, 1))
    os.chmod(model / "config.json", 0o600)
    assert packed(model, tmp_path / "second.tar.gz").read_bytes() == first


def test_weights_are_stored_since_they_hardly_shrink(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").write_bytes(bytes(1_000_000))
    archive = packed(model, tmp_path / "model.tar.gz")
    assert archive.stat().st_size > 1_000_000
    assert len(gzip.decompress(archive.read_bytes())) > 1_000_000


def test_packing_a_large_model_takes_little_memory(model: Path, tmp_path: Path) -> None:
    size = 64 << 20
    with (model / "model.safetensors").open("wb") as weights:
        weights.truncate(size)
    sums = sums_of(model, model_files(model))
    counted: list[int] = []
    tracemalloc.start()
    pack(model, sums, tmp_path / "model.tar.gz", counted.append)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(counted) == size + len("{}") + len(b"graph")
    assert peak < size / 8
