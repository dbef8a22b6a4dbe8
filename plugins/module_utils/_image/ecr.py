# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to ECR."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.oci import (
    MANIFEST_TYPE,
    Blob,
    Image,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.repository import Repository
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.retention import EcrImage
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import ByteCount, Progress
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Step, make


class RegistryError(Exception):
    """The registry refused; the message carries its words."""


def image_by_tag(client: Any, repository: str, tag: str) -> EcrImage | None:
    """The image that carries the tag; None where there is none, or no repository."""
    try:
        details = client.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except (client.exceptions.ImageNotFoundException, client.exceptions.RepositoryNotFoundException):
        return None
    return _image(details[0]) if details else None


def repository(client: Any, name: str) -> Repository | None:
    """The repository with its policy and tags (three reading calls); None where there is none."""
    try:
        details = client.describe_repositories(repositoryNames=[name])["repositories"][0]
    except client.exceptions.RepositoryNotFoundException:
        return None
    try:
        policy = json.loads(client.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    except client.exceptions.LifecyclePolicyNotFoundException:
        policy = None
    tags = client.list_tags_for_resource(resourceArn=details["repositoryArn"])["tags"]
    return Repository(
        name=name,
        scan_on_push=details.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        lifecycle_policy=policy,
        tags={tag["Key"]: tag["Value"] for tag in tags},
        arn=details["repositoryArn"],
    )


def images(client: Any, repository: str) -> list[EcrImage]:
    """Every image of the repository; none where there is no repository."""
    try:
        return list(_pages(client, repository))
    except client.exceptions.RepositoryNotFoundException:
        return []


def add_tag(client: Any, repository: str, digest: str, tag: str) -> None:
    """Gives an image one more tag, by putting its own manifest again (Amazon ECR user guide, "Retagging an image")."""
    manifest, media_type = manifest_of(client, repository, digest)
    with contextlib.suppress(client.exceptions.ImageAlreadyExistsException):
        client.put_image(
            repositoryName=repository,
            imageManifest=manifest.decode(),
            imageManifestMediaType=media_type,
            imageTag=tag,
        )


def delete(client: Any, repository: str, digests: list[str]) -> None:
    """Deletes images by digest, with all their tags. BatchDeleteImage takes at most 100 at a time."""
    for start in range(0, len(digests), 100):
        batch = [{"imageDigest": digest} for digest in digests[start : start + 100]]
        answer = client.batch_delete_image(repositoryName=repository, imageIds=batch)
        failures = [f for f in answer.get("failures", []) if f.get("failureCode") != "ImageNotFound"]
        if failures:
            raise RegistryError(f"{repository}: {failures[0].get('failureReason')} ({failures[0].get('imageId')})")


def manifest_of(client: Any, repository: str, digest: str) -> tuple[bytes, str]:
    """The manifest of an image as it was pushed, and its media type. Raises RegistryError where there is none."""
    found = client.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"]
    if not found:
        raise RegistryError(f"{repository} holds no image {digest}.")
    return found[0]["imageManifest"].encode(), found[0].get("imageManifestMediaType", MANIFEST_TYPE)


def push(client: Any, repository: str, image: Image, tags: list[str], progress: Progress) -> None:
    """Uploads the blobs the repository lacks and puts the manifest under each tag, all through ECR's own API."""
    answer = client.batch_check_layer_availability(
        repositoryName=repository, layerDigests=[blob.digest for blob in image.blobs]
    )
    there = {layer["layerDigest"] for layer in answer["layers"] if layer["layerAvailability"] == "AVAILABLE"}
    missing = [blob for blob in image.blobs if blob.digest not in there]
    count = progress.bytes(f"pushing to {repository}", sum(blob.size for blob in missing))
    for blob in missing:
        _upload(client, repository, blob, count)
    for tag in tags:
        with contextlib.suppress(client.exceptions.ImageAlreadyExistsException):
            client.put_image(
                repositoryName=repository,
                imageManifest=image.manifest.decode(),
                imageManifestMediaType=MANIFEST_TYPE,
                imageTag=tag,
                imageDigest=image.digest,
            )


def call(client: Any, step: Step, parameters: dict[str, Any]) -> dict[str, Any]:
    """Makes one call of a plan; what is already gone counts as deleted."""
    return dict(make(client, step, parameters))


def _upload(client: Any, repository: str, blob: Blob, count: ByteCount) -> None:
    upload = client.initiate_layer_upload(repositoryName=repository)
    start = 0
    with blob.open() as content:
        while part := content.read(upload["partSize"]):
            client.upload_layer_part(
                repositoryName=repository,
                uploadId=upload["uploadId"],
                partFirstByte=start,
                partLastByte=start + len(part) - 1,
                layerPartBlob=part,
            )
            start += len(part)
            count.add(len(part))
    with contextlib.suppress(client.exceptions.LayerAlreadyExistsException):
        client.complete_layer_upload(repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[blob.digest])


def _pages(client: Any, repository: str) -> Iterator[EcrImage]:
    for page in client.get_paginator("describe_images").paginate(repositoryName=repository):
        for details in page["imageDetails"]:
            yield _image(details)


def _image(details: dict[str, Any]) -> EcrImage:
    return EcrImage(details["imageDigest"], tuple(sorted(details.get("imageTags", []))))
