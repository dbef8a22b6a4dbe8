# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories, which are ministack's, and ECR's rules about putting images into them."""

from __future__ import annotations

import re
import time
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..ministack_backend import Ministack
from ..routing import ECR_TARGET
from .image_store import ImageStore, Repository, StoredImage
from .manifests import Manifest

# The OCI distribution specification's.
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


class Repositories:
    """Looks repositories up, and puts images into them. API and registry keep the same rules by sharing this."""

    def __init__(self, ministack: Ministack, store: ImageStore) -> None:
        self._ministack = ministack
        self._store = store

    async def require(self, owner: Caller, name: str) -> Repository:
        """The repository. Raises RepositoryNotFoundException."""
        await self.describe(owner, name)
        return Repository(owner, name)

    async def describe(self, owner: Caller, name: str) -> dict[str, Any]:
        """What DescribeRepositories says of it. Raises RepositoryNotFoundException."""
        try:
            answer = await self.call(owner, "DescribeRepositories", {"repositoryNames": [name]})
        except AwsError as error:
            if error.code != "RepositoryNotFoundException":
                raise
            raise AwsError(
                error.code,
                f"The repository with name '{name}' does not exist in the registry with id '{owner.account}'",
            ) from None
        found: dict[str, Any] = answer["repositories"][0]
        return found

    async def call(self, owner: Caller, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One of the operations that are ministack's."""
        return await self._ministack.json_call(owner, "ecr", ECR_TARGET + operation, parameters)

    async def put(self, repository: Repository, manifest: Manifest, tag: str | None) -> None:
        """Add an image, or another tag to one.

        Raises LayersNotFoundException, ReferencedImagesNotFoundException, and ImageTagAlreadyExistsException where the
        repository's tags are immutable, for an image that has the tag already too (aws/containers-roadmap #2380).
        """
        if tag is not None and not _TAG.fullmatch(tag):
            raise AwsError(
                "InvalidParameterException",
                f"Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression "
                f"'{_TAG.pattern}''",
            )
        described = await self.describe(repository.owner, repository.name)
        self._require_blobs(repository, manifest)
        size = manifest.layers_size or self._largest_child(repository, manifest)
        taken = tag is not None and self._store.image(repository, tag=tag) is not None
        if taken and described["imageTagMutability"] == "IMMUTABLE":
            # ECR's words: osscontainertools/kaniko #204.
            raise AwsError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten "
                "because the tag is immutable.",
            )
        image = StoredImage(
            manifest.digest, manifest.media_type, manifest.artifact_type, manifest.raw, size, time.time(), None
        )
        self._store.put_image(repository, image, (*manifest.blobs, *manifest.children), tag)

    def _require_blobs(self, repository: Repository, manifest: Manifest) -> None:
        missing = [digest for digest in manifest.blobs if self._store.layer_size(repository, digest) is None]
        if missing:
            raise AwsError(
                "LayersNotFoundException",
                f"Layers with digests '[{', '.join(missing)}]' required for pushing image into repository with name "
                f"'{repository.name}' in the registry with id '{repository.owner.account}' do not exist",
            )
        absent = [child for child in manifest.children if self._store.image(repository, digest=child) is None]
        if absent:
            raise AwsError(
                "ReferencedImagesNotFoundException",
                f"Images with digests '[{', '.join(absent)}]' required for pushing image into repository with name "
                f"'{repository.name}' in the registry with id '{repository.owner.account}' do not exist",
            )

    def _largest_child(self, repository: Repository, manifest: Manifest) -> int:
        """An index is as big as the biggest image it lists (API reference, ImageDetail)."""
        children = [self._store.image(repository, digest=child) for child in manifest.children]
        return max((child.size for child in children if child is not None), default=0)
