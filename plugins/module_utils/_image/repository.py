# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ECR repository of a stage: what is wanted, what is there, and the steps between them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Step, tag_changes


@dataclass(frozen=True)
class Repository:
    """A repository; ``lifecycle_policy`` is the policy's document, or None where there is none."""

    name: str
    scan_on_push: bool
    lifecycle_policy: Mapping[str, Any] | None
    tags: Mapping[str, str] = field(default_factory=dict)
    arn: str = ""

    def document(self) -> dict[str, Any]:
        """The repository as a diff shows it."""
        return {
            "name": self.name,
            "scan_on_push": self.scan_on_push,
            "lifecycle_policy": self.lifecycle_policy,
            "tags": dict(sorted(self.tags.items())),
        }


def plan_present(wanted: Repository, found: Repository | None) -> list[Step]:
    """The steps that make the repository what is wanted; none where it is."""
    if found is None:
        create = Step(
            f"create repository {wanted.name}",
            "ecr",
            "create_repository",
            {
                "repositoryName": wanted.name,
                "imageScanningConfiguration": {"scanOnPush": wanted.scan_on_push},
                "tags": _tag_list(wanted.tags),
            },
        )
        return [create, _put_policy(wanted)]
    steps = []
    if found.scan_on_push != wanted.scan_on_push:
        steps.append(
            Step(
                f"{'scan' if wanted.scan_on_push else 'do not scan'} images of {wanted.name} on push",
                "ecr",
                "put_image_scanning_configuration",
                {
                    "repositoryName": wanted.name,
                    "imageScanningConfiguration": {"scanOnPush": wanted.scan_on_push},
                },
            )
        )
    if found.lifecycle_policy != wanted.lifecycle_policy:
        steps.append(_put_policy(wanted))
    to_set, to_remove = tag_changes(found.tags, wanted.tags)
    if to_set:
        parameters = {"resourceArn": found.arn, "tags": _tag_list(to_set)}
        steps.append(Step(f"tag {wanted.name}: {', '.join(sorted(to_set))}", "ecr", "tag_resource", parameters))
    if to_remove:
        parameters = {"resourceArn": found.arn, "tagKeys": to_remove}
        steps.append(Step(f"remove tags of {wanted.name}: {', '.join(to_remove)}", "ecr", "untag_resource", parameters))
    return steps


def plan_absent(found: Repository | None) -> list[Step]:
    """The step that removes the repository with its images; none where there is no repository."""
    if found is None:
        return []
    return [
        Step(
            f"delete repository {found.name} with its images",
            "ecr",
            "delete_repository",
            {"repositoryName": found.name, "force": True},
            gone_codes=("RepositoryNotFoundException",),
        )
    ]


def _put_policy(wanted: Repository) -> Step:
    return Step(
        f"set the lifecycle policy of {wanted.name}",
        "ecr",
        "put_lifecycle_policy",
        {"repositoryName": wanted.name, "lifecyclePolicyText": json.dumps(wanted.lifecycle_policy, sort_keys=True)},
    )


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
