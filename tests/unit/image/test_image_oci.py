# SPDX-License-Identifier: GPL-3.0-or-later
"""A process image is a real OCI image whose bytes depend on the context alone."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import read_context
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.oci import (
    Image,
    context_layer,
    model_layer,
    process_image,
)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "serve").write_text("#!/bin/sh\n")
    (tmp_path / "serve").chmod(0o755)
    (tmp_path / "server.py").write_text("pass\n")
    return tmp_path


def pack(root: Path) -> Image:
    return process_image((context_layer(root, read_context(root)),), {"kind": "process"}, {"A": "b"})


def test_the_same_files_give_the_same_digest_at_another_time(context: Path) -> None:
    before = pack(context).digest
    os.utime(context / "server.py", (1, 1))
    assert pack(context).digest == before


def test_the_digest_is_that_of_the_manifest(context: Path) -> None:
    image = pack(context)
    assert image.digest == "sha256:" + hashlib.sha256(image.manifest).hexdigest()


def test_the_manifest_names_config_and_layers_by_digest_and_size(context: Path) -> None:
    image = pack(context)
    manifest = json.loads(image.manifest)
    blobs = {blob.digest: blob for blob in image.blobs}
    for entry in (manifest["config"], *manifest["layers"]):
        content = blobs[entry["digest"]].open().read()
        assert entry["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
        assert entry["size"] == len(content)


def test_the_layer_holds_the_context_with_its_executables(context: Path) -> None:
    with tarfile.open(fileobj=context_layer(context, read_context(context)).open()) as archive:
        modes = {entry.name: entry.mode for entry in archive}
    assert modes == {"serve": 0o755, "server.py": 0o644}


def test_labels_and_environment_are_in_the_config(context: Path) -> None:
    config = json.loads(pack(context).blobs[-1].open().read())["config"]
    assert config["Labels"] == {"kind": "process"}
    assert config["Env"] == ["A=b"]


def test_a_model_is_a_layer_of_its_own_that_depends_on_its_content_alone(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "1_Pooling").mkdir(parents=True)
    (model / "1_Pooling" / "config.json").write_text("{}")
    layer = model_layer(model, tmp_path / "one.tar")
    os.utime(model / "1_Pooling" / "config.json", (1, 1))
    assert model_layer(model, tmp_path / "two.tar").digest == layer.digest
    with tarfile.open(fileobj=layer.open()) as archive:
        assert archive.getnames() == ["model/1_Pooling/config.json"]
    (model / "1_Pooling" / "config.json").write_text("[]")
    assert model_layer(model, tmp_path / "three.tar").digest != layer.digest
