# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images of a repository stay. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_SBOM_TAG = re.compile(r"sha256-[0-9a-f]{64}\.sbom")


@dataclass(frozen=True)
class EcrImage:
    """An image as ECR lists it. ``digest`` is ``sha256:<64 hex>``."""

    digest: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Retention:
    """What to do with a repository: (digest, tag) pairs to add, and digests of images and of SBOMs to delete."""

    protect: tuple[tuple[str, str], ...]
    delete: tuple[str, ...]
    delete_sboms: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """The plan for a person."""
        return [
            *(f"tag image {digest} as {tag}, so that no lifecycle rule expires it" for digest, tag in self.protect),
            *(f"delete SBOM {digest}: the image it belongs to is not kept" for digest in self.delete_sboms),
            *(f"delete image {digest}: no retained Model refers to it" for digest in self.delete),
        ]


def protecting_tag(digest: str) -> str:
    """A tag that never moves, since it is made of the digest. A lifecycle rule for untagged images passes it over."""
    return f"digest-{digest.removeprefix('sha256:')[:32]}"


def sbom_tag(digest: str) -> str:
    """The tag of an image's SBOM: its digest with a suffix, as cosign names what belongs to an image."""
    return f"{digest.replace(':', '-')}.sbom"


def plan_retention(images: Iterable[EcrImage], keep: Collection[str]) -> Retention:
    """Keeps the images whose digest is in ``keep``; the others go if this project made them, which their tag shows.

    An SBOM goes with its image, before it: ECR may refuse to delete an image that something refers to. An image without
    a tag is left to the lifecycle policy, one with only foreign tags to whoever set them.
    """
    images = list(images)
    protect: list[tuple[str, str]] = []
    unused: list[str] = []
    for image in images:
        if image.digest in keep:
            tag = protecting_tag(image.digest)
            if tag not in image.tags:
                protect.append((image.digest, tag))
        elif any(tag.startswith(("context-", "digest-")) for tag in image.tags):
            unused.append(image.digest)
    staying = {image.digest for image in images} - set(unused)
    sboms = {sbom_tag(digest) for digest in staying}
    stale = [
        image.digest
        for image in images
        if image.digest not in keep
        and image.digest not in unused
        and image.tags
        and all(_SBOM_TAG.fullmatch(tag) and tag not in sboms for tag in image.tags)
    ]
    return Retention(tuple(sorted(protect)), tuple(sorted(unused)), tuple(sorted(stale)))
