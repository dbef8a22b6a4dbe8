# SPDX-License-Identifier: GPL-3.0-or-later
"""What lambda_function takes, and what it decides to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.model import (
    Configuration,
    FoundAlias,
    FoundFunction,
    InvalidFunction,
    WantedFunction,
    wanted_function,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.plan import (
    describe_found,
    describe_wanted,
    plan_absent,
    plan_present,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Later, Step

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:demo"
TAGS = {"modelhost:stage": "prod"}
CONFIGURATION = Configuration(
    role_arn="arn:aws:iam::123456789012:role/demo",
    runtime="python3.13",
    handler="demo.handler",
    description="d",
    timeout=29,
    memory_size=256,
    environment_variables={"ENDPOINT_NAME": "prod"},
    code_sha256="new",
)
WANTED = WantedFunction("demo", "live", CONFIGURATION, package=b"zip", tags=TAGS)
FOUND = FoundFunction(ARN, CONFIGURATION, FoundAlias(f"{ARN}:live", "3"), published=CONFIGURATION, tags=TAGS)
PARAMS: dict[str, Any] = {
    "name": "demo",
    "alias": "live",
    "role_arn": CONFIGURATION.role_arn,
    "runtime": "python3.13",
    "handler": "demo.handler",
    "description": "d",
    "timeout": 29,
    "memory_size": 256,
    "environment_variables": {"MAX_INPUTS": 32},
    "reserved_concurrent_executions": None,
    "tags": None,
}


def operations(steps: list[Step]) -> list[str]:
    return [step.operation for step in steps]


def test_a_function_as_wanted_needs_no_step() -> None:
    assert plan_present(WANTED, FOUND) == []


def test_a_new_function_is_published_and_gets_its_alias() -> None:
    create, alias = plan_present(WANTED, None)
    assert (create.operation, create.parameters["Publish"], create.parameters["Tags"]) == (
        "create_function",
        True,
        TAGS,
    )
    assert create.parameters["Environment"] == {"Variables": {"ENDPOINT_NAME": "prod"}}
    assert (alias.operation, alias.parameters["FunctionVersion"]) == ("create_alias", Later("version"))
    assert create.saves == {"Version": "version"}


def test_changed_source_is_uploaded_published_and_served_and_nothing_else_happens() -> None:
    old = replace(CONFIGURATION, code_sha256="old")
    steps = plan_present(WANTED, replace(FOUND, latest=old, published=old))
    assert operations(steps) == ["update_function_code", "publish_version", "update_alias"]
    assert steps[0].parameters == {"FunctionName": "demo", "ZipFile": b"zip", "Publish": False}
    assert steps[1].parameters["CodeSha256"] == "new"
    assert steps[2].parameters["FunctionVersion"] == Later("version")


@pytest.mark.parametrize(
    "change",
    [
        {"memory_size": 512},
        {"timeout": 10},
        {"environment_variables": {}},
        {"runtime": "python3.12"},
        {"role_arn": "r"},
    ],
    ids=str,
)
def test_changed_configuration_is_published_and_served_too(change: dict[str, Any]) -> None:
    old = replace(CONFIGURATION, **change)
    steps = plan_present(WANTED, replace(FOUND, latest=old, published=old))
    assert operations(steps) == ["update_function_configuration", "publish_version", "update_alias"]
    assert steps[0].sentence == f"Change the {next(iter(change)).replace('_', ' ')} of demo"


def test_a_run_that_was_cut_off_before_publishing_is_completed() -> None:
    steps = plan_present(WANTED, replace(FOUND, published=replace(CONFIGURATION, code_sha256="old")))
    assert operations(steps) == ["publish_version", "update_alias"]


def test_a_run_that_was_cut_off_before_the_alias_is_completed() -> None:
    steps = plan_present(WANTED, replace(FOUND, alias=None, published=None))
    assert operations(steps) == ["publish_version", "create_alias"]


def test_an_alias_on_latest_is_moved_to_a_version() -> None:
    steps = plan_present(WANTED, replace(FOUND, alias=FoundAlias(f"{ARN}:live", "$LATEST"), published=None))
    assert operations(steps) == ["publish_version", "update_alias"]


def test_what_someone_changed_on_latest_is_put_back_without_a_new_version() -> None:
    steps = plan_present(WANTED, replace(FOUND, latest=replace(CONFIGURATION, timeout=3)))
    assert operations(steps) == ["update_function_configuration"]


def test_an_alias_that_shares_its_calls_is_put_back_on_its_version() -> None:
    (step,) = plan_present(WANTED, replace(FOUND, alias=FoundAlias(f"{ARN}:live", "3", weighted=True)))
    assert step.parameters["FunctionVersion"] == "3"
    assert step.parameters["RoutingConfig"] == {"AdditionalVersionWeights": {}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, []),
        (5, 5, []),
        (None, 5, ["put_function_concurrency"]),
        (5, 0, ["put_function_concurrency"]),
        (5, None, ["delete_function_concurrency"]),
    ],
)
def test_reserved_concurrency(before: int | None, after: int | None, expected: list[str]) -> None:
    wanted = replace(WANTED, reserved_concurrent_executions=after)
    assert operations(plan_present(wanted, replace(FOUND, reserved_concurrent_executions=before))) == expected


def test_a_new_function_reserves_its_concurrency_before_anyone_can_call_it() -> None:
    steps = plan_present(replace(WANTED, reserved_concurrent_executions=5), None)
    assert operations(steps) == ["create_function", "put_function_concurrency", "create_alias"]


def test_tags_are_set_and_removed() -> None:
    steps = plan_present(WANTED, replace(FOUND, tags={"old": "x"}))
    assert operations(steps) == ["tag_resource", "untag_resource"]
    assert steps[0].parameters == {"Resource": ARN, "Tags": TAGS}
    assert steps[1].parameters == {"Resource": ARN, "TagKeys": ["old"]}


def test_removing_is_one_step_and_nothing_for_nothing() -> None:
    (step,) = plan_absent("demo", FOUND)
    assert (step.operation, step.parameters) == ("delete_function", {"FunctionName": "demo"})
    assert "ResourceNotFoundException" in step.gone_codes
    assert plan_absent("demo", None) == []


def test_a_function_as_wanted_has_no_difference() -> None:
    assert describe_found(FOUND) == describe_wanted(WANTED)
    assert describe_found(None) == {}


def test_the_options_become_a_function() -> None:
    wanted = wanted_function(PARAMS, b"zip")
    assert wanted.configuration.environment_variables == {"MAX_INPUTS": "32"}
    assert wanted.configuration.code_sha256 == "SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I="


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "a b"}, "name is 'a b'; it must be 1 to 64"),
        ({"name": "x" * 65}, "name is"),
        ({"alias": "7"}, "alias is '7'; it must be .* not only digits"),
        ({"timeout": 0}, "timeout is 0; it must be from 1 to 900"),
        ({"timeout": 901}, "timeout is 901"),
        ({"memory_size": 127}, "memory_size is 127; it must be from 128 to 10240"),
        ({"reserved_concurrent_executions": -1}, "reserved_concurrent_executions is -1; it must be 0 or more"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_option(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidFunction, match=sentence):
        wanted_function({**PARAMS, **change}, b"zip")
