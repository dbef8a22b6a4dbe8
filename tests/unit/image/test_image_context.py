# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a build context follows its content and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import (
    EPOCH,
    ContextError,
    context_digest,
    context_tag,
    read_context,
    stage_context,
)

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "serving").mkdir()
    (tmp_path / "Dockerfile.serve").write_text("FROM scratch\n")
    (tmp_path / "serving" / "server.py").write_text("print('hello')\n")
    return tmp_path


def digest(root: Path, **inputs: str) -> str:
    return context_digest(read_context(root), inputs)


def test_file_times_do_not_count(context: Path) -> None:
    before = digest(context)
    os.utime(context / "Dockerfile.serve", (0, 0))
    assert digest(context) == before


def test_byte_code_does_not_count(context: Path) -> None:
    before = digest(context)
    (context / "serving" / "__pycache__").mkdir()
    (context / "serving" / "__pycache__" / "server.cpython-311.pyc").write_bytes(b"\0")
    assert digest(context) == before


def test_what_dockerignore_names_does_not_count(context: Path) -> None:
    (context / ".dockerignore").write_text("# notes\nREADME.md\n")
    before = digest(context)
    (context / "README.md").write_text("words")
    assert digest(context) == before


@pytest.mark.parametrize("change", ["content", "name", "new file", "executable", "input"])
def test_whatever_changes_the_image_changes_the_digest(context: Path, change: str) -> None:
    before, server = digest(context), context / "serving" / "server.py"
    inputs = {}
    if change == "content":
        server.write_text("print('bye')\n")
    elif change == "name":
        server.rename(server.with_name("main.py"))
    elif change == "new file":
        (context / "serving" / "more.py").write_text("")
    elif change == "executable":
        server.chmod(0o755)
    else:
        inputs = {"runtime": "toolkit"}
    assert digest(context, **inputs) != before


def test_a_link_out_of_the_context_is_refused(context: Path) -> None:
    (context / "passwd").symlink_to("/etc/hostname")
    with pytest.raises(ContextError, match="leads out of the build context"):
        read_context(context)


def test_a_missing_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="not a directory"):
        read_context(tmp_path / "nowhere")


def test_the_tag_is_one_that_ecr_takes(context: Path) -> None:
    assert len(context_tag(digest(context))) <= 128


def test_the_serving_image_ships_no_tests_and_no_notes() -> None:
    names = {file.path for file in read_context(REPOSITORY / "files" / "docker")}
    assert "serving/model_handler.py" in names
    assert not {name for name in names if name.endswith(".md")}


def test_the_dockerfile_counts_even_where_dockerignore_names_everything(context: Path) -> None:
    (context / ".dockerignore").write_text("*\n!serving\n")

    def digest_with_dockerfile() -> str:
        return context_digest(read_context(context, dockerfile="Dockerfile.serve"), {})

    before = digest_with_dockerfile()
    (context / "Dockerfile.serve").write_text("FROM scratch\nLABEL a=b\n")
    assert digest_with_dockerfile() != before


def test_a_dockerfile_that_is_not_there_is_named(context: Path) -> None:
    with pytest.raises(ContextError, match=r"holds no Dockerfile\.other"):
        read_context(context, dockerfile="Dockerfile.other")


def test_a_staged_context_is_the_same_from_every_checkout(context: Path, tmp_path: Path) -> None:
    target = tmp_path / "staged" / "copy"
    (context / "serving" / "server.py").chmod(0o600)
    stage_context(context, read_context(context), None, target)
    files = {path.relative_to(target).as_posix(): path.stat() for path in target.rglob("*") if path.is_file()}
    assert set(files) == {"Dockerfile.serve", "serving/server.py"}
    assert {int(status.st_mtime) for status in files.values()} == {EPOCH}
    assert {status.st_mode & 0o777 for status in files.values()} == {0o644}


def test_a_staged_context_holds_the_model_beside_the_program(
    context: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model, target = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("staged") / "copy"
    (model / "code").mkdir()
    (model / "code" / "inference.py").write_text("pass\n")
    stage_context(context, read_context(context), model, target)
    assert (target / "model" / "code" / "inference.py").read_text() == "pass\n"


def test_an_empty_model_directory_is_refused_and_leaves_nothing_behind(
    context: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model, parent = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("staged")
    with pytest.raises(ContextError, match="holds no file"):
        stage_context(context, read_context(context), model, parent / "copy")
    assert list(parent.iterdir()) == []


def test_the_epoch_is_the_one_of_the_dockerfile() -> None:
    assert f"ARG EPOCH={EPOCH}\n" in (REPOSITORY / "files" / "docker" / "Dockerfile.serve").read_text()
