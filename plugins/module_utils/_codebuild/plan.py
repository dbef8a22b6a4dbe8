# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what has to be done to have an image built. Pure: (what is wanted, what is there) -> steps with sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import (
    BuildRequest,
    Found,
    FoundBuild,
    FoundProject,
    ProjectSpec,
    Wanted,
    start_parameters,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Step

_SERVICE = "codebuild"
#: Member of a project -> what a person calls it.
_WORDS = {
    "source": "commands",
    "environment": "build environment",
    "serviceRole": "service role",
    "timeoutInMinutes": "timeout",
    "queuedTimeoutInMinutes": "queue timeout",
    "logsConfig": "log group",
}
#: A role that was just made may be refused for so long, in seconds.
FRESH_SECONDS = 180.0
_BEFORE_COMMANDS = ("SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE")


def plan_present(wanted: Wanted, found: Found, size: str = "") -> list[Step]:
    """Return the steps up to a build that runs; an empty list where the image is there or its build runs already.

    C(size) is that of the context, for people; empty where it is not known yet.
    """
    if found.image_digest or running_build(wanted.build, found):
        return []
    steps = _project(wanted.project, found.project)
    upload = wanted.build.upload
    if upload.key not in found.keys:
        steps.append(
            Step(
                f"upload the build context{f' ({size})' if size else ''} to s3://{upload.location}",
                "s3",
                "upload",
                {"Path": upload.path, "Bucket": upload.bucket, "Key": upload.key},
            )
        )
    last = found.builds[0].id if found.builds else ""
    steps.append(
        Step(
            f"start a build of {wanted.build.repository}:{wanted.build.tag}",
            _SERVICE,
            "start_build",
            start_parameters(wanted.project.name, wanted.build, last),
            saves={"build": "build"},
        )
    )
    return steps


def plan_absent(name: str, bucket: str, found: Found) -> list[Step]:
    """Return the steps that stop what runs and remove the project, its builds and the uploaded contexts."""
    steps = [
        Step(
            f"stop build {build.id}",
            _SERVICE,
            "stop_build",
            {"id": build.id},
            gone_codes=("ResourceNotFoundException",),
        )
        for build in found.builds
        if build.is_running
    ]
    if found.builds:
        ids = [build.id for build in found.builds]
        steps.append(
            Step(f"delete the records of {_number(len(ids), 'build')}", _SERVICE, "batch_delete_builds", {"ids": ids})
        )
    if found.project:
        steps.append(Step(f"delete project {name}", _SERVICE, "delete_project", {"name": name}))
    # Stopped builds read nothing any more.
    return [*steps, *plan_sweep(bucket, replace(found, builds=()))]


def plan_sweep(bucket: str, found: Found) -> list[Step]:
    """Return the step that deletes the uploaded contexts, less those that a running build reads."""
    in_use = {build.location.partition("/")[2] for build in found.builds if build.is_running}
    keys = sorted(found.keys - in_use)
    if not keys:
        return []
    objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
    sentence = f"delete {_number(len(keys), 'uploaded context')} from {bucket}"
    return [Step(sentence, "s3", "delete_objects", {"Bucket": bucket, "Delete": objects}, gone_codes=("NoSuchBucket",))]


def running_build(request: BuildRequest, found: Found) -> FoundBuild | None:
    """The build of this very context that runs already, whoever started it."""
    return next((build for build in found.builds if build.is_running and build.tag == request.tag), None)


def starts_again(build: FoundBuild, project: FoundProject | None) -> bool:
    """Whether a build failed because its service role was too new to be known everywhere.

    IAM's user guide, "Changes that I make are not always immediately visible". Before any command has run nothing is
    lost by starting it again.
    """
    failed = next((phase for phase in build.phases if phase.status == "FAILED"), None)
    if failed is None or project is None or failed.name not in _BEFORE_COMMANDS:
        return False
    denied = any("not authorized" in sentence or "AccessDenied" in sentence for sentence in failed.contexts)
    return denied and build.started - project.created < FRESH_SECONDS


def describe_found(found: Found) -> dict[str, Any]:
    """Return the side of a diff for what is there."""
    project = found.project.parameters if found.project else {}
    return {"project": _shown(project), "image": found.image_digest}


def describe_wanted(wanted: Wanted, found: Found) -> dict[str, Any]:
    """Return the side of a diff for what is wanted, in the shape of `describe_found`."""
    if found.image_digest:
        return describe_found(found)
    return {"project": _shown(wanted.project.parameters()), "image": f"{wanted.build.repository}:{wanted.build.tag}"}


def _project(wanted: ProjectSpec, found: FoundProject | None) -> list[Step]:
    parameters = wanted.parameters()
    if found is None:
        return [Step(f"create project {wanted.name}", _SERVICE, "create_project", parameters)]
    changed = [key for key, value in parameters.items() if not _covers(found.parameters.get(key), value)]
    if not changed:
        return []
    sentence = f"change the {', '.join(_WORDS.get(key, key) for key in changed)} of project {wanted.name}"
    return [Step(sentence, _SERVICE, "update_project", parameters)]


def _covers(found: Any, wanted: Any) -> bool:
    """Whether what is found is what is wanted; members that nobody asked for are AWS's defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_covers(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return sorted(map(str, found or [])) == sorted(map(str, wanted))
    return bool(found == wanted)


def _shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    members = ("description", "source", "environment", "serviceRole", "timeoutInMinutes", "logsConfig")
    shown = {member: parameters[member] for member in members if member in parameters}
    if parameters:
        shown["tags"] = {tag["key"]: tag["value"] for tag in parameters.get("tags", [])}
    return shown


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
