# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions that make a stage ask what is needed and nothing that is not."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import settings as stage_settings
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.questions import (
    QUESTIONS,
    next_question,
    problems_so_far,
)

OPTIONS = stage_settings.all_options()


def asked(**given: object) -> list[str]:
    answers: dict[str, object] = {"stage_name": "x"}
    keys = []
    while question := next_question(answers):
        keys.append(question.key)
        assert question.key in OPTIONS
        answers[question.key] = given.get(question.key, question.default)
        typed, findings = stage_settings.check_typed(answers, OPTIONS)
        assert not problems_so_far(findings, answers)
        answers = typed
    return keys


def test_every_question_answers_a_setting_that_exists() -> None:
    assert {question.key for question in QUESTIONS} <= set(OPTIONS)


def test_every_default_is_one_that_aws_would_take() -> None:
    assert "stage_region" in asked()


def test_a_local_stage_is_not_asked_for_account_and_region() -> None:
    assert not {"stage_region", "stage_account_id"} & set(asked(local_cloud_enabled="yes"))


@pytest.mark.parametrize(("kind", "other"), [("serverless", "instance_"), ("instance", "serverless_")])
def test_only_the_sizes_of_the_chosen_kind_are_asked_for(kind: str, other: str) -> None:
    assert not [key for key in asked(model_serving_endpoint_type=kind) if other in key]


def test_a_revision_is_asked_for_where_the_model_comes_from_the_hub() -> None:
    assert "model_serving_model_revision" not in asked()
    assert "model_serving_model_revision" in asked(model_serving_model_id="org/model")


def test_the_hub_is_not_asked_about_where_the_model_comes_from_s3() -> None:
    assert "model_serving_model_id" not in asked(model_serving_model_s3_path="s3://bucket/model.tar.gz")
