# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket that holds a stage's model artifacts: what is wanted, what is there, and the steps between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Step

PUBLIC_ACCESS_BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


@dataclass(frozen=True)
class Bucket:
    """A bucket; ``blocks_public_access`` is true where all four of S3's switches are on.

    Encryption (SSE-S3) and disabled ACLs need no switch: S3 gives both to every new bucket
    (Amazon S3 user guide, "Default settings for new S3 buckets").
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    blocks_public_access: bool = True

    def document(self) -> dict[str, Any]:
        """The bucket as a diff shows it."""
        return {
            "name": self.name,
            "blocks_public_access": self.blocks_public_access,
            "tags": dict(sorted(self.tags.items())),
        }


def refusal(found: Bucket | None, owner_tags: Mapping[str, str]) -> str:
    """Why a bucket that is there must be left alone; empty where it need not be.

    A bucket without any tag is one whose making was interrupted: its name holds project, stage and account.
    """
    if found is None or not found.tags or owner_tags.items() <= found.tags.items():
        return ""
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(owner_tags.items()))
    return f"Bucket {found.name} is there and does not carry the tags of this stage ({wanted}), so it is left alone."


def plan_present(wanted: Bucket, found: Bucket | None, region: str) -> list[Step]:
    """The steps that make the bucket what is wanted; none where it is."""
    steps = []
    if found is None:
        # CreateBucket's reference: us-east-1 is the one region that must not be named.
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        steps.append(Step(f"create bucket {wanted.name}", "s3", "create_bucket", {"Bucket": wanted.name, **place}))
    if found is None or not found.blocks_public_access:
        parameters = {"Bucket": wanted.name, "PublicAccessBlockConfiguration": PUBLIC_ACCESS_BLOCK}
        steps.append(Step(f"block public access to {wanted.name}", "s3", "put_public_access_block", parameters))
    # PutBucketTagging replaces the whole set, so the tags AWS itself has put there are put again.
    kept = {key: value for key, value in (found.tags if found else {}).items() if key.startswith("aws:")}
    if found is None or found.tags != {**kept, **wanted.tags}:
        tag_set = [{"Key": key, "Value": value} for key, value in sorted({**kept, **wanted.tags}.items())]
        parameters = {"Bucket": wanted.name, "Tagging": {"TagSet": tag_set}}
        steps.append(Step(f"tag bucket {wanted.name}", "s3", "put_bucket_tagging", parameters))
    return steps


def plan_absent(found: Bucket | None) -> list[Step]:
    """The steps that remove the bucket with all it holds; none where there is no bucket."""
    if found is None:
        return []
    name = found.name
    return [
        Step(f"empty bucket {name}", "s3", "empty", {"Bucket": name}, gone_codes=("NoSuchBucket",)),
        Step(f"delete bucket {name}", "s3", "delete_bucket", {"Bucket": name}, gone_codes=("NoSuchBucket",)),
    ]
