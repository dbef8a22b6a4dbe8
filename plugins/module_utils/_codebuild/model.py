# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build project and its builds: as they are wanted, and as they are found. Frozen, without AWS."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.buildspec import (
    PLACE_VARIABLES,
    buildspec,
    label_variables,
)

#: Platform -> type and image of the build environment. A platform is built on its own kind of processor: emulation
#: takes minutes for what takes seconds. Both images hold Docker 28 with buildx (aws/aws-codebuild-docker-images).
ENVIRONMENTS: Mapping[str, tuple[str, str]] = {
    "linux/amd64": ("LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:6.0"),
    "linux/arm64": ("ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:4.0"),
}
COMPUTE_TYPES = (
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
)
#: Minutes; CreateProject's reference, timeoutInMinutes and queuedTimeoutInMinutes.
TIMEOUT_MINUTES = range(5, 2161)
QUEUED_TIMEOUT_MINUTES = 60

_PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class InvalidBuild(ValueError):
    """The build asked for cannot be made; the text says which option is wrong and what would be right."""


@dataclass(frozen=True)
class ProjectSpec:
    """What a project is to be; everything that differs from build to build is in `BuildSpec`."""

    name: str
    platform: str
    service_role_arn: str
    compute_type: str
    timeout_minutes: int
    log_group: str
    buildspec: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """What CreateProject and UpdateProject take."""
        kind, image = ENVIRONMENTS[self.platform]
        return {
            "name": self.name,
            "description": "Builds the serving image from contexts that modelhost uploads",
            # Each build names its own source, so the project has none.
            "source": {"type": "NO_SOURCE", "buildspec": self.buildspec},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": {
                "type": kind,
                "image": image,
                "computeType": self.compute_type,
                # Without it there is no Docker daemon in the build (user guide, "Docker sample").
                "privilegedMode": True,
                "imagePullCredentialsType": "CODEBUILD",
            },
            "serviceRole": self.service_role_arn,
            "timeoutInMinutes": self.timeout_minutes,
            "queuedTimeoutInMinutes": QUEUED_TIMEOUT_MINUTES,
            "logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": self.log_group}},
            "tags": [{"key": key, "value": value} for key, value in sorted(self.tags.items())],
        }


@dataclass(frozen=True)
class Upload:
    """Where a build's context lies. C(key) holds its digest, so what is there need not be uploaded again."""

    path: str
    bucket: str
    key: str

    @property
    def location(self) -> str:
        """The place as CodeBuild names it."""
        return f"{self.bucket}/{self.key}"


@dataclass(frozen=True)
class BuildRequest:
    """One build: its context, where its image goes, and the environment variables with the rest."""

    upload: Upload
    repository: str
    tag: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """A project, and the build of one context by it."""

    project: ProjectSpec
    build: BuildRequest


@dataclass(frozen=True)
class FoundProject:
    """A project on AWS. C(parameters) are CodeBuild's own; C(created) in seconds since 1970."""

    parameters: Mapping[str, Any]
    created: float = 0.0


@dataclass(frozen=True)
class FoundPhase:
    """A phase of a build. C(status) is empty while it lasts; C(contexts) are sentences that say what went wrong."""

    name: str
    status: str = ""
    seconds: int = 0
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundBuild:
    """A build on AWS. C(status) is IN_PROGRESS until it has ended; C(started) in seconds since 1970."""

    id: str
    status: str
    phase: str
    tag: str = ""
    location: str = ""
    started: float = 0.0
    phases: tuple[FoundPhase, ...] = ()
    log_group: str = ""
    log_stream: str = ""

    @property
    def is_running(self) -> bool:
        return self.status == "IN_PROGRESS"


@dataclass(frozen=True)
class Found:
    """What is on AWS. C(builds): the project's latest, newest first. C(keys): the contexts that lie in the bucket."""

    project: FoundProject | None = None
    image_digest: str = ""
    builds: tuple[FoundBuild, ...] = ()
    keys: frozenset[str] = frozenset()


def wanted(params: Mapping[str, Any], registry: str) -> Wanted:
    """Read the module's parameters; raise `InvalidBuild` with a sentence for the first mistake.

    C(registry) is the host that C(docker login) and C(docker push) are for.
    """
    arguments = {str(name): str(value) for name, value in params["build_args"].items()}
    labels = {str(name): str(value) for name, value in params["labels"].items()}
    _check(params, arguments)
    tag, *more_tags = params["image_tags"]
    project = ProjectSpec(
        name=params["name"],
        platform=params["platform"],
        service_role_arn=params["service_role_arn"],
        compute_type=params["compute_type"],
        timeout_minutes=params["timeout_minutes"],
        log_group=params["log_group"],
        buildspec=buildspec(arguments, labels, more_tags, params["network"] or ""),
        tags={str(key): str(value) for key, value in params["tags"].items()},
    )
    key = f"{params['prefix'].strip('/')}/{params['context_digest']}.zip"
    places = dict(
        zip(
            PLACE_VARIABLES,
            (registry, params["repository"], tag, params["platform"], params["dockerfile"]),
            strict=True,
        )
    )
    return Wanted(
        project=project,
        build=BuildRequest(
            upload=Upload(params["context"], params["bucket"], key),
            repository=params["repository"],
            tag=tag,
            variables={**arguments, **label_variables(labels), **places},
        ),
    )


def start_parameters(project_name: str, request: BuildRequest, last_build: str) -> dict[str, Any]:
    """What StartBuild takes.

    The idempotency token is the request's own digest and the last build's id: who asks at the same time gets the same
    build, and who asks again after it has ended gets a new one, also within the five minutes that a token is valid for
    (StartBuild's reference).
    """
    parameters = {
        "projectName": project_name,
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": request.upload.location,
        "environmentVariablesOverride": [
            {"name": name, "value": value, "type": "PLAINTEXT"}
            for name, value in sorted(request.variables.items())
            if value
        ],
    }
    seed = json.dumps([parameters, last_build], sort_keys=True)
    return {**parameters, "idempotencyToken": hashlib.sha256(seed.encode()).hexdigest()}


def _check(params: Mapping[str, Any], arguments: Mapping[str, str]) -> None:
    if not _PROJECT_NAME.fullmatch(params["name"]):
        raise InvalidBuild(
            f"name is {params['name']!r}; it must be 2 to 150 letters, digits, hyphens and underscores, and begin "
            "with a letter or a digit."
        )
    if params["timeout_minutes"] not in TIMEOUT_MINUTES:
        raise InvalidBuild(
            f"timeout_minutes is {params['timeout_minutes']}; it must be from {TIMEOUT_MINUTES.start} to "
            f"{TIMEOUT_MINUTES.stop - 1}."
        )
    if not params["image_tags"]:
        raise InvalidBuild("image_tags is empty; its first entry is the tag that the context has.")
    for name in arguments:
        if not _VARIABLE.fullmatch(name) or name.startswith("CODEBUILD_") or name in PLACE_VARIABLES:
            raise InvalidBuild(
                f"build_args has {name!r}; CodeBuild hands build arguments over as environment variables, so it must "
                f"be letters, digits and underscores, must not begin with CODEBUILD_, and must not be one of "
                f"{', '.join(PLACE_VARIABLES)}."
            )
