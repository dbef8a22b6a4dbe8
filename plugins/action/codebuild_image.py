# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far the build has come, and says on Ctrl-C that it goes on. Everything that is decided is the module's."""

from __future__ import annotations

from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.plugin_utils._parting_words import PartingWords
from ansible_collections.modelhost.sagemaker.plugins.plugin_utils._progress_lines import ProgressAction

words = PartingWords()

_INTERRUPTED = (
    "build of {name}: interrupted. What is uploaded stays, and CodeBuild goes on with a build that has begun: the same "
    "command takes up the wait. To end it: aws codebuild list-builds-for-project --project-name {name}, then "
    "aws codebuild stop-build --id ID"
)


class ActionModule(ProgressAction):
    """Runs the module with words kept for a person who interrupts it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._task.args.get("state", "present") == "present" and not self._task.check_mode:
            words.keep(_INTERRUPTED.format(name=self._task.args.get("name", "")))
        try:
            return super().run(tmp, task_vars)
        finally:
            words.keep("")
