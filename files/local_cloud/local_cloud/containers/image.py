# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls images from the local ECR: looks them up, checks their digests, unpacks process images."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..ecr.image_store import Repository
from ..ministack_backend import Ministack
from .archive import ArchiveError, unpack_tar
from .image_reference import ImageReference

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

LABEL_KIND = "modelhost.sagemaker.kind"
LABEL_VENV = "modelhost.sagemaker.venv"


class ImageError(Exception):
    """An image that cannot be run, with a sentence that says why."""


@dataclass(frozen=True)
class Image:
    """An image's manifest and configuration.

    digest: "sha256:<64 hex>" of the manifest's bytes.
    labels, command, environment: config.config's Labels, Entrypoint + Cmd, and Env.
    """

    reference: ImageReference
    digest: str
    media_type: str
    manifest: dict[str, Any]
    labels: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_process_image(self) -> bool:
        """Whether the image is a packed build context, to be run as a process instead of a container."""
        return self.labels.get(LABEL_KIND) == "process"

    @property
    def supported_by_sagemaker(self) -> bool:
        """SageMaker takes Docker's manifests only: no index, no OCI manifest. Process images never go there."""
        return self.media_type == DOCKER_MANIFEST or (self.media_type == OCI_MANIFEST and self.is_process_image)


async def find_image(ministack: Ministack, reference: ImageReference) -> Image | None:
    """The image in the local ECR, or None. Raises ImageError where what is there cannot be right."""
    repository = Repository(reference.owner, reference.repository)
    tag = None if reference.digest else reference.reference
    found = ministack.images.image(repository, digest=reference.digest, tag=tag)
    if found is None:
        return None
    digest = "sha256:" + hashlib.sha256(found.manifest).hexdigest()
    if digest != found.digest:
        raise ImageError(f"The manifest stored under {found.digest} has the digest {digest}.")
    manifest = json.loads(found.manifest)
    config: dict[str, Any] = {}
    if "config" in manifest:
        path = ministack.images.blob_path(manifest["config"]["digest"])
        if path.is_file():
            config = json.loads(await asyncio.to_thread(path.read_bytes)).get("config") or {}
    return Image(
        reference,
        digest,
        manifest.get("mediaType") or found.media_type,
        manifest,
        labels=config.get("Labels") or {},
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        environment=dict(entry.split("=", 1) for entry in config.get("Env") or ()),
    )


async def unpack_process_image(ministack: Ministack, image: Image, images_dir: Path) -> Path:
    """The directory with the image's build context, unpacked once per digest below `images_dir`."""
    target = images_dir / image.digest.removeprefix("sha256:")
    layers = [(layer["digest"], ministack.images.blob_path(layer["digest"])) for layer in image.manifest["layers"]]
    try:
        await asyncio.to_thread(_unpack, layers, target)
    except FileNotFoundError as error:
        name = image.reference.at_digest(image.digest)
        raise ImageError(f"A layer of {name} is missing: sha256:{Path(error.filename).name}.") from error
    except ArchiveError as error:
        raise ImageError(str(error)) from error
    return target


def _unpack(layers: list[tuple[str, Path]], target: Path) -> None:
    if target.is_dir():
        return
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpacking-"))
    try:
        for digest, path in layers:
            with path.open("rb") as layer:
                if "sha256:" + hashlib.file_digest(layer, "sha256").hexdigest() != digest:
                    raise ArchiveError(f"The layer stored as {digest} has another digest.")
                layer.seek(0)
                unpack_tar(layer, staging)
        with contextlib.suppress(OSError):  # another container of the image was quicker
            staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
