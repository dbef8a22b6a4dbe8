# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.containers.archive import ArchiveError, unpack_tar
from local_cloud.containers.image_reference import ImageReference, parse_image_reference
from local_cloud.containers.model_artifact import copy_model, parse_artifact_url

CALLER = Caller("000000000000", "us-east-1")
DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (
            f"111111111111.dkr.ecr.eu-west-1.amazonaws.com/demo/serving@{DIGEST}",
            ImageReference(Caller("111111111111", "eu-west-1"), "demo/serving", None, DIGEST),
        ),
        ("127.0.0.1:4566/demo:v1", ImageReference(CALLER, "demo", "v1", None)),
        (f"localhost:4566/demo:v1@{DIGEST}", ImageReference(CALLER, "demo", "v1", DIGEST)),
        ("127.0.0.1:5000/demo:v1", None),
        ("python:3.11-slim", None),
        ("docker.io/library/python", None),
        ("127.0.0.1:4566/demo@sha256:short", None),
    ],
)
def test_an_image_is_in_this_clouds_ecr_or_it_is_nobodys(image: str, expected: ImageReference | None) -> None:
    assert parse_image_reference(image, CALLER, 4566) == expected


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://bucket/a/model.tar.gz", ("bucket", "a/model.tar.gz")),
        ("https://s3.eu-west-1.amazonaws.com/bucket/a", ("bucket", "a")),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a/b", ("bucket", "a/b")),
        ("s3://bucket", None),
        ("https://example.com/bucket/a", None),
    ],
)
def test_an_artifact_is_named_by_an_s3_url(url: str, place: tuple[str, str] | None) -> None:
    assert parse_artifact_url(url) == place


def archive(fill: Callable[[tarfile.TarFile], None], mode: str = "w:gz") -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        fill(tar)
    buffer.seek(0)
    return buffer


def file_named(name: str) -> Callable[[tarfile.TarFile], None]:
    def fill(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = 4
        tar.addfile(info, io.BytesIO(b"data"))

    return fill


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> Callable[[tarfile.TarFile], None]:
    def fill(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, to
        tar.addfile(info)

    return fill


def both(*fills: Callable[[tarfile.TarFile], None]) -> Callable[[tarfile.TarFile], None]:
    def fill(tar: tarfile.TarFile) -> None:
        for part in fills:
            part(tar)

    return fill


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_is_unpacked_zipped_or_not(tmp_path: Path, mode: str) -> None:
    unpack_tar(archive(file_named("code/handler.py"), mode), tmp_path / "model")
    assert (tmp_path / "model" / "code" / "handler.py").read_bytes() == b"data"


@pytest.mark.parametrize(
    "fill",
    [
        file_named("../escaped"),
        file_named("code/../../escaped"),
        link("out", ".."),
        link("out", "/etc"),
        link("out", "../escaped", tarfile.LNKTYPE),
        # Each link stays inside when it is read alone; together they lead out.
        both(link("a", "b/.."), link("b", "."), link("b", "a/.."), file_named("b/../escaped")),
        link("pipe", "", tarfile.FIFOTYPE),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, fill: Callable[[tarfile.TarFile], None]) -> None:
    target = tmp_path / "model"
    with pytest.raises(ArchiveError, match="The archive's"):
        unpack_tar(archive(fill), target)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_links_that_stay_inside_are_kept_and_never_written_through(tmp_path: Path) -> None:
    fill = both(
        file_named("blobs/1"), link("snapshot/model.bin", "../blobs/1"), link("copy", "blobs/1", tarfile.LNKTYPE)
    )
    unpack_tar(archive(fill), tmp_path)
    assert (tmp_path / "snapshot" / "model.bin").readlink() == Path("../blobs/1")
    assert (tmp_path / "copy").read_bytes() == b"data"
    unpack_tar(archive(file_named("snapshot/model.bin")), tmp_path)
    assert not (tmp_path / "snapshot" / "model.bin").is_symlink()


def test_a_file_keeps_whether_it_can_be_executed(tmp_path: Path) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        for name, mode in (("serve", 0o4777), ("model.onnx", 0o600)):
            info = tarfile.TarInfo(name)
            info.mode = mode
            tar.addfile(info, io.BytesIO())

    unpack_tar(archive(fill), tmp_path)
    assert [(tmp_path / name).stat().st_mode & 0o7777 for name in ("serve", "model.onnx")] == [0o755, 0o644]


def test_an_absolute_path_lands_inside(tmp_path: Path) -> None:
    unpack_tar(archive(file_named("/etc/passwd")), tmp_path)
    assert (tmp_path / "etc" / "passwd").read_bytes() == b"data"


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack_tar(io.BytesIO(content), tmp_path)


def test_containers_have_model_directories_of_their_own(tmp_path: Path) -> None:
    source = tmp_path / "shared"
    (source / "onnx").mkdir(parents=True)
    (source / "onnx" / "model.onnx").write_text("weights")
    for name in ("first", "second"):
        copy_model(source, tmp_path / name)
    (tmp_path / "first" / "onnx" / "model.onnx").unlink()
    assert (tmp_path / "second" / "onnx" / "model.onnx").read_text() == "weights"
