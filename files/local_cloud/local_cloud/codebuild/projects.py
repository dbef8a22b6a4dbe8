# SPDX-License-Identifier: GPL-3.0-or-later
"""Build projects: CreateProject, UpdateProject, BatchGetProjects, ListProjects and DeleteProject."""

from __future__ import annotations

import time
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..ministack_backend import Ministack
from ..store import Document, Store
from .project_rules import check_project, check_trust
from .records import PROJECTS, invalid, page, project_arn

# CreateProject's reference: the defaults of what a request leaves out.
_DEFAULTS: Document = {"timeoutInMinutes": 60, "queuedTimeoutInMinutes": 480, "cache": {"type": "NO_CACHE"}}


class Projects:
    """The operations on projects."""

    def __init__(self, store: Store, ministack: Ministack) -> None:
        self._store = store
        self._ministack = ministack

    async def create(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        name, arn = parameters["name"], project_arn(caller, parameters["name"])
        if self._store.get(PROJECTS, caller, name) is not None:
            raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {arn}")
        now = round(time.time(), 3)
        key = caller.arn("kms", "alias/aws/s3")
        project = {**_DEFAULTS, "encryptionKey": key, **parameters, "arn": arn, "created": now, "lastModified": now}
        await self._check(project)
        self._store.put(PROJECTS, caller, name, project)
        return {"project": project}

    async def update(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        before = self.existing(caller, parameters["name"])
        project = {**before, **parameters, "lastModified": round(time.time(), 3)}
        await self._check(project)
        self._store.put(PROJECTS, caller, project["name"], project)
        return {"project": project}

    async def get(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        # A name may also be an ARN (BatchGetProjects's reference).
        names = [name.rpartition("/")[2] for name in parameters["names"]]
        found = {name: self._store.get(PROJECTS, caller, name) for name in names}
        return {
            "projects": [project for project in found.values() if project is not None],
            "projectsNotFound": [name for name, project in found.items() if project is None],
        }

    async def list(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        projects = self._store.list(PROJECTS, caller)
        member = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(
            parameters.get("sortBy", "NAME"), "name"
        )
        projects.sort(key=lambda each: each[member], reverse=parameters.get("sortOrder") == "DESCENDING")
        names, token = page([each["name"] for each in projects], parameters.get("nextToken"))
        return {"projects": names, "nextToken": token}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        # What is not there is deleted, too, and a project's builds stay (DeleteProject's reference).
        self._store.delete(PROJECTS, caller, parameters["name"].rpartition("/")[2])
        return {}

    def existing(self, caller: Caller, name: str) -> Document:
        """A project by its name or ARN. Raises ResourceNotFoundException."""
        name = name.rpartition("/")[2]
        project = self._store.get(PROJECTS, caller, name)
        if project is None:
            arn = project_arn(caller, name)
            raise AwsError("ResourceNotFoundException", f"Project cannot be found: {arn}")
        return project

    def count(self, caller: Caller, project: Document, number: int) -> None:
        """Remember how many builds a project has had."""
        self._store.put(PROJECTS, caller, project["name"], {**project, "_builds": number})

    async def _check(self, project: Document) -> None:
        check_project(project)
        role = project["serviceRole"]
        if role.count(":") < 5:
            raise invalid("Invalid service role: Service role account ID does not match caller's account")
        check_trust(await self._ministack.role_trust_policy(role), role)
