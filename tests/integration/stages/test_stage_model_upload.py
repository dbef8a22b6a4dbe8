# SPDX-License-Identifier: GPL-3.0-or-later
"""A large model goes up in parts, and what has arrived before a kill is not sent again."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.multipart import PART, parts_of
from stage_killed import faults
from stage_project import REPOSITORY, Project

BUCKET = "models-of-nobody"
MODULE = "ansible_collections.modelhost.sagemaker.plugins.modules.model_artifact"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Path:
    """A model of six parts, and a bucket for it."""
    root = tmp_path_factory.mktemp("large") / "model"
    root.mkdir()
    (root / "config.json").write_text("{}")
    (root / "model.safetensors").write_bytes(random.Random(3).randbytes(5 * PART + 1000))
    project.new_stage("uploads")
    project.play("deploy", "uploads", "--check")
    project.client("s3").create_bucket(Bucket=BUCKET)
    return root


def start(project: Project, model: Path) -> subprocess.Popen[str]:
    """The module as a program, as Ansible starts it."""
    arguments = model.parent / "arguments.json"
    options = {"path": str(model), "build": str(model.parent / "build"), "bucket": BUCKET}
    options |= {"progress": str(model.parent / "progress")}
    options |= {"endpoint_url": project.endpoint_url, "region": "us-east-1"}
    options |= {"access_key": "000000000000", "secret_key": "stage-has-no-secret"}
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**project.environment(), "PYTHONPATH": str(REPOSITORY / "collections"), "PATH": os.environ["PATH"]},
    )  # fmt: skip


def operations(project: Project, since: int) -> list[str]:
    return [call["operation"] for call in project.calls(since) if call["service"] == "s3"]


def open_uploads(project: Project) -> list[dict[str, Any]]:
    return list(project.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def arrived_parts(project: Project) -> int:
    """How many parts of the one upload in the bucket are there, whole. None is 0."""
    uploads = open_uploads(project)
    if not uploads:
        return 0
    (upload,) = uploads
    place = {"Bucket": BUCKET, "Key": upload["Key"], "UploadId": upload["UploadId"]}
    return len(project.client("s3").list_parts(**place).get("Parts", []))


def test_an_upload_that_was_killed_sends_only_what_is_missing(project: Project, model: Path) -> None:
    # Four parts are on their way at a time. Three get through, in whatever order; the others stand still, and then the
    # power is cut.
    faults(project, "POST", content={"kind": "hold", "operation": "UploadPart", "skip": 3, "id": "here"})
    process = start(project, model)
    while arrived_parts(project) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.kill()
    process.communicate()
    faults(project, "DELETE")
    number = len(parts_of((model.parent / "build").glob("*/model.tar.gz").__next__().stat().st_size))
    assert (arrived_parts(project), number) == (3, 6)

    before = project.calls_so_far()
    process = start(project, model)
    output, errors = process.communicate()
    assert process.returncode == 0, output + errors
    asked = operations(project, before)
    assert asked.count("UploadPart") == 3
    assert "CreateMultipartUpload" not in asked
    assert "MB of it were there from an earlier run" in (model.parent / "progress").read_text()
    assert open_uploads(project) == []


def test_what_arrived_is_the_model(project: Project, model: Path, tmp_path: Path) -> None:
    (listed,) = project.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    archive = tmp_path / "model.tar.gz"
    project.client("s3").download_file(BUCKET, listed["Key"], str(archive))
    subprocess.run(["tar", "--extract", "--gzip", "--file", str(archive)], cwd=tmp_path, check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True)
    weights = (tmp_path / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).digest() == hashlib.sha256((model / "model.safetensors").read_bytes()).digest()


def test_a_model_that_is_there_costs_one_reading_call_and_leaves_no_archive(project: Project, model: Path) -> None:
    before = project.calls_so_far()
    process = start(project, model)
    output, errors = process.communicate()
    assert json.loads(output)["changed"] is False, output + errors
    assert operations(project, before) == ["HeadObject"]
    assert not list((model.parent / "build").glob("*/model.tar.gz"))


def test_a_torn_down_bucket_leaves_no_upload_behind(project: Project, model: Path) -> None:
    client = project.client("s3")
    client.create_multipart_upload(Bucket=BUCKET, Key="model/abandoned/model.tar.gz")
    from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact import s3
    from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.bucket import Bucket, plan_absent

    for step in plan_absent(Bucket(BUCKET)):
        s3.call(client, step, dict(step.parameters))
    assert BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    client.create_bucket(Bucket=BUCKET)
    assert open_uploads(project) == []
