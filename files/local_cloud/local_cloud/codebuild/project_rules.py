# SPDX-License-Identifier: GPL-3.0-or-later
"""What a project must be. Pure.

Sources: CreateProject's reference, and CodeBuild's user guide, "Troubleshooting AWS CodeBuild".
"""

from __future__ import annotations

from typing import Any

from ..store import Document
from .records import invalid

SERVICE_PRINCIPAL = "codebuild.amazonaws.com"
_ENVIRONMENT_TYPES = ("LINUX_CONTAINER", "ARM_CONTAINER")
_SOURCE_TYPES = ("S3", "NO_SOURCE")
#: The prefix that AWS keeps for its own variables (user guide, "Environment variables in build environments").
_RESERVED_PREFIX = "CODEBUILD_"


def check_project(project: Document) -> None:
    """Raises InvalidInputException for what AWS refuses, and for what builds here cannot do."""
    source, environment = project["source"], project["environment"]
    if source["type"] not in _SOURCE_TYPES:
        raise invalid(f"The local cloud has no sources of type {source['type']}, only {' and '.join(_SOURCE_TYPES)}.")
    if source["type"] == "S3" and "/" not in (source.get("location") or "").strip("/"):
        raise invalid("Invalid project source: location must be a valid S3 source")
    if source["type"] == "NO_SOURCE" and not source.get("buildspec"):
        raise invalid("Invalid project source: buildspec must be specified for NO_SOURCE")
    if environment["type"] not in _ENVIRONMENT_TYPES:
        raise invalid(
            f"The local cloud has no environments of type {environment['type']}, "
            f"only {' and '.join(_ENVIRONMENT_TYPES)}."
        )
    if project["artifacts"]["type"] != "NO_ARTIFACTS":
        raise invalid(f"The local cloud keeps no artifacts, and type is {project['artifacts']['type']}.")
    check_variables(environment.get("environmentVariables") or [])


def check_variables(variables: list[dict[str, Any]]) -> None:
    """Raises InvalidInputException for variables of another kind than plain text, and for reserved names."""
    for variable in variables:
        if variable.get("type", "PLAINTEXT") != "PLAINTEXT":
            raise invalid(f"The local cloud has no environment variables of type {variable['type']}.")
        if variable["name"].startswith(_RESERVED_PREFIX):
            raise invalid(f"Invalid environment variable {variable['name']}: {_RESERVED_PREFIX} is reserved.")


def check_trust(policy: Document | None, role_arn: str) -> None:
    """The service role exists and lets CodeBuild assume it. policy: the role's trust policy, None for no role."""
    if not trusts_codebuild(policy):
        raise invalid(f"CodeBuild is not authorized to perform: sts:AssumeRole on {role_arn}")


def trusts_codebuild(policy: Document | None) -> bool:
    """Whether a trust policy lets CodeBuild assume the role."""
    for statement in _as_list((policy or {}).get("Statement")):
        principal = statement.get("Principal")
        services = _as_list(principal.get("Service")) if isinstance(principal, dict) else [principal]
        actions = {"sts:AssumeRole", "sts:*", "*"}.intersection(_as_list(statement.get("Action")))
        if statement.get("Effect") == "Allow" and actions and {SERVICE_PRINCIPAL, "*"}.intersection(services):
            return True
    return False


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
