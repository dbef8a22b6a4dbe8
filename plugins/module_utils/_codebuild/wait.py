# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for a build, and tells of every change and of every quarter of a minute without one."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import FoundBuild
from ansible_collections.modelhost.sagemaker.plugins.module_utils._patience import Patience

#: While nothing changes, a line this often is enough to see that the build is alive, in seconds.
LINE_EVERY = 15.0
_LOG_CHARACTERS = 100


class BuildLost(Exception):
    """The build cannot be waited for any longer; the message says why and what to do."""


def until_complete(
    build_id: str,
    look: Callable[[str], FoundBuild | None],
    last_line: Callable[[FoundBuild], str],
    say: Callable[[str], None],
    patience: Patience,
) -> FoundBuild:
    """Look at a build until it has ended, and return it as it is then.

    ``look`` gives the build as it is, ``last_line`` the last line of its log, ``say`` is told of progress. Raises
    `BuildLost` where the build is gone or time has run out; CodeBuild itself ends a build long before that.
    """
    began = patience.now()
    phase, told = "", began
    while True:
        build = look(build_id)
        if build is None:
            raise BuildLost(f"CodeBuild knows no build {build_id} any more; somebody has deleted it. Deploy again.")
        waited = patience.now() - began
        if build.phase != phase or patience.now() - told >= LINE_EVERY:
            line = last_line(build) if build.phase == phase else ""
            say(f"build {build.id}: {build.phase} … {waited:.0f} s{f' · {line[:_LOG_CHARACTERS]}' if line else ''}")
            phase, told = build.phase, patience.now()
        if not build.is_running:
            return build
        if waited >= patience.timeout:
            raise BuildLost(
                f"Gave up after {patience.timeout:.0f} seconds of waiting for build {build_id}, which is in the phase "
                f"{build.phase}. CodeBuild goes on by itself: deploy again to take up the wait."
            )
        patience.sleep(patience.interval)
