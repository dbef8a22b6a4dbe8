# SPDX-License-Identifier: GPL-3.0-or-later
"""What CodeBuild's operations have to be allowed. Pure.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS CodeBuild".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..aws.caller import Caller
from .permissions import Permission, pass_role, request_tags, tag_list

SERVICE_PRINCIPAL = "codebuild.amazonaws.com"

# Operation -> the parameter that names its project or projects, or their builds.
PROJECT_IN: dict[str, str] = {
    "CreateProject": "name",
    "UpdateProject": "name",
    "DeleteProject": "name",
    "BatchGetProjects": "names",
    "StartBuild": "projectName",
    "ListBuildsForProject": "projectName",
    "BatchGetBuilds": "ids",
    "StopBuild": "id",
    "BatchDeleteBuilds": "ids",
}
# The reference gives it no resource type.
WITHOUT_RESOURCE = frozenset({"ListProjects"})


def required(caller: Caller, operation: str, parameters: Mapping[str, Any]) -> list[Permission]:
    """What an operation has to be allowed: on each project that it names, and on the role that it hands over.

    An operation without a row is allowed only by a policy for every resource, as on AWS one without resource types is.
    """
    action = f"codebuild:{operation}"
    named = parameters.get(PROJECT_IN.get(operation, ""))
    names = named if isinstance(named, list) else [named]
    projects = sorted({_project(name) for name in names if isinstance(name, str)})
    conditions = request_tags(tag_list(parameters.get("tags"), "key", "value"))
    wanted = [Permission(action, caller.arn("codebuild", f"project/{name}"), conditions) for name in projects]
    for member in ("serviceRole", "serviceRoleOverride"):
        wanted += pass_role(parameters.get(member), SERVICE_PRINCIPAL)
    return wanted or [Permission(action)]


def _project(name: str) -> str:
    """The project's name, of itself, of one of its builds, or of the ARN of either."""
    return name.partition(":project/")[2] or (name.partition(":build/")[2] or name).partition(":")[0]
