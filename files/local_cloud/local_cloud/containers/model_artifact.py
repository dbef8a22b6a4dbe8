# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a model artifact from S3 to the directory that a container finds as /opt/ml/model."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..ministack_backend import Ministack
from .archive import ArchiveError, unpack_tar

_S3_URL = re.compile(r"s3://([^/]+)/(.+)")
_HTTPS_URL = re.compile(r"https://(?:s3[.-][^/]*amazonaws\.com/([^/]+)|([^./]+)\.s3[.-][^/]*amazonaws\.com)/(.+)")


class ArtifactError(Exception):
    """An artifact that cannot be had, in AWS's words."""


def parse_artifact_url(url: str) -> tuple[str, str] | None:
    """The bucket and key of an S3 URL in either of the forms that SageMaker takes, or None."""
    if match := _S3_URL.fullmatch(url):
        return match[1], match[2]
    if match := _HTTPS_URL.fullmatch(url):
        return match[1] or match[2], match[3]
    return None


async def unpack_model_artifact(ministack: Ministack, caller: Caller, url: str, target: Path, container: str) -> None:
    """Download the tar.gz at `url` and unpack it into `target`, which is made. Raises ArtifactError."""
    place = parse_artifact_url(url)
    archive = target.with_name(target.name + ".tar.gz")
    target.mkdir(parents=True, exist_ok=True)
    try:
        if place is None:
            raise ArtifactError(f"{url} is not an S3 URL")
        await ministack.download_object(caller, *place, archive)
        await asyncio.to_thread(_unpack, archive, target)
    except AwsError as error:
        raise ArtifactError(
            f'Failed to download model data for container "{container}" from URL: "{url}". Please ensure that there is '
            "an object located at the URL and that the role passed to CreateModel has permissions to download the "
            "object."
        ) from error
    except ArchiveError as error:
        raise ArtifactError(
            f'Failed to extract model data archive for container "{container}" from URL "{url}". '
            f"Please ensure that the object located at the URL is a valid tar.gz archive. ({error})"
        ) from error
    finally:
        archive.unlink(missing_ok=True)


def copy_model(source: Path, target: Path) -> None:
    """Give a container its own model directory; the files share their bytes with `source` where the disk allows."""

    def link_or_copy(src: str, dst: str) -> None:
        try:
            Path(dst).hardlink_to(src)
        except OSError:
            shutil.copy2(src, dst)

    shutil.copytree(source, target, copy_function=link_or_copy, symlinks=True)


def _unpack(archive: Path, target: Path) -> None:
    with archive.open("rb") as file:
        unpack_tar(file, target)
