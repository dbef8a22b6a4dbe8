# SPDX-License-Identifier: GPL-3.0-or-later
"""How projects and builds are kept and paged, and the one way of refusing them."""

from __future__ import annotations

import base64

from ..aws.caller import Caller
from ..aws.errors import AwsError

PROJECTS = "codebuild-project"
BUILDS = "codebuild-build"
#: As many as ListProjects and ListBuildsForProject give at a time.
PAGE_SIZE = 100


def project_arn(caller: Caller, name: str) -> str:
    """The ARN of a project."""
    return caller.arn("codebuild", f"project/{name}")


def invalid(message: str) -> AwsError:
    """CodeBuild's refusal of a request."""
    return AwsError("InvalidInputException", message)


def page(names: list[str], token: str | None) -> tuple[list[str], str | None]:
    """One page, and the token of the next, None after the last. Raises InvalidInputException for a foreign token."""
    try:
        start = int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise invalid("Invalid nextToken") from None
    end = start + PAGE_SIZE
    return names[start:end], base64.b64encode(str(end).encode()).decode() if end < len(names) else None
