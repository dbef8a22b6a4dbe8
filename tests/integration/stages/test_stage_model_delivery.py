# SPDX-License-Identifier: GPL-3.0-or-later
"""How a model comes to the endpoint: packaged and uploaded, in the image, or from the hub at each start."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stage_project import ANSWER, REPOSITORY, Project, ask

sys.path.insert(0, str(REPOSITORY / "tests" / "unit" / "serving"))

from serving_fake_hub import COMMIT, FakeHub, files_of

TOKEN = "hf_TheTokenThatNobodyMaySee"
DEMO = REPOSITORY / "files" / "model" / "distilbert-demo"
# A repository with a graph and no weights: nothing has to be compiled, which takes torch.
REPOSITORY_FILES = {name: content for name, content in files_of(DEMO).items() if not name.endswith(".safetensors")}


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    """A private model whose token lies in the local Secrets Manager."""
    hub = FakeHub({**REPOSITORY_FILES, "modeling.py": b"raise SystemExit('ran')"}, token=TOKEN)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def public_hub() -> Iterator[FakeHub]:
    hub = FakeHub(dict(REPOSITORY_FILES))
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def env(hub: FakeHub) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, "no_proxy": "127.0.0.1"}


@pytest.fixture(scope="module", autouse=True)
def stage(project: Project) -> None:
    project.new_stage(
        "private",
        model_serving_model_id="organisation/tiny",
        model_serving_model_revision="main",
        model_serving_hub_token_secret_id="hub/token",
    )


def model_of(project: Project, endpoint: str) -> dict[str, Any]:
    """The container of the endpoint's live Model."""
    client = project.client("sagemaker")
    config = client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    variant = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    return dict(client.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"])


def test_a_check_says_what_would_be_fetched_and_fetches_and_writes_nothing(
    project: Project, hub: FakeHub, env: dict[str, str]
) -> None:
    run = project.play("deploy", "private", "--check", "--diff", env=env)
    assert "organisation/tiny would be fetched, compiled and packaged" in run.output
    assert "organisation/tiny at main" in run.output
    assert (hub.fetched, hub.tokens) == ([], set())
    assert not (project.root / "build").exists()
    assert project.writes(0) == []


def test_the_right_to_read_the_token_names_the_one_secret(project: Project) -> None:
    run = project.play("policy", "private")
    written = project.root / "build" / "policies" / "private" / "hub_token.json"
    assert f"file://{written}" in run.output
    (statement,) = json.loads(written.read_text())["Statement"]
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert statement["Resource"] == "arn:aws:secretsmanager:us-east-1:000000000000:secret:hub/token-??????"


def test_a_token_that_is_not_there_is_named_with_its_secret(project: Project, env: dict[str, str]) -> None:
    run = project.try_play("deploy", "private", env=env)
    assert run.code != 0
    assert "Cannot read the hub's token from secret hub/token" in run.output
    assert project.writes(0) == []


def test_a_private_model_is_fetched_at_its_commit_and_served_from_s3(
    project: Project, hub: FakeHub, env: dict[str, str]
) -> None:
    project.client("secretsmanager").create_secret(Name="hub/token", SecretString=json.dumps({"token": TOKEN}))
    run = project.play("deploy", "private", "-vvv", "--diff", env=env)
    assert ask(project.url("private")) == (200, ANSWER)
    assert f"organisation/tiny at {COMMIT}" in run.output
    assert "fetching organisation/tiny:" in run.output
    assert "modeling.py" not in hub.fetched
    assert hub.tokens == {TOKEN}
    assert TOKEN not in run.output
    container = model_of(project, "modelhost-private")
    assert container["ModelDataUrl"].startswith("s3://modelhost-private-")
    assert container["Environment"] == {"HF_TASK": "text-classification"}


def test_the_token_is_nowhere_but_in_its_secret(project: Project) -> None:
    logs = project.client("logs")
    for group in ("/aws/sagemaker/Endpoints/modelhost-private", "/aws/lambda/modelhost-private-demo"):
        events = logs.filter_log_events(logGroupName=group)["events"]
        assert TOKEN not in json.dumps(events)
    left = [path for path in (project.root / "build").rglob("*") if path.is_file() and TOKEN in text_of(path)]
    assert left == []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()):
            assert TOKEN not in text_of(process / "cmdline") + text_of(process / "environ")
    assert TOKEN not in json.dumps(project.calls())


