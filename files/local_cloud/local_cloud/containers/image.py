# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls images from the local ECR: looks them up, checks their digests, unpacks process images."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    found = await ministack.image_manifest(reference.owner, reference.repository, reference.reference)
    if found is None:
        return None
    raw, media_type = found
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    if reference.digest and digest != reference.digest:
        raise ImageError(f"The manifest stored under {reference.digest} has the digest {digest}.")
    manifest = json.loads(raw)
    config: dict[str, Any] = {}
    if "config" in manifest:
        blob = await ministack.blob(reference.owner, reference.repository, manifest["config"]["digest"])
        if blob is not None:
            config = json.loads(blob).get("config") or {}
    return Image(
        reference,
        digest,
        manifest.get("mediaType") or media_type,
        manifest,
        labels=config.get("Labels") or {},
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        environment=dict(entry.split("=", 1) for entry in config.get("Env") or ()),
    )


async def unpack_process_image(ministack: Ministack, image: Image, images_dir: Path) -> Path:
    """The directory with the image's build context, unpacked once per digest below `images_dir`."""
    target = images_dir / image.digest.removeprefix("sha256:")
    if target.is_dir():
        return target
    layers = []
    for layer in image.manifest["layers"]:
        blob = await ministack.blob(image.reference.owner, image.reference.repository, layer["digest"])
        if blob is None:
            raise ImageError(f"Layer {layer['digest']} of {image.reference.at_digest(image.digest)} is missing.")
        layers.append(blob)
    staging = Path(tempfile.mkdtemp(dir=images_dir, prefix=".unpacking-"))
    try:
        for blob in layers:
            await asyncio.to_thread(unpack_tar, io.BytesIO(blob), staging)
        if not target.is_dir():
            staging.rename(target)
    except ArchiveError as error:
        raise ImageError(str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target
