# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to CodeBuild, and to S3 and the logs for its builds. boto's exceptions are let through."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# AnsibleAWSModule says what is missing.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws, _fresh_role, _steps
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import (
    Found,
    FoundBuild,
    FoundPhase,
    FoundProject,
    Upload,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.package import context_bytes, pack
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import ecr
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.upload import upload_file
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import MEGABYTE, Progress

# Of a project's builds so many of the latest are looked at; a running one is among them.
LATEST = 20
#: As many as BatchGetBuilds and BatchDeleteBuilds take.
ALL = 100
_LOG_LINES = 30
# How CodeBuild refuses a role that it does not know yet (terraform-provider-aws, aws_codebuild_project).
_ROLE_NOT_READY = ("InvalidInputException", "ot authorized to perform")


class CodeBuildClient:
    """Reads a project with its builds, and makes the calls of plans.

    C(pack_directory): where contexts are packed. C(progress): is told how packing and uploading get on.
    """

    def __init__(self, module: AnsibleAWSModule, pack_directory: Path, progress: Progress) -> None:
        self._codebuild = _aws.client(module, "codebuild", _fresh_role.retrying(*_ROLE_NOT_READY))
        self._s3 = _aws.client(module, "s3")
        self._ecr = _aws.client(module, "ecr")
        self._logs = _aws.client(module, "logs")
        self._pack_directory = pack_directory
        self._progress = progress

    def find(self, name: str, bucket: str, prefix: str, latest: int = LATEST) -> Found:
        """Return the project, its latest builds and the contexts below C(prefix) of the bucket."""
        projects = self._codebuild.batch_get_projects(names=[name])["projects"]
        keys = frozenset(self._keys(bucket, prefix))
        if not projects:
            return Found(keys=keys)
        project = FoundProject(projects[0], _seconds(projects[0].get("created")))
        ids = self._codebuild.list_builds_for_project(projectName=name, sortOrder="DESCENDING")["ids"][:latest]
        builds = {build.id: build for build in self._builds(ids)}
        return Found(project, builds=tuple(builds[build_id] for build_id in ids if build_id in builds), keys=keys)

    def image_digest(self, repository: str, tag: str) -> str:
        """Return the digest of the image with this tag, empty where there is none."""
        image = ecr.image_by_tag(self._ecr, repository, tag)
        return image.digest if image else ""

    def registry(self, repository: str) -> str:
        """Return the host of the repository's registry; empty where the repository is not there yet."""
        with suppress(self._ecr.exceptions.RepositoryNotFoundException):
            found = self._ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
            return str(found["repositoryUri"].partition("/")[0])
        return ""

    def build(self, build_id: str) -> FoundBuild | None:
        """Return one build, None where there is none of that id."""
        return next(iter(self._builds([build_id])), None)

    def log_tail(self, build: FoundBuild, lines: int = _LOG_LINES) -> list[str]:
        """Return the last lines of a build's log. They only help, so where they cannot be read one line says why."""
        if not build.log_group or not build.log_stream:
            return []
        try:
            events = self._logs.get_log_events(
                logGroupName=build.log_group, logStreamName=build.log_stream, limit=lines, startFromHead=False
            )["events"]
        except self._logs.exceptions.ResourceNotFoundException:
            return []
        except (ClientError, BotoCoreError) as error:
            return [f"(The log could not be read: {error})"]
        return [event["message"].rstrip() for event in events][-lines:]

    def call(self, step: _steps.Step, parameters: dict[str, Any]) -> Mapping[str, Any]:
        """Make one call of a plan."""
        if step.operation == "upload":
            self._upload(Upload(parameters["Path"], parameters["Bucket"], parameters["Key"]))
            return {}
        if step.service == "s3":
            return _steps.make(self._s3, step, parameters)
        return _steps.make(self._codebuild, step, parameters, aws_retry=True)

    def _upload(self, upload: Upload) -> None:
        # The name holds the context's digest: what an interrupted run has packed is what this one would pack.
        archive = self._pack_directory / Path(upload.key).name
        if not archive.exists():
            root = Path(upload.path)
            pack(root, archive, self._progress.bytes("packing the build context", context_bytes(root)).add)
        size = archive.stat().st_size
        advance = self._progress.bytes("uploading the build context", size).add
        there = upload_file(self._s3, archive, upload.bucket, upload.key, advance)
        if there:
            self._progress.say(f"uploading the build context: {there / MEGABYTE:.0f} MB of it were there already")
        archive.unlink(missing_ok=True)

    def _builds(self, ids: list[str]) -> list[FoundBuild]:
        return [_build(item) for item in self._codebuild.batch_get_builds(ids=ids)["builds"]] if ids else []

    def _keys(self, bucket: str, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix.strip('/')}/")
        try:
            return [item["Key"] for page in pages for item in page.get("Contents", [])]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return []
            raise


def _build(item: Mapping[str, Any]) -> FoundBuild:
    variables = {each["name"]: each["value"] for each in item["environment"].get("environmentVariables") or []}
    logs = item.get("logs") or {}
    return FoundBuild(
        id=item["id"],
        status=item["buildStatus"],
        phase=item.get("currentPhase", ""),
        tag=variables.get("IMAGE_TAG", ""),
        location=(item.get("source") or {}).get("location", ""),
        started=_seconds(item.get("startTime")),
        phases=tuple(map(_phase, item.get("phases") or [])),
        log_group=logs.get("groupName", ""),
        log_stream=logs.get("streamName", ""),
    )


def _phase(item: Mapping[str, Any]) -> FoundPhase:
    contexts = [(each.get("statusCode", ""), each.get("message", "")) for each in item.get("contexts") or []]
    return FoundPhase(
        name=item["phaseType"],
        status=item.get("phaseStatus", ""),
        seconds=item.get("durationInSeconds", 0),
        contexts=tuple(": ".join(filter(None, context)) for context in contexts if any(context)),
    )


def _seconds(when: Any) -> float:
    return float(when.timestamp()) if when is not None else 0.0