def text_of(path: Path) -> str:
    """What can be read at a path; a process that has ended has nothing to read."""
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_an_unchanged_model_is_neither_fetched_nor_packaged_nor_uploaded_again(
    project: Project, hub: FakeHub, env: dict[str, str]
) -> None:
    hub.fetched.clear()
    before = project.calls_so_far()
    run = project.play("deploy", "private", env=env)
    assert run.changed == 0
    assert hub.fetched == []
    assert project.writes(before) == []


def test_a_commit_that_is_here_needs_neither_hub_nor_token(project: Project) -> None:
    before = project.calls_so_far()
    commit = ("-e", f"model_serving_model_revision={COMMIT}")
    run = project.play("deploy", "private", *commit, env={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert run.changed == 0
    assert "GetSecretValue" not in [call["operation"] for call in project.calls(before)]


def test_the_same_model_in_the_image_is_served_without_an_artifact(project: Project, env: dict[str, str]) -> None:
    before = project.calls_so_far()
    project.play("deploy", "private", "-e", "model_serving_model_delivery=image", env=env)
    assert ask(project.url("private")) == (200, ANSWER)
    container = model_of(project, "modelhost-private")
    assert "ModelDataUrl" not in container
    assert "HF_MODEL_ID" not in container["Environment"]
    assert "s3:PutObject" not in project.writes(before)


def test_a_private_model_is_not_left_to_the_container_to_fetch(project: Project, env: dict[str, str]) -> None:
    # The preflight refuses the secret; a stage that does not name one learns it from the hub.
    run = project.try_play("deploy", "private", "-e", "model_serving_model_delivery=hub", env=env)
    assert run.code != 0
    assert "in its environment" in run.output
    without = ("-e", "model_serving_model_delivery=hub", "-e", "model_serving_hub_token_secret_id=")
    run = project.try_play("deploy", "private", *without, env=env)
    assert run.code != 0
    assert "The hub has no model organisation/tiny, or it is private" in run.output


def test_a_public_model_is_fetched_by_the_container_at_the_commit_that_the_deploy_resolved(
    project: Project, public_hub: FakeHub
) -> None:
    reach = {"HF_ENDPOINT": public_hub.url, "no_proxy": "127.0.0.1"}
    project.new_stage(
        "public",
        model_serving_model_id="organisation/tiny",
        model_serving_model_delivery="hub",
        model_serving_environment=reach,
    )
    project.play("deploy", "public", env=reach)
    assert ask(project.url("public")) == (200, ANSWER)
    container = model_of(project, "modelhost-public")
    assert "ModelDataUrl" not in container
    assert container["Environment"]["HF_MODEL_ID"] == "organisation/tiny"
    assert container["Environment"]["HF_MODEL_REVISION"] == COMMIT
    assert "model.onnx" in public_hub.fetched
    with pytest.raises(ClientError, match="404"):
        project.client("s3").head_bucket(Bucket="modelhost-public-000000000000-us-east-1")


def test_a_changed_file_in_the_artifact_keeps_the_endpoint_from_starting(project: Project, env: dict[str, str]) -> None:
    # The generation with the model in the image serves; its successor must not replace it with a spoilt model.
    client = project.client("s3")
    (listed,) = client.list_objects_v2(Bucket="modelhost-private-000000000000-us-east-1")["Contents"]
    spoil(project, client, listed["Key"])
    run = project.try_play("deploy", "private", env=env)
    assert run.code != 0
    assert "is not the one that was packaged" in run.output
    assert ask(project.url("private")) == (200, ANSWER)


def spoil(project: Project, client: Any, key: str) -> None:
    """Put another tokenizer into the artifact, under the sums of the first."""
    import io
    import tarfile

    bucket = "modelhost-private-000000000000-us-east-1"
    archive = io.BytesIO(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    spoilt = io.BytesIO()
    with tarfile.open(fileobj=archive) as source, tarfile.open(fileobj=spoilt, mode="w:gz") as target:
        for entry in source:
            content = source.extractfile(entry)
            assert content
            data = content.read()
            if entry.name == "tokenizer_config.json":
                data = data + b"\n"
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    client.put_object(Bucket=bucket, Key=key, Body=spoilt.getvalue())
