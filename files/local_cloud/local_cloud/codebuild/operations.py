# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeBuild: each operation that we serve, by its name."""

from __future__ import annotations

from ..aws.json_service import JsonService, Operation
from ..containers.sweep import sweep_builds
from ..ministack_backend import Ministack
from ..settings import Settings
from ..store import Store
from .builds import Builds
from .projects import Projects


class CodeBuild(JsonService):
    """Answers calls, and runs builds between them. `open` clears up after a kill, `close` ends the builds."""

    def __init__(self, store: Store, ministack: Ministack, settings: Settings) -> None:
        self._settings = settings
        projects = Projects(store, ministack)
        self._builds = builds = Builds(store, ministack, settings, projects)
        operations: dict[str, Operation] = {
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
        super().__init__("CodeBuild", "codebuild", operations)

    def open(self) -> None:
        """Clear up what a killed cloud left."""
        sweep_builds(self._settings.builds_dir)
        self._builds.restore()

    async def close(self) -> None:
        """End every build."""
        await self._builds.close()
