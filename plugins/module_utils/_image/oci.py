# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCI image made of a build context alone, for a local stage without a Docker engine.

It holds the context as its one layer and names the virtual environment that stands for the packages a real build
would install. The same context gives the same bytes on every machine, so its digest is known before it is pushed.
Source of the format: OCI image specification 1.1, manifest.md, config.md and layer.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import ContextFile

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
# Not compressed: two zlib versions write different bytes for the same files.
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class ProcessImage:
    """The three blobs of the image, ready to be pushed."""

    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """``sha256:<64 hex>`` of the manifest, which is what ECR and SageMaker call the image's digest."""
        return digest_of(self.manifest)


def digest_of(blob: bytes) -> str:
    """``sha256:<64 hex>`` of a blob."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def process_image(root: Path, files: tuple[ContextFile, ...], labels: dict[str, str]) -> ProcessImage:
    """Packs the context's files into an image with the given labels."""
    layer = _layer(root, files)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["python", "-m", "serving", "serve"], "Labels": dict(sorted(labels.items()))},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": LAYER_TYPE, "digest": digest_of(layer), "size": len(layer)}],
        }
    )
    return ProcessImage(layer, config, manifest)


def _layer(root: Path, files: tuple[ContextFile, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            content = (root / file.path).read_bytes()
            entry = tarfile.TarInfo(file.path)
            entry.size = len(content)
            entry.mode = 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
