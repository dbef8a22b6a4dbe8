# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip of a function: the same source gives the same bytes."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.package import (
    InvalidPackage,
    build_package,
    code_sha256,
)

FILES = {"demo.py": "import pkg\n", "pkg/__init__.py": "", "pkg/page.html": "<p>Füße</p>\n"}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def names(package: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_package_holds_the_files(tmp_path: Path) -> None:
    package = build_package(write(tmp_path, FILES))
    assert names(package) == sorted(FILES)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert archive.read("pkg/page.html").decode() == FILES["pkg/page.html"]


def test_times_modes_and_the_order_of_writing_do_not_matter(tmp_path: Path) -> None:
    first = write(tmp_path / "first", FILES)
    second = write(tmp_path / "second", dict(reversed(FILES.items())))
    os.utime(second / "demo.py", (1, 1))
    (second / "demo.py").chmod(0o600)
    assert build_package(first) == build_package(second)


def test_a_changed_file_or_name_gives_another_digest(tmp_path: Path) -> None:
    digests = {
        code_sha256(build_package(write(tmp_path / str(number), files)))
        for number, files in enumerate([FILES, {**FILES, "demo.py": "import pkg \n"}, {**FILES, "new.py": ""}])
    }
    assert len(digests) == 3


def test_what_python_and_editors_leave_behind_is_left_out(tmp_path: Path) -> None:
    before = build_package(write(tmp_path, FILES))
    write(tmp_path, {"__pycache__/demo.cpython-313.pyc": "x", "pkg/old.pyc": "x", ".git/config": "x", ".DS_Store": "x"})
    assert build_package(tmp_path) == before


def test_every_file_can_be_read_by_lambda(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(build_package(write(tmp_path, FILES)))) as archive:
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_the_digest_is_told_as_lambda_tells_it() -> None:
    assert code_sha256(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage, match="nowhere is not a directory"):
        build_package(tmp_path / "nowhere")


def test_a_directory_without_files_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"__pycache__/x.pyc": "x"})
    with pytest.raises(InvalidPackage, match="holds no files"):
        build_package(tmp_path)
