# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads image manifests and indexes. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ..aws.errors import AwsError

INDEXES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)

# A layer may have 52,000 MiB on AWS (Amazon ECR service quotas).
_MOST_BYTES = 52_000 * 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index.

    digest: of its bytes, which is the image's. blobs: the digests of its config and layers. children: of the images an
    index lists. layers_size: bytes of its layers, as their descriptors say.
    """

    raw: bytes
    digest: str
    media_type: str
    artifact_type: str | None
    blobs: tuple[str, ...]
    children: tuple[str, ...]
    layers_size: int


def read_manifest(raw: bytes, media_type: str | None) -> Manifest:
    """Read a manifest.

    media_type: what the caller says it is, where it does not say so itself. Raises InvalidParameterException.
    """
    try:
        content = json.loads(raw.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _invalid("The image manifest is not valid JSON.")
    kind = media_type or content.get("mediaType")
    if not isinstance(kind, str) or not kind:
        raise _invalid("The manifest has no mediaType, so imageManifestMediaType has to name it.")
    try:
        config: dict[str, Any] = content.get("config") or {}
        layers: list[dict[str, Any]] = content.get("layers") or []
        children: list[dict[str, Any]] = content.get("manifests") or []
        return Manifest(
            raw=raw,
            digest="sha256:" + hashlib.sha256(raw).hexdigest(),
            media_type=kind,
            artifact_type=content.get("artifactType") or config.get("mediaType"),
            blobs=tuple(str(blob["digest"]) for blob in [config, *layers] if blob),
            children=tuple(str(child["digest"]) for child in children) if kind in INDEXES else (),
            layers_size=sum(_size(layer) for layer in layers),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _invalid("The image manifest does not name its config and layers by digest and size.") from None


def _size(layer: dict[str, Any]) -> int:
    size = layer["size"]
    if not isinstance(size, int) or not 0 <= size <= _MOST_BYTES:
        raise ValueError(size)
    return size


def _invalid(reason: str) -> AwsError:
    return AwsError(
        "InvalidParameterException", f"Invalid parameter at 'imageManifest' failed to satisfy constraint: '{reason}'"
    )
