# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment variables of a build's commands.

Source: CodeBuild's user guide, "Environment variables in build environments".
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from ..settings import Settings
from ..store import Document
from .build_record import log_place, variables_of

_AWS_COMMAND = Path(__file__).with_name("aws_command.py")


def environment_of(
    settings: Settings,
    build: Document,
    directory: Path,
    buildspec_variables: Mapping[str, str],
    credentials: Mapping[str, str],
    region: str,
) -> dict[str, str]:
    """All variables of a build's commands. directory: the build's own; credentials: the service role's.

    The project's and StartBuild's variables come before the buildspec's; what CodeBuild sets itself before both.
    A Docker engine is there only in privileged mode, as on AWS.
    """
    engine = {}
    if build["environment"].get("privilegedMode") and settings.docker_host:
        engine = {"DOCKER_HOST": settings.docker_host, "DOCKER_CONFIG": str(directory / "docker")}
    source = build["source"]
    return {
        **buildspec_variables,
        **variables_of(build),
        **settings.network,
        "LANG": "C.UTF-8",
        "PATH": f"{directory / 'bin'}{os.pathsep}{settings.path}",
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "CODEBUILD_BUILD_ARN": build["arn"],
        "CODEBUILD_BUILD_ID": build["id"],
        "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build.get("initiator", ""),
        "CODEBUILD_KMS_KEY_ID": build["encryptionKey"],
        "CODEBUILD_LOG_PATH": log_place(build)[1],
        "CODEBUILD_SOURCE_REPO_URL": source.get("location", ""),
        "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion", ""),
        "CODEBUILD_SRC_DIR": str(directory / "src"),
        "CODEBUILD_START_TIME": str(int(build["startTime"] * 1000)),
        **engine,
        **credentials,
    }


def furnish(settings: Settings, directory: Path) -> None:
    """Make the directories of a build, with the command `aws` and an empty login of Docker in them.

    Docker finds its plugins beside the login of whoever started the cloud; the login itself stays theirs.
    """
    for name in ("bin", "docker", "home", "src", "state", "tmp"):
        (directory / name).mkdir(parents=True)
    aws = directory / "bin" / "aws"
    aws.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{_AWS_COMMAND}" "$@"\n')
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    plugins = [str(Path(settings.docker_config) / "cli-plugins")] if settings.docker_config else []
    (directory / "docker" / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": plugins}))
