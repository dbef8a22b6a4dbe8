# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories for AWS deploy to a local cloud that environment variables point them at."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.archive import pack
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import model_files, sums_of
from stage_project import ANSWER, REPOSITORY, Project, ask

sys.path.insert(0, str(REPOSITORY / "tests" / "unit" / "serving"))

from serving_fake_hub import FakeHub, files_of

ACCOUNT = "123456789012"
DEMO = REPOSITORY / "files" / "model" / "distilbert-demo"
VENVS = ("-e", f"local_cloud_venvs={REPOSITORY}/.local_cloud/venvs")


@pytest.fixture(scope="module")
def artifact(project: Project) -> str:
    """The demonstration model as a model.tar.gz in a bucket of the user's own."""
    project.new_stage("starter")
    project.play("deploy", "starter", "--check")
    pack(DEMO, sums_of(DEMO, model_files(DEMO)), project.root / "build" / "model.tar.gz")
    client = project.client("s3", ACCOUNT)
    client.create_bucket(Bucket="a-users-own-bucket")
    client.upload_file(str(project.root / "build" / "model.tar.gz"), "a-users-own-bucket", "models/demo/model.tar.gz")
    return "s3://a-users-own-bucket/models/demo/model.tar.gz"


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    """A hub that has the inventories' model at their commit: the demonstration's graph, which needs no compiling."""
    files = {name: content for name, content in files_of(DEMO).items() if not name.endswith(".safetensors")}
    hub = FakeHub(
        files,
        "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
        commit="714eb0fa89d2f80546fda750413ed43d93601a13",
    )
    yield hub
    hub.close()


def deployed(project: Project, stage: str, *arguments: str, **environment: str) -> None:
    """Deploy a stage to the local cloud, ask it, and tear it down."""
    project.change(stage, stage_account_id=ACCOUNT)
    env = {
        "AWS_ENDPOINT_URL": project.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "stage-has-no-secret",
        **environment,
    }
    run = project.play("deploy", stage, *arguments, *VENVS, env=env)
    assert f"Account   {ACCOUNT}" in run.output
    url = next(line.split()[1] for line in run.output.splitlines() if line.split()[:1] == ["URL"])
    assert ask(url) == (200, ANSWER)
    project.play("teardown", stage, *arguments, env=env)


@pytest.mark.parametrize("stage", ["serverless", "instance"])
def test_it_deploys_with_no_edit_but_the_account(project: Project, artifact: str, hub: FakeHub, stage: str) -> None:
    hub.fetched.clear()
    deployed(project, stage, HF_ENDPOINT=hub.url, no_proxy="127.0.0.1")
    # The second stage finds the commit that the first has fetched.
    assert ("model.onnx" in hub.fetched) == (stage == "serverless")


def test_an_artifact_of_the_users_own_is_served_from_where_it_lies(project: Project, artifact: str) -> None:
    source = ("-e", "model_serving_model_id=", "-e", f"model_serving_model_s3_path={artifact}")
    deployed(project, "serverless", *source)
    assert project.client("s3", ACCOUNT).head_object(Bucket="a-users-own-bucket", Key="models/demo/model.tar.gz")


def test_credentials_of_another_account_change_nothing(project: Project, artifact: str) -> None:
    project.change("serverless", stage_account_id=ACCOUNT)
    before = project.calls_so_far()
    env = {
        "AWS_ENDPOINT_URL": project.endpoint_url,
        "AWS_ACCESS_KEY_ID": "210987654321",
        "AWS_SECRET_ACCESS_KEY": "stage-has-no-secret",
    }
    run = project.try_play("deploy", "serverless", "-e", "model_serving_model_id=", env=env)
    assert run.code != 0
    assert "belong to account 210987654321" in run.output
    assert project.writes(before) == []
