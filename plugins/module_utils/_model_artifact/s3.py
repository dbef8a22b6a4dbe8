# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket and what is in it, as S3 has it."""

from __future__ import annotations

from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.bucket import (
    PUBLIC_ACCESS_BLOCK,
    Bucket,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.upload import abort, open_uploads
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Step, make
from botocore.exceptions import ClientError


def bucket(client: Any, name: str) -> Bucket | None:
    """The bucket with its tags and its public access block (three reading calls); None where there is none."""
    if _missing(lambda: client.head_bucket(Bucket=name), "404", "NoSuchBucket"):
        return None
    tags: dict[str, str] = {}
    block: dict[str, bool] = {}
    try:
        tags = {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=name)["TagSet"]}
    except ClientError as error:
        _unless(error, "NoSuchTagSet")
    try:
        block = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        _unless(error, "NoSuchPublicAccessBlockConfiguration")
    return Bucket(name, tags, all(block.get(switch) for switch in PUBLIC_ACCESS_BLOCK))


def has_object(client: Any, name: str, key: str) -> bool:
    """Whether the bucket holds the object; false where there is no bucket."""
    return not _missing(lambda: client.head_object(Bucket=name, Key=key), "404", "NoSuchKey", "NoSuchBucket")


def call(client: Any, step: Step, parameters: dict[str, Any]) -> dict[str, Any]:
    """Makes one step of a plan; what is already gone counts as deleted."""
    if step.operation != "empty":
        return dict(make(client, step, parameters))
    try:
        _empty(client, parameters["Bucket"])
    except ClientError as error:
        _unless(error, *step.gone_codes)
    return {}


def _empty(client: Any, name: str) -> None:
    """Deletes every object, every version of it and what uploads that were broken off have left.

    DeleteObjects takes 1,000 keys at a time, as many as a page has.
    """
    for broken_off in open_uploads(client, name):
        abort(client, name, broken_off)
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
        if keys:
            client.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})


def _missing(ask: Any, *codes: str) -> bool:
    try:
        ask()
    except ClientError as error:
        _unless(error, *codes)
        return True
    return False


def _unless(error: ClientError, *codes: str) -> None:
    if error.response["Error"]["Code"] not in codes:
        raise error
