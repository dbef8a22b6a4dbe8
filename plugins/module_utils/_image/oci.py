# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI images and artifacts that this project makes by itself, without a Docker engine.

A process image stands for a build on a local stage: it holds the build context as a layer, the model as another where
it is baked in, and names the virtual environment that stands for the packages a real build would install. The same
content gives the same bytes on every machine, so its digest is known before it is pushed.
Source of the format: OCI image specification 1.1, manifest.md, config.md and layer.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import (
    MODEL_DIRECTORY,
    ContextFile,
    model_files,
)

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
# Not compressed: two zlib versions write different bytes for the same files.
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Blob:
    """Bytes with their digest, in memory or, where a model makes them large, in a file."""

    digest: str
    size: int
    content: bytes | Path

    def open(self) -> BinaryIO:
        """The bytes, from their beginning."""
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)


@dataclass(frozen=True)
class Image:
    """A manifest and the blobs it names, ready to be pushed."""

    blobs: tuple[Blob, ...]
    manifest: bytes

    @property
    def digest(self) -> str:
        """``sha256:<64 hex>`` of the manifest, which is what ECR and SageMaker call the image's digest."""
        return digest_of(self.manifest)


def digest_of(content: bytes) -> str:
    """``sha256:<64 hex>`` of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(content: bytes) -> Blob:
    """A blob in memory."""
    return Blob(digest_of(content), len(content), content)


def context_layer(root: Path, files: Iterable[ContextFile]) -> Blob:
    """The files of a context as a layer."""
    buffer = io.BytesIO()
    _write_layer(buffer, ((file.path, root / file.path, file.executable) for file in files))
    return blob(buffer.getvalue())


def model_layer(model: Path, target: Path) -> Blob:
    """The files of a model, below ``model/``, as a layer that is written to ``target``."""
    with target.open("wb") as output:
        files = model_files(model)
        _write_layer(output, ((f"{MODEL_DIRECTORY}/{file.relative_to(model)}", file, False) for file in files))
    with target.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return Blob(f"sha256:{digest}", target.stat().st_size, target)


def process_image(layers: tuple[Blob, ...], labels: Mapping[str, str], environment: Mapping[str, str]) -> Image:
    """An image of these layers, with the given labels and environment variables."""
    config = blob(
        document(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Cmd": ["python", "-m", "serving", "serve"],
                    "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
                    "Labels": dict(labels),
                },
                "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            }
        )
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config),
        "layers": [descriptor(LAYER_TYPE, layer) for layer in layers],
    }
    return Image((*layers, config), document(manifest))


def descriptor(media_type: str, content: Blob) -> dict[str, Any]:
    """How a manifest speaks of a blob."""
    return {"mediaType": media_type, "digest": content.digest, "size": content.size}


def document(content: object) -> bytes:
    """JSON that is the same bytes for the same content."""
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def _write_layer(output: Any, files: Iterable[tuple[str, Path, bool]]) -> None:
    # POSIX.1-2001 ("pax"): a model may have a file beyond ustar's 8 GiB, or a long name.
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path, executable in files:
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o755 if executable else 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
