# SPDX-License-Identifier: GPL-3.0-or-later
"""A process image is a real OCI image whose bytes depend on the context alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import read_context
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.oci import ProcessImage, process_image


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "serve").write_text("#!/bin/sh\n")
    (tmp_path / "serve").chmod(0o755)
    (tmp_path / "server.py").write_text("pass\n")
    return tmp_path


def pack(root: Path) -> ProcessImage:
    return process_image(root, read_context(root), {"kind": "process"})


def test_the_same_files_give_the_same_digest_at_another_time(context: Path) -> None:
    before = pack(context).digest
    os.utime(context / "server.py", (1, 1))
    assert pack(context).digest == before


def test_the_digest_is_that_of_the_manifest(context: Path) -> None:
    image = pack(context)
    assert image.digest == "sha256:" + hashlib.sha256(image.manifest).hexdigest()


def test_the_manifest_names_config_and_layer_by_digest_and_size(context: Path) -> None:
    image = pack(context)
    manifest = json.loads(image.manifest)
    for entry, blob in ((manifest["config"], image.config), (manifest["layers"][0], image.layer)):
        assert entry["digest"] == "sha256:" + hashlib.sha256(blob).hexdigest()
        assert entry["size"] == len(blob)


def test_the_layer_holds_the_context_with_its_executables(context: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(context).layer)) as archive:
        modes = {entry.name: entry.mode for entry in archive}
    assert modes == {"serve": 0o755, "server.py": 0o644}


def test_the_labels_are_in_the_config(context: Path) -> None:
    assert json.loads(pack(context).config)["config"]["Labels"] == {"kind": "process"}
