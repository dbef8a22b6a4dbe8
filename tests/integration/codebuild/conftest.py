# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud whose builds have a stand-in for docker, so that these tests need no engine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local_cloud")]

from codebuild_on_cloud import CONTEXTS, LOG_GROUP, REPOSITORY, ROLE_NAME, Stage  # noqa: E402
from local_cloud_process import LocalCloud, free_port  # noqa: E402

TRUST = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    root = tmp_path_factory.mktemp("cloud")
    programs = root / "programs"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "codebuild_stand_in.py"}" "$@"\n')
    docker.chmod(0o755)
    # Nobody looks whether an engine answers until a container is started.
    cloud = LocalCloud(root / "home", root / "venvs", free_port(), docker_host="tcp://127.0.0.1:9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture(scope="module")
def furnished(cloud: LocalCloud) -> LocalCloud:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    cloud.client("iam").create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=trust)
    cloud.client("logs").create_log_group(logGroupName=LOG_GROUP)
    cloud.client("s3").create_bucket(Bucket=CONTEXTS)
    cloud.client("ecr").create_repository(repositoryName=REPOSITORY)
    return cloud


@pytest.fixture
def stage(furnished: LocalCloud, tmp_path: Path) -> Stage:
    """A context and a project of the test's own."""
    return Stage(furnished, tmp_path)
