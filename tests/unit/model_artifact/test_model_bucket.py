# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket is private, tagged, and never somebody else's."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.bucket import (
    Bucket,
    plan_absent,
    plan_present,
    refusal,
)

OWNER = {"modelhost:project": "modelhost", "modelhost:stage": "prod"}
WANTED = Bucket("modelhost-prod-123456789012-eu-central-1", {**OWNER, "team": "search"})


def operations(found: Bucket | None, region: str = "eu-central-1") -> list[str]:
    return [step.operation for step in plan_present(WANTED, found, region)]


def test_a_new_bucket_is_closed_to_the_public_and_tagged() -> None:
    assert operations(None) == ["create_bucket", "put_public_access_block", "put_bucket_tagging"]


def test_only_us_east_1_is_not_named() -> None:
    named, unnamed = plan_present(WANTED, None, "eu-central-1")[0], plan_present(WANTED, None, "us-east-1")[0]
    assert named.parameters["CreateBucketConfiguration"] == {"LocationConstraint": "eu-central-1"}
    assert "CreateBucketConfiguration" not in unnamed.parameters


def test_an_unchanged_bucket_needs_nothing() -> None:
    assert operations(WANTED) == []


def test_a_bucket_whose_making_was_interrupted_is_finished() -> None:
    half = Bucket(WANTED.name, {}, blocks_public_access=False)
    assert refusal(half, OWNER) == ""
    assert operations(half) == ["put_public_access_block", "put_bucket_tagging"]


def test_tags_of_aws_are_kept() -> None:
    found = replace(WANTED, tags={"aws:cloudformation:stack-name": "s", **OWNER})
    (step,) = plan_present(WANTED, found, "eu-central-1")
    assert {"Key": "aws:cloudformation:stack-name", "Value": "s"} in step.parameters["Tagging"]["TagSet"]


def test_a_bucket_of_another_stage_is_left_alone() -> None:
    assert "left alone" in refusal(replace(WANTED, tags={**OWNER, "modelhost:stage": "test"}), OWNER)
    assert "left alone" in refusal(replace(WANTED, tags={"team": "search"}), OWNER)


def test_a_bucket_is_emptied_before_it_is_deleted() -> None:
    assert [step.operation for step in plan_absent(WANTED)] == ["empty", "delete_bucket"]
    assert plan_absent(None) == []
