# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a repository changes what differs and nothing else."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.repository import (
    Repository,
    plan_absent,
    plan_present,
)

WANTED = Repository("modelhost-prod", True, {"rules": []}, {"modelhost:stage": "prod"})
THERE = replace(WANTED, arn="arn:aws:ecr:eu-central-1:123456789012:repository/modelhost-prod")


def operations(found: Repository | None) -> list[str]:
    return [step.operation for step in plan_present(WANTED, found)]


def test_a_new_repository_is_made_with_its_tags_and_policy() -> None:
    assert operations(None) == ["create_repository", "put_lifecycle_policy"]


def test_an_unchanged_repository_needs_nothing() -> None:
    assert operations(THERE) == []


def test_a_half_made_repository_gets_what_it_lacks() -> None:
    assert operations(replace(THERE, lifecycle_policy=None)) == ["put_lifecycle_policy"]


def test_tags_are_set_and_removed_and_those_of_aws_stay() -> None:
    found = replace(THERE, tags={"old": "1", "aws:cloudformation:stack-name": "s"})
    set_tags, remove_tags = plan_present(WANTED, found)
    assert set_tags.parameters["tags"] == [{"Key": "modelhost:stage", "Value": "prod"}]
    assert remove_tags.parameters["tagKeys"] == ["old"]


def test_scanning_is_switched_on() -> None:
    assert operations(replace(THERE, scan_on_push=False)) == ["put_image_scanning_configuration"]


def test_removing_what_is_not_there_needs_nothing() -> None:
    assert plan_absent(None) == []
    assert [step.operation for step in plan_absent(THERE)] == ["delete_repository"]
