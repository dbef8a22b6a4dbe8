# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds: StartBuild, BatchGetBuilds, ListBuildsForProject, StopBuild and BatchDeleteBuilds."""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import partial
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..call_identity import digest_of
from ..ministack_backend import Ministack
from ..settings import Settings
from ..store import Document, Store
from .build_record import IN_PROGRESS, KNOWN_OVERRIDES, complete, new_build
from .build_run import FAULT, STOPPED, BuildRun
from .project_rules import check_project, check_variables
from .projects import Projects
from .records import BUILDS, invalid, page

#: StartBuild's reference: how long an idempotency token is valid, in seconds.
TOKEN_SECONDS = 300.0
# A machine has no fleet: more builds wait in QUEUED. Records beyond so many of a region are forgotten, oldest first.
_AT_A_TIME = 2
_REMEMBERED = 200


class Builds:
    """The operations on builds, and the builds that run."""

    def __init__(self, store: Store, ministack: Ministack, settings: Settings, projects: Projects) -> None:
        self._store = store
        self._ministack = ministack
        self._settings = settings
        self._projects = projects
        self._place = asyncio.Semaphore(_AT_A_TIME)
        self._running: dict[str, tuple[BuildRun, asyncio.Task[None]]] = {}

    async def start(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(parameters) - KNOWN_OVERRIDES)
        if unknown:
            raise invalid(f"The local cloud's StartBuild does not take {', '.join(unknown)}.")
        project = self._projects.existing(caller, parameters["projectName"])
        if (known := self._started_with(caller, parameters)) is not None:
            return {"build": known}
        check_variables(parameters.get("environmentVariablesOverride") or [])
        number = project.get("_builds", 0) + 1
        build = new_build(caller, project, parameters, str(uuid.uuid4()), number, round(time.time(), 3))
        check_project({**project, "source": build["source"], "environment": build["environment"]})
        build |= {"_token": parameters.get("idempotencyToken"), "_request": digest_of(parameters)}
        build["initiator"] = "local"
        self._projects.count(caller, project, number)
        self._save(caller, build)
        self._forget_oldest(caller)
        run = BuildRun(self._settings, self._ministack, caller, build, self._place, partial(self._save, caller))
        task = asyncio.create_task(run.run())
        self._running[build["id"]] = (run, task)
        task.add_done_callback(lambda _: self._running.pop(build["id"], None))
        return {"build": build}

    async def get(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        found = {name: self._store.get(BUILDS, caller, _id(name)) for name in parameters["ids"]}
        return {
            "builds": [build for build in found.values() if build is not None],
            "buildsNotFound": [name for name, build in found.items() if build is None],
        }

    async def list_for_project(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        project = self._projects.existing(caller, parameters["projectName"])
        builds = [each for each in self._store.list(BUILDS, caller) if each["projectName"] == project["name"]]
        builds.sort(key=lambda each: each["buildNumber"], reverse=parameters.get("sortOrder") != "ASCENDING")
        ids, token = page([each["id"] for each in builds], parameters.get("nextToken"))
        return {"ids": ids, "nextToken": token}

    async def stop(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        build_id = _id(parameters["id"])
        build = self._store.get(BUILDS, caller, build_id)
        if build is None:
            raise AwsError("ResourceNotFoundException", f"Build {parameters['id']} does not exist")
        if build_id in self._running:
            await self._end(build_id, STOPPED)
            build = self._store.get(BUILDS, caller, build_id)
        return {"build": build}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        deleted, kept = [], []
        for name in parameters["ids"]:
            build = self._store.get(BUILDS, caller, _id(name))
            if build is None or build["buildStatus"] == IN_PROGRESS:
                status = "NOT_FOUND" if build is None else IN_PROGRESS
                kept.append({"id": name, "statusCode": status})
            else:
                self._store.delete(BUILDS, caller, build["id"])
                deleted.append(build["arn"])
        return {"buildsDeleted": deleted, "buildsNotDeleted": kept}

    def restore(self) -> None:
        """End the records of builds that a killed cloud left in progress."""
        for caller, build in list(self._store.everywhere(BUILDS)):
            if build["buildStatus"] == IN_PROGRESS:
                complete(build, FAULT, round(time.time(), 3))
                build["phases"][-2]["contexts"] = [
                    {"statusCode": "INTERNAL_SERVICE_ERROR", "message": "The local cloud ended while the build ran."}
                ]
                self._save(caller, build)

    async def close(self) -> None:
        """End every build that runs."""
        for build_id in list(self._running):
            await self._end(build_id, FAULT)

    async def _end(self, build_id: str, status: str) -> None:
        run, task = self._running[build_id]
        run.ends_as(status)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _started_with(self, caller: Caller, parameters: dict[str, Any]) -> Document | None:
        """The build that the request's idempotency token has started already. Raises InvalidInputException where it
        was another request's."""
        token = parameters.get("idempotencyToken")
        if not token:
            return None
        for build in self._store.list(BUILDS, caller):
            if build.get("_token") == token and time.time() - build["startTime"] < TOKEN_SECONDS:
                if build["_request"] != digest_of(parameters):
                    raise invalid("The idempotency token was used for a request with other parameters.")
                return build
        return None

    def _forget_oldest(self, caller: Caller) -> None:
        done = [each for each in self._store.list(BUILDS, caller) if each["buildStatus"] != IN_PROGRESS]
        done.sort(key=lambda each: each["startTime"], reverse=True)
        for build in done[_REMEMBERED:]:
            self._store.delete(BUILDS, caller, build["id"])

    def _save(self, caller: Caller, build: Document) -> None:
        self._store.put(BUILDS, caller, build["id"], build)


def _id(name: str) -> str:
    """A build's id, also where its ARN was given."""
    return name.partition(":build/")[2] or name
