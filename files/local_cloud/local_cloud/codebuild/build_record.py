# SPDX-License-Identifier: GPL-3.0-or-later
"""A build as CodeBuild describes it: made from its project, and moved from phase to phase. Pure.

Members that begin with an underscore are ours and are never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..aws.caller import Caller
from ..store import Document

IN_PROGRESS = "IN_PROGRESS"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"

# Member of StartBuild's request -> where the build has it instead of its project's value.
_OVERRIDES = {
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "buildspecOverride": ("source", "buildspec"),
    "environmentTypeOverride": ("environment", "type"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "privilegedModeOverride": ("environment", "privilegedMode"),
    "serviceRoleOverride": ("serviceRole",),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "encryptionKeyOverride": ("encryptionKey",),
    "sourceVersion": ("sourceVersion",),
    "logsConfigOverride": ("logsConfig",),
}
#: The rest of what StartBuild takes that means something here.
KNOWN_OVERRIDES = frozenset({*_OVERRIDES, "projectName", "environmentVariablesOverride", "idempotencyToken"})


def new_build(
    caller: Caller, project: Document, request: Mapping[str, Any], unique: str, number: int, now: float
) -> Document:
    """A build that is submitted. unique: the second half of its id. now: seconds since 1970."""
    build: Document = {
        "id": f"{project['name']}:{unique}",
        "arn": caller.arn("codebuild", f"build/{project['name']}:{unique}"),
        "buildNumber": number,
        "startTime": now,
        "buildStatus": IN_PROGRESS,
        "buildComplete": False,
        "projectName": project["name"],
        "artifacts": {"location": ""},
        "cache": project.get("cache") or {"type": "NO_CACHE"},
        "phases": [],
        **{
            member: project[member]
            for member in ("serviceRole", "timeoutInMinutes", "queuedTimeoutInMinutes", "encryptionKey")
        },
        "source": dict(project["source"]),
        "environment": dict(project["environment"]),
        "logsConfig": project.get("logsConfig") or {},
    }
    for member, path in _OVERRIDES.items():
        if member in request:
            target = build[path[0]] if len(path) > 1 else build
            target[path[-1]] = request[member]
    build["environment"]["environmentVariables"] = merged_variables(
        project["environment"].get("environmentVariables") or [], request.get("environmentVariablesOverride") or []
    )
    build["logs"] = _logs(caller, build, unique)
    del build["logsConfig"]
    begin_phase(build, "SUBMITTED", now)
    return build


def merged_variables(project: list[dict[str, Any]], override: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The environment variables of a build: the project's, each replaced by an override of the same name."""
    by_name = {variable["name"]: variable for variable in [*project, *override]}
    return list(by_name.values())


def begin_phase(build: Document, phase: str, now: float) -> None:
    """Enter a phase."""
    build["currentPhase"] = phase
    build["phases"].append({"phaseType": phase, "startTime": now})


def end_phase(build: Document, status: str, now: float, code: str = "", message: str = "") -> None:
    """Leave the current phase. code, message: what CodeBuild calls the phase's context."""
    phase = build["phases"][-1]
    phase |= {
        "phaseStatus": status,
        "endTime": now,
        "durationInSeconds": int(now - phase["startTime"]),
        "contexts": [{"statusCode": code, "message": message}],
    }


def complete(build: Document, status: str, now: float) -> None:
    """End the build. A phase that it is in ends with it, with the same status."""
    if "phaseStatus" not in build["phases"][-1]:
        end_phase(build, status, now)
    begin_phase(build, "COMPLETED", now)
    build |= {"buildStatus": status, "endTime": now, "buildComplete": True}


def variables_of(build: Document) -> dict[str, str]:
    """The build's own environment variables, by name."""
    return {each["name"]: each["value"] for each in build["environment"].get("environmentVariables") or []}


def log_place(build: Document) -> tuple[str, str]:
    """The log group and the log stream; two empty strings where the project has no log in CloudWatch Logs."""
    return build["logs"].get("groupName", ""), build["logs"].get("streamName", "")


def _logs(caller: Caller, build: Document, unique: str) -> Document:
    config = build["logsConfig"].get("cloudWatchLogs") or {"status": "ENABLED"}
    if config.get("status") != "ENABLED":
        return {"cloudWatchLogs": config}
    group = config.get("groupName") or f"/aws/codebuild/{build['projectName']}"
    stream = f"{config['streamName']}/{unique}" if config.get("streamName") else unique
    return {
        "groupName": group,
        "streamName": stream,
        "cloudWatchLogsArn": caller.arn("logs", f"log-group:{group}:log-stream:{stream}"),
        "cloudWatchLogs": config,
    }
