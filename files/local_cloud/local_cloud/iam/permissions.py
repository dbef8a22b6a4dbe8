# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call has to be allowed, as AWS's Service Authorization Reference lists it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ANY_RESOURCE = "*"


@dataclass(frozen=True)
class Permission:
    """One action on one resource.

    action: as a policy writes it, "sagemaker:CreateModel". resource: an ARN, or "*" for an action without resources.
    conditions: the condition keys that the call sets, with a value or a list of values each.
    refusal: what AWS says instead of its usual sentence where it is not given.
    """

    action: str
    resource: str = ANY_RESOURCE
    conditions: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""


def request_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """The condition keys of a call that sets these tags."""
    if not tags:
        return {}
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


def tag_list(tags: object, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as most services take them, a list of pairs; whatever has another form is the service's to refuse."""
    if not isinstance(tags, list):
        return {}
    return {str(tag[key]): str(tag.get(value, "")) for tag in tags if isinstance(tag, dict) and key in tag}


def pass_role(role_arn: object, service: str, resource: str | None = None) -> Iterable[Permission]:
    """What handing a role to a service takes (IAM user guide, "Grant a user permissions to pass a role")."""
    if isinstance(role_arn, str) and role_arn:
        conditions = {"iam:PassedToService": service}
        if resource:
            conditions["iam:AssociatedResourceArn"] = resource
        yield Permission("iam:PassRole", role_arn, conditions)
