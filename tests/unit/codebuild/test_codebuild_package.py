# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip of a build context."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.package import (
    InvalidContext,
    context_bytes,
    pack,
)


def context(root: Path) -> Path:
    (root / "serving").mkdir(parents=True)
    (root / "Dockerfile.serve").write_text("FROM scratch\n")
    (root / "serving" / "server.py").write_text("print()\n")
    (root / "serve").write_text("#!/bin/sh\n")
    (root / "serve").chmod(0o755)
    return root


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_files_give_the_same_bytes_whenever_and_wherever_they_were_written(tmp_path: Path) -> None:
    first, second = context(tmp_path / "one"), context(tmp_path / "two" / "deeper")
    for path in second.rglob("*"):
        os.utime(path, (1, 1))
    (second / "serving" / "server.py").chmod(0o600)
    pack(first, tmp_path / "first.zip")
    pack(second, tmp_path / "second.zip")
    assert digest(tmp_path / "first.zip") == digest(tmp_path / "second.zip")


def test_a_changed_byte_or_a_changed_executable_bit_gives_other_bytes(tmp_path: Path) -> None:
    root = context(tmp_path / "context")
    digests = set()
    for number, change in enumerate(
        (lambda: None, lambda: (root / "serve").chmod(0o644), lambda: (root / "new").touch())
    ):
        change()
        pack(root, tmp_path / f"{number}.zip")
        digests.add(digest(tmp_path / f"{number}.zip"))
    assert len(digests) == 3


def test_unpacked_it_is_the_context_with_its_executables(tmp_path: Path) -> None:
    root, counted = context(tmp_path / "context"), []
    pack(root, tmp_path / "packed" / "context.zip", counted.append)
    with zipfile.ZipFile(tmp_path / "packed" / "context.zip") as archive:
        assert archive.namelist() == ["Dockerfile.serve", "serve", "serving/server.py"]
        assert archive.read("serve") == b"#!/bin/sh\n"
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes == {"Dockerfile.serve": 0o644, "serve": 0o755, "serving/server.py": 0o644}
    assert sum(counted) == context_bytes(root)
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["context.zip"]


def test_a_context_without_files_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidContext, match="holds no files"):
        pack(tmp_path, tmp_path / "out.zip")
    with pytest.raises(InvalidContext, match="is not a directory"):
        context_bytes(tmp_path / "missing")
