# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud of the tests' own, with something to serve on it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local_cloud")]

from local_cloud_images import make_venv, model_tar_gz, push_image  # noqa: E402
from sagemaker_on_cloud import ROOT, Cloud, Endpoint  # noqa: E402

#: A Python with the local cloud's requirements; the one the tests run on where it has them too.
CLOUD_PYTHON = os.environ.get("LOCAL_CLOUD_PYTHON", sys.executable)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud on a free port, stopped at the end."""
    home = tmp_path_factory.mktemp("cloud")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = ["--home", str(home / "home"), "--port", str(port), "--venvs", str(home / "venvs")]
    make_venv(home / "venvs", sys.executable)
    command, directory = [CLOUD_PYTHON, "-m", "local_cloud"], ROOT / "files" / "local_cloud"
    subprocess.run([*command, "start", *place, "--startup-timeout", "5"], cwd=directory, check=True)
    try:
        started = Cloud(f"http://127.0.0.1:{port}")
        yield Cloud(started.url, role=_make_role(started), image=_make_image(started))
    finally:
        subprocess.run([*command, "stop", *place], cwd=directory, check=True)


def _make_role(cloud: Cloud) -> str:
    allowed = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    role = cloud.client("iam").create_role(RoleName="execution", AssumeRolePolicyDocument=trust)["Role"]
    return str(role["Arn"])


def _make_image(cloud: Cloud) -> str:
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="serving")
    return push_image(ecr, "serving")


@pytest.fixture
def endpoint(cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest) -> Endpoint:
    """An endpoint that no other test shares; tests share the cloud and nothing on it."""
    return Endpoint(cloud, tmp_path, f"t-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]}")


@pytest.fixture
def artifact(cloud: Cloud, endpoint: Endpoint) -> str:
    """The URL of a model artifact."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=endpoint.name)
    s3.put_object(Bucket=endpoint.name, Key="model.tar.gz", Body=model_tar_gz({"weights.txt": "first"}))
    return f"s3://{endpoint.name}/model.tar.gz"
