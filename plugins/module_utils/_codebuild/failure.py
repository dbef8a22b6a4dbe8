# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build's end means to a person. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import FoundBuild

_ENDS = {
    "FAILED": "failed",
    "FAULT": "broke off by a fault of CodeBuild's own; starting again may help",
    "TIMED_OUT": "took longer than image_codebuild_timeout_minutes allows",
    "STOPPED": "was stopped by somebody",
}


def failure_text(build: FoundBuild, log: Sequence[str]) -> str:
    """Why there is no image: the phase that failed, its words, the end of the log, and where to read the rest."""
    failed = next((phase for phase in build.phases if phase.status not in ("", "SUCCEEDED")), None)
    where = f" in the phase {failed.name}, after {failed.seconds} s" if failed else ""
    lines = [f"Build {build.id} {_ENDS.get(build.status, build.status)}{where}."]
    lines += failed.contexts if failed else ()
    if log:
        lines += ["Its log ends with:", *(f"  {line}" for line in log)]
    if build.log_group:
        lines.append(f"The whole log: aws logs tail {build.log_group} --log-stream-names {build.log_stream} --since 1d")
    return "\n".join(lines)
