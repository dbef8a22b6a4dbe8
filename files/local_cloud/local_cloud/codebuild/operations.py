# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeBuild: each operation that we serve, by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..aws.json_protocol import Response, failure, parse_body, success
from ..aws.service_model import load_api
from ..aws.validation import validate
from ..containers.sweep import sweep_builds
from ..ministack_backend import Ministack
from ..sagemaker.operations import unknown_operation
from ..settings import Settings
from ..store import Store
from .builds import Builds
from .projects import Projects

Operation = Callable[[Caller, dict[str, Any]], Awaitable[dict[str, Any]]]


class CodeBuild:
    """Answers calls, and runs builds between them. `open` clears up after a kill, `close` ends the builds."""

    def __init__(self, store: Store, ministack: Ministack, settings: Settings) -> None:
        self._settings = settings
        projects = Projects(store, ministack)
        self._builds = builds = Builds(store, ministack, settings, projects)
        self._operations: dict[str, Operation] = {
            "CreateProject": projects.create,
            "UpdateProject": projects.update,
            "BatchGetProjects": projects.get,
            "ListProjects": projects.list,
            "DeleteProject": projects.delete,
            "StartBuild": builds.start,
            "BatchGetBuilds": builds.get,
            "ListBuildsForProject": builds.list_for_project,
            "StopBuild": builds.stop,
            "BatchDeleteBuilds": builds.delete,
        }
        self._api = load_api("codebuild", frozenset(self._operations))

    async def handle(self, caller: Caller, operation: str, body: bytes) -> Response:
        """Answer a call of the JSON protocol."""
        try:
            run = self._operations.get(operation)
            if run is None:
                raise unknown_operation("CodeBuild", operation, operation in self._api.all_operations)
            model = self._api.operation(operation)
            parameters = parse_body(body)
            validate(model.input_shape, parameters)
            return success(model.output_shape, await run(caller, parameters))
        except AwsError as error:
            return failure(error)

    def open(self) -> None:
        """Clear up what a killed cloud left."""
        sweep_builds(self._settings.builds_dir)
        self._builds.restore()

    async def close(self) -> None:
        """End every build."""
        await self._builds.close()
