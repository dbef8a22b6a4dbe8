# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong stage file stops the run in its first task, with file, key, value and what is allowed."""

from __future__ import annotations

import pytest
from stage_project import Project


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model_serving_serverless_memory_size_mb": 1500}, "1024, 2048, 3072, 4096, 5120, 6144"),
        ({"model_serving_serverless_memory": 2048}, "Did you mean model_serving_serverless_memory_size_mb?"),
        (
            {"model_serving_model_s3_path": "s3://bucket/model.tar.gz", "model_serving_model_id": "org/model"},
            "Set one of the two",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(project: Project, settings: dict[str, object], expected: str) -> None:
    stage = f"wrong-{len(list((project.root / 'inventories').iterdir()))}"
    project.new_stage(stage, **settings)
    run = project.try_play("deploy", stage)
    assert run.code != 0
    assert f"inventories/{stage}/group_vars/stage.yml:" in run.output
    assert next(iter(settings)) in run.output
    assert expected in run.output
    assert "Traceback" not in run.output
    assert "Start the local cloud" not in run.output


def test_a_stage_name_that_aws_would_refuse_is_named(project: Project) -> None:
    project.new_stage("my_stage")
    run = project.try_play("deploy", "my_stage")
    assert run.code != 0
    assert "inventories/my_stage: stage_name = 'my_stage'" in run.output
    assert "directory in inventories" in run.output


def test_a_wrong_value_on_the_command_line_is_named(project: Project) -> None:
    project.new_stage("right")
    run = project.try_play("deploy", "right", "-e", "model_serving_serverless_max_concurrency=500")
    assert run.code != 0
    assert "-e on the command line" in run.output
    assert "1 to 200" in run.output


def test_a_new_stage_is_written_from_answers_given_beforehand(project: Project) -> None:
    run = project.command(
        "ansible-playbook", "new_stage.yml", "-e", "stage_name=staging", "-e", "stage_region=eu-central-1",
        "-e", "model_serving_serverless_memory_size_mb=2048",
    )  # fmt: skip
    assert run.code == 0, run.output
    written = (project.root / "inventories" / "staging" / "group_vars" / "stage.yml").read_text()
    assert 'stage_region: "eu-central-1"' in written
    assert "model_serving_serverless_memory_size_mb: 2048" in written
    again = project.command("ansible-playbook", "new_stage.yml", "-e", "stage_name=staging")
    assert again.code != 0
    assert "is there already" in again.output


def test_a_new_stage_on_instances_is_asked_for_their_type(project: Project) -> None:
    run = project.command(
        "ansible-playbook", "new_stage.yml", "-e", "stage_name=fleet", "-e", "model_serving_endpoint_type=instance"
    )
    assert run.code == 0, run.output
    assert "ml.m5.large" in (project.root / "inventories" / "fleet" / "group_vars" / "stage.yml").read_text()


def test_a_new_stage_with_a_wrong_answer_is_not_written(project: Project) -> None:
    run = project.command(
        "ansible-playbook",
        "new_stage.yml",
        "-e",
        "stage_name=other",
        "-e",
        "model_serving_serverless_memory_size_mb=1500",
    )
    assert run.code != 0
    assert "Nothing was written" in run.output
    assert not (project.root / "inventories" / "other").exists()
