# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ECR operations that this cloud answers itself have to be allowed. Pure.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container Registry".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..aws.caller import Caller
from .permissions import Permission

# The reference gives it no resource type.
WITHOUT_RESOURCE = frozenset({"GetAuthorizationToken"})


def repository_arn(caller: Caller, name: str) -> str:
    """The ARN of a repository."""
    return caller.arn("ecr", f"repository/{name}")


def required(caller: Caller, operation: str, parameters: Mapping[str, Any]) -> list[Permission]:
    """Every one of them is allowed on its repository, but for the token that all repositories share."""
    if operation in WITHOUT_RESOURCE:
        return [Permission(f"ecr:{operation}")]
    return [Permission(f"ecr:{operation}", repository_arn(caller, str(parameters.get("repositoryName") or "")))]
