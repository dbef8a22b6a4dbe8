# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong setting is found before anything is touched, and the sentence says what would be right."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import settings as stage_settings
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.settings import Source

OPTIONS = stage_settings.all_options()
GOOD = {
    "stage_name": "prod",
    "stage_project": "modelhost",
    "stage_region": "eu-central-1",
    "stage_account_id": "123456789012",
    "model_serving_endpoint_type": "serverless",
    "model_serving_serverless_memory_size_mb": 2048,
    "model_serving_serverless_max_concurrency": 5,
}


def sentences(**changes: object) -> list[str]:
    return [stage_settings.explain(finding, None) for finding in stage_settings.check({**GOOD, **changes}, OPTIONS)]


def test_a_good_stage_has_nothing_wrong() -> None:
    assert sentences() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model_serving_serverless_memory_size_mb": 1500}, "1024, 2048, 3072, 4096, 5120, 6144"),
        ({"model_serving_serverless_memory_size_mb": "lots"}, "1024, 2048"),
        ({"model_serving_serverless_max_concurrency": 201}, "1 to 200"),
        ({"model_serving_serverless_max_concurrency": True}, "of type int"),
        ({"model_serving_endpoint_type": "lambda"}, "serverless, instance"),
        ({"model_serving_endpoint_type": None}, "is empty"),
        ({"model_serving_endpoint_type": "instance"}, "ml.m5.large"),
        ({"model_serving_instance_type": "m5.large"}, "ml.m5.large"),
        ({"model_serving_instance_count": 0}, "1 to"),
        ({"stage_name": "my_stage"}, "letters, digits and single hyphens"),
        ({"stage_name": "Prod"}, "lower-case"),
        ({"stage_name": "a" * 60}, "room for 35"),
        ({"stage_project": "-x"}, "hyphens between"),
        ({"stage_account_id": "12345"}, "12 digits"),
        ({"stage_permissions_boundary": "boundary"}, "a policy's ARN"),
        ({"stage_region": "Frankfurt"}, "us-east-1"),
        ({"stage_extra_tags": {"modelhost:stage": "x"}}, "project's own"),
        ({"stage_extra_tags": {"aws:x": "y"}}, "reserved"),
        ({"model_serving_model_s3_path": "s3://bucket/model/"}, "s3://bucket/path/model.tar.gz"),
        ({"model_serving_model_id": "two words"}, "distilbert/distilbert-base-uncased"),
        ({"model_serving_environment": {"DB_PASSWORD": "hunter2"}}, "Secrets Manager"),
        ({"model_serving_environment": {"A-B": "x"}}, "letters, digits and underscores"),
        ({"model_serving_keep_generations": 21}, "0 (keep only the live one) to 20"),
        ({"local_cloud_port": 80}, "1024 to 65535"),
        ({"demo_api_lambda_timeout_seconds": 31}, "5 to 29"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(changes: dict[str, object], expected: str) -> None:
    found = sentences(**changes)
    assert len(found) == 1, found
    assert next(iter(changes)) in found[0]
    assert expected in found[0]


def test_a_model_from_two_places_is_refused() -> None:
    found = sentences(model_serving_model_s3_path="s3://bucket/model.tar.gz", model_serving_model_id="org/model")
    assert len(found) == 1
    assert "Set one of the two" in found[0]


def test_a_secret_value_is_not_repeated_in_the_sentence() -> None:
    assert "hunter2" not in "".join(sentences(model_serving_environment={"DB_PASSWORD": "hunter2"}))


def test_all_mistakes_are_reported_at_once() -> None:
    assert len(sentences(stage_region="x", stage_account_id="y", model_serving_serverless_memory_size_mb=1)) == 3


def test_an_unknown_key_of_ours_is_found_with_the_nearest_that_exists() -> None:
    (finding,) = stage_settings.unknown_keys(["model_serving_serverless_memory_mb", "my_own_variable"], OPTIONS)
    assert "Did you mean model_serving_serverless_memory_size_mb?" in finding.problem


def test_the_sentence_starts_with_file_and_line() -> None:
    (finding,) = stage_settings.check({"stage_region": "x"}, OPTIONS)
    line = stage_settings.explain(finding, Source("inventories/prod/group_vars/stage.yml", 3))
    assert line.startswith("inventories/prod/group_vars/stage.yml:3: stage_region = 'x': ")


def test_values_from_the_command_line_count_as_their_type() -> None:
    typed, findings = stage_settings.check_typed({"model_serving_serverless_max_concurrency": "7"}, OPTIONS)
    assert (typed, findings) == ({"model_serving_serverless_max_concurrency": 7}, [])


@pytest.mark.parametrize(
    ("changes", "key", "hint"),
    [
        (
            {"model_serving_serverless_provisioned_concurrency": 6},
            "model_serving_serverless_provisioned_concurrency",
            "1 to 5",
        ),
        (
            {"model_serving_data_capture": {"destination_s3_uri": "s3://bucket/x"}},
            "model_serving_data_capture",
            "serverless",
        ),
        ({"model_serving_deployment": {"strategy": "canary", "size": 51}}, "model_serving_deployment.size", "1 to 50"),
        (
            {"model_serving_vpc": {"security_group_ids": ["sg-1"], "subnets": ["subnet-1"]}},
            "model_serving_vpc",
            "serverless endpoints in a VPC",
        ),
        (
            {"model_serving_autoscaling": {"min_capacity": 1, "max_capacity": 2, "target_value": 0.7}},
            "model_serving_autoscaling",
            "provisioned",
        ),
        ({"model_serving_variants": [{"variant_name": "a"}]}, "model_serving_variants", "serverless"),
    ],
)
def test_what_does_not_go_together_is_said_in_the_words_of_the_stage_file(
    changes: dict[str, object], key: str, hint: str
) -> None:
    found = sentences(**changes)
    assert len(found) == 1, found
    assert found[0].startswith(key)
    assert hint in found[0]


@pytest.mark.parametrize("key", [name for name, option in OPTIONS.items() if option.get("type") == "dict"])
def test_a_choice_that_is_not_made_lacks_nothing(key: str) -> None:
    assert sentences(**{key: {}}) == []
