# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories for AWS deploy to a local cloud that environment variables point them at."""

from __future__ import annotations

import pytest
from stage_project import ANSWER, REPOSITORY, Project, ask

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def artifact(project: Project) -> str:
    """The demonstration model as a model.tar.gz in a bucket of the user's own."""
    project.new_stage("starter")
    project.play("deploy", "starter", "--check")
    from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.archive import model_files, pack

    root = REPOSITORY / "files" / "model" / "distilbert-demo"
    pack(root, model_files(root), project.root / "build" / "model.tar.gz")
    client = project.client("s3", ACCOUNT)
    client.create_bucket(Bucket="a-users-own-bucket")
    client.upload_file(str(project.root / "build" / "model.tar.gz"), "a-users-own-bucket", "models/demo/model.tar.gz")
    return "s3://a-users-own-bucket/models/demo/model.tar.gz"


@pytest.mark.parametrize("stage", ["serverless", "instance"])
def test_it_deploys_with_no_edit_but_the_account(project: Project, artifact: str, stage: str) -> None:
    project.change(stage, stage_account_id=ACCOUNT)
    env = {
        "AWS_ENDPOINT_URL": project.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "stage-has-no-secret",
    }
    model = ("-e", "model_serving_model_id=", "-e", f"model_serving_model_s3_path={artifact}")
    venvs = ("-e", f"local_cloud_venvs={REPOSITORY}/.local_cloud/venvs")
    run = project.play("deploy", stage, *model, *venvs, env=env)
    assert f"Account   {ACCOUNT}" in run.output
    url = next(line.split()[1] for line in run.output.splitlines() if line.split()[:1] == ["URL"])
    assert ask(url) == (200, ANSWER)
    project.play("teardown", stage, *model, env=env)
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
