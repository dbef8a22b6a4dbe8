# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against the simulation: what a person sees, and what is called."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import Wanted, wanted_from_options
from sagemaker_simulator import Run, SimulatedSageMaker, check, deploy, refusal, start
from sagemaker_wanted import NAME, instance, options, serverless


def test_the_first_run_makes_model_config_and_endpoint(sagemaker: SimulatedSageMaker) -> None:
    wanted = serverless()
    result = deploy(sagemaker, wanted)
    assert result["changed"]
    assert not result.get("failed")
    assert result["endpoint"]["endpoint_status"] == "InService"
    assert result["endpoint"]["endpoint_config_name"] == wanted.config_name
    assert result["endpoint"]["model_name"] == wanted.model_names[0]
    assert sagemaker.writing_calls == [
        "create_model",
        "create_endpoint_config",
        "create_endpoint",
        "add_tags",
        "add_tags",
        "add_tags",
    ]


def test_a_second_run_makes_four_reading_calls_and_no_other(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless())
    sagemaker.calls.clear()
    result = deploy(sagemaker, serverless())
    assert not result["changed"]
    assert result["plan"] == []
    assert sagemaker.calls == ["describe_endpoint", "list_tags", "describe_endpoint_config", "describe_model"]


def test_an_unchanged_run_costs_the_same_however_many_generations_there_are(sagemaker: SimulatedSageMaker) -> None:
    for memory in (1024, 2048, 3072, 4096, 5120):
        wanted = serverless(memory_size_mb=memory, keep_generations=10)
        deploy(sagemaker, wanted)
    sagemaker.calls.clear()
    deploy(sagemaker, wanted)
    assert len(sagemaker.calls) == 4


def test_other_memory_rotates_the_config_and_keeps_the_model(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(memory_size_mb=2048))
    sagemaker.calls.clear()
    wanted = serverless(memory_size_mb=4096)
    result = deploy(sagemaker, wanted)
    assert result["plan"] == [
        f"new EndpointConfig {wanted.config_name}: memory 2048 → 4096 MB",
        f"update Endpoint {NAME} to the new EndpointConfig {wanted.config_name}",
        f"wait until Endpoint {NAME} is InService on {wanted.config_name}",
        f"record on EndpointConfig {wanted.config_name} that it is proven",
        f"record on Endpoint {NAME} that besides the live one the last 2 generations are kept",
    ]
    assert "create_model" not in sagemaker.calls
    assert sagemaker.live(NAME) == wanted.config_name


def test_other_memory_says_nothing_of_an_artifact_that_is_the_same(sagemaker: SimulatedSageMaker) -> None:
    def wanted(memory: int) -> Wanted:
        plain = options(variant={"serverless": {"memory_size_mb": memory, "max_concurrency": 2}})
        plain["model"]["model_data_url"] = "s3://bucket/model.tar.gz"
        return wanted_from_options(plain, {"s3://bucket/model.tar.gz": "etag"})

    deploy(sagemaker, wanted(2048))
    result = deploy(sagemaker, wanted(4096))
    assert result["plan"][0] == f"new EndpointConfig {wanted(4096).config_name}: memory 2048 → 4096 MB"


def test_another_image_makes_a_new_model_and_config(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    wanted = serverless(image_digest="b")
    result = deploy(sagemaker, wanted)
    assert result["plan"][0] == f"new Model {wanted.model_names[0]}: image sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"
    assert result["plan"][1] == f"new EndpointConfig {wanted.config_name}: new Model"


def test_going_back_uses_the_retained_generation(sagemaker: SimulatedSageMaker) -> None:
    first = serverless(image_digest="a")
    deploy(sagemaker, first)
    deploy(sagemaker, serverless(image_digest="b"))
    sagemaker.calls.clear()
    result = deploy(sagemaker, first)
    assert "create_model" not in sagemaker.calls
    assert "create_endpoint_config" not in sagemaker.calls
    assert result["plan"][0] == (
        f"update Endpoint {NAME} to the retained EndpointConfig {first.config_name}: "
        "image sha256:bbbbbbbbbbbb → sha256:aaaaaaaaaaaa"
    )
    assert sagemaker.live(NAME) == first.config_name


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_the_live_generation_and_the_last_n_are_kept(sagemaker: SimulatedSageMaker, keep: int) -> None:
    names = []
    for digest in "abcdef":
        wanted = serverless(image_digest=digest, keep_generations=keep)
        deploy(sagemaker, wanted)
        names.append(wanted.config_name)
    assert set(sagemaker.configs) == set(names[-(keep + 1) :])
    assert len(sagemaker.models) == keep + 1


def test_the_last_one_is_the_last_that_was_live_and_not_the_last_that_was_made(sagemaker: SimulatedSageMaker) -> None:
    first, second, third = (serverless(image_digest=digest, keep_generations=1) for digest in "abc")
    for wanted in (first, second, first, third):
        deploy(sagemaker, wanted)
    assert set(sagemaker.configs) == {first.config_name, third.config_name}


def test_keeping_fewer_collects_without_a_rotation(sagemaker: SimulatedSageMaker) -> None:
    for digest in "abcd":
        deploy(sagemaker, serverless(image_digest=digest, keep_generations=3))
    result = deploy(sagemaker, serverless(image_digest="d", keep_generations=1))
    assert result["changed"]
    assert len(sagemaker.configs) == 2
    assert not deploy(sagemaker, serverless(image_digest="d", keep_generations=1))["changed"]


def test_a_generation_that_another_endpoint_serves_is_kept(sagemaker: SimulatedSageMaker) -> None:
    first = serverless(image_digest="a", keep_generations=0)
    deploy(sagemaker, first)
    sagemaker.create_endpoint(EndpointName="borrower", EndpointConfigName=first.config_name, Tags=[])
    sagemaker.settle()
    deploy(sagemaker, serverless(image_digest="b", keep_generations=0))
    assert first.config_name in sagemaker.configs
    assert first.model_names[0] in sagemaker.models


def test_a_model_that_another_endpoint_serves_is_kept(sagemaker: SimulatedSageMaker) -> None:
    first = serverless(image_digest="a", keep_generations=0)
    deploy(sagemaker, first)
    variant = {"VariantName": "theirs", "ModelName": first.model_names[0]}
    sagemaker.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[variant], Tags=[])
    sagemaker.create_endpoint(EndpointName="borrower", EndpointConfigName="theirs", Tags=[])
    sagemaker.settle()
    deploy(sagemaker, serverless(image_digest="b", keep_generations=0))
    assert first.config_name not in sagemaker.configs
    assert first.model_names[0] in sagemaker.models


def test_what_is_not_tagged_as_ours_is_kept(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a", keep_generations=0))
    config, model = f"{NAME}-CONFIG-000000000000", f"{NAME}-MODEL-000000000000"
    sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[], Tags=[])
    sagemaker.create_model(ModelName=model, Tags=[])
    deploy(sagemaker, serverless(image_digest="b", keep_generations=0))
    deploy(sagemaker, NAME)
    assert set(sagemaker.configs) == {config}
    assert set(sagemaker.models) == {model}


def test_a_silent_rollback_is_a_failure_that_says_what_is_live(sagemaker: SimulatedSageMaker) -> None:
    first, second = serverless(image_digest="a"), serverless(image_digest="b")
    deploy(sagemaker, first)
    sagemaker.fate = ["bad"]
    result = deploy(sagemaker, second)
    assert result["failed"]
    assert "did not pass its health check" in result["msg"]
    assert f"Live and InService is still {first.config_name}" in result["msg"]
    assert result["container_log"] == ["a line"]
    assert {first.config_name, second.config_name} == set(sagemaker.configs)


def test_a_failed_specification_is_not_submitted_again(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    sagemaker.fate = ["bad"]
    deploy(sagemaker, serverless(image_digest="b"))
    sagemaker.calls.clear()
    result = deploy(sagemaker, serverless(image_digest="b"))
    assert result["failed"]
    assert "not submitted again" in result["msg"]
    assert "health check" in result["msg"]
    assert sagemaker.writing_calls == []


def test_a_failed_specification_is_submitted_again_when_asked(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    sagemaker.fate = ["bad"]
    deploy(sagemaker, serverless(image_digest="b"))
    again = replace(serverless(image_digest="b"), retry_failed=True)
    assert not deploy(sagemaker, again).get("failed")
    assert sagemaker.live(NAME) == again.config_name


@pytest.mark.parametrize("make", [serverless, instance])
def test_a_retry_that_fails_again_is_a_failure_and_not_a_loop(sagemaker: SimulatedSageMaker, make: Any) -> None:
    sagemaker.fate = ["bad", "bad"]
    deploy(sagemaker, make())
    result = deploy(sagemaker, replace(make(), retry_failed=True))
    assert result["failed"]
    assert sagemaker.status(NAME) == "Failed"
    assert sagemaker.calls.count("create_endpoint") == 2


def test_a_failed_create_says_why_and_is_remembered(sagemaker: SimulatedSageMaker) -> None:
    sagemaker.fate = ["bad"]
    result = deploy(sagemaker, serverless())
    assert result["failed"]
    assert "health check" in result["msg"]
    assert "Nothing is live" in result["msg"]
    sagemaker.calls.clear()
    assert deploy(sagemaker, serverless())["failed"]
    assert sagemaker.writing_calls == []


def test_a_failed_endpoint_is_made_anew_once_the_specification_changes(sagemaker: SimulatedSageMaker) -> None:
    sagemaker.fate = ["bad"]
    deploy(sagemaker, serverless(image_digest="a"))
    wanted = serverless(image_digest="b")
    result = deploy(sagemaker, wanted)
    assert not result.get("failed")
    assert sagemaker.live(NAME) == wanted.config_name
    assert "create_endpoint" in sagemaker.calls
    assert "delete_endpoint" in sagemaker.calls


def test_a_failure_is_forgotten_once_a_later_generation_is_proven(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    sagemaker.fate = ["bad"]
    deploy(sagemaker, serverless(image_digest="b"))
    deploy(sagemaker, serverless(image_digest="c"))
    assert not deploy(sagemaker, serverless(image_digest="b")).get("failed")


@pytest.mark.parametrize("next_image", ["a", "c"])
def test_an_endpoint_left_half_rolled_back_is_brought_in_order_by_the_next_update(
    sagemaker: SimulatedSageMaker, next_image: str
) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    sagemaker.fate = ["stuck"]
    result = deploy(sagemaker, serverless(image_digest="b"))
    assert result["failed"]
    assert "a mix of the old and the new generation answers requests" in result["msg"]
    assert "retry_failed: true" in result["msg"]
    assert sagemaker.status(NAME) == "UpdateRollbackFailed"
    assert "is not submitted again" in deploy(sagemaker, serverless(image_digest="b"))["msg"]
    wanted = serverless(image_digest=next_image)
    assert not deploy(sagemaker, wanted).get("failed")
    assert (sagemaker.status(NAME), sagemaker.live(NAME)) == ("InService", wanted.config_name)
    assert "delete_endpoint" not in sagemaker.calls
    assert deploy(sagemaker, wanted)["plan"] == []


def test_serverless_becomes_instance_based_by_an_update(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless())
    assert not deploy(sagemaker, instance()).get("failed")
    assert sagemaker.live(NAME) == instance().config_name
    assert "delete_endpoint" not in sagemaker.calls


def test_the_way_back_needs_consent_and_says_what_it_interrupts(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, instance())
    result = deploy(sagemaker, serverless())
    assert result["failed"]
    assert "every request fails from the delete until the new endpoint is InService" in result["msg"]
    assert "replace: true" in result["msg"]
    assert sagemaker.live(NAME) == instance().config_name
    agreed = replace(serverless(), replace=True)
    assert not deploy(sagemaker, agreed).get("failed")
    assert sagemaker.live(NAME) == agreed.config_name


def test_an_endpoint_of_somebody_else_is_not_touched(sagemaker: SimulatedSageMaker) -> None:
    sagemaker.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[], Tags=[])
    sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName="theirs", Tags=[])
    sagemaker.settle()
    sagemaker.calls.clear()
    for wanted in (serverless(), NAME):
        result = deploy(sagemaker, wanted)
        assert result["failed"]
        assert "modelhost:endpoint" in result["msg"]
    assert sagemaker.writing_calls == []


def test_an_update_of_somebody_else_in_flight_is_waited_for(sagemaker: SimulatedSageMaker) -> None:
    first, second, third = (serverless(image_digest=digest) for digest in "abc")
    deploy(sagemaker, first)
    deploy(sagemaker, second)
    sagemaker.update_endpoint(EndpointName=NAME, EndpointConfigName=first.config_name)
    result = deploy(sagemaker, third)
    assert not result.get("failed")
    assert sagemaker.live(NAME) == third.config_name


def test_an_update_in_flight_to_what_is_wanted_is_adopted(sagemaker: SimulatedSageMaker) -> None:
    first, second = serverless(image_digest="a"), serverless(image_digest="b")
    deploy(sagemaker, first)
    deploy(sagemaker, second)
    sagemaker.update_endpoint(EndpointName=NAME, EndpointConfigName=first.config_name)
    sagemaker.calls.clear()
    result = deploy(sagemaker, first)
    assert not result.get("failed")
    assert "update_endpoint" not in sagemaker.calls


@pytest.mark.parametrize("status", ["SystemUpdating", "RollingBack", "Updating", "Creating"])
def test_a_moving_endpoint_is_waited_for_and_left_as_it_is_where_it_is_right(
    sagemaker: SimulatedSageMaker, status: str
) -> None:
    wanted = serverless()
    deploy(sagemaker, wanted)
    sagemaker.endpoints[NAME] |= {
        "EndpointStatus": status,
        "_looks": 3,
        "_fate": "good",
        "PendingDeploymentSummary": {"EndpointConfigName": wanted.config_name},
    }
    sagemaker.calls.clear()
    result = deploy(sagemaker, wanted)
    assert not result["changed"]
    assert not result.get("failed")
    assert result["endpoint"]["endpoint_status"] == "InService"
    assert sagemaker.writing_calls == []


def test_an_endpoint_that_is_being_deleted_is_waited_for_and_made_anew(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless())
    sagemaker.delete_endpoint(EndpointName=NAME)
    assert not deploy(sagemaker, serverless()).get("failed")
    assert sagemaker.status(NAME) == "InService"


@pytest.mark.parametrize("stale", [[True], [True, True, True], [False, False, True], [True, False, True, True]])
def test_a_stale_answer_after_the_update_is_not_taken_for_a_rollback(
    sagemaker: SimulatedSageMaker, stale: list[bool]
) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    sagemaker.stale = stale
    wanted = serverless(image_digest="b")
    assert not deploy(sagemaker, wanted).get("failed")
    assert sagemaker.live(NAME) == wanted.config_name
    assert sagemaker.calls.count("update_endpoint") == 1


@pytest.mark.parametrize("call", ["create_model", "create_endpoint_config", "create_endpoint", "update_endpoint"])
def test_a_call_whose_answer_was_lost_is_adopted(sagemaker: SimulatedSageMaker, call: str) -> None:
    sagemaker.lost = [call]
    for digest in "ab":
        assert not deploy(sagemaker, serverless(image_digest=digest)).get("failed")
    assert sagemaker.live(NAME) == serverless(image_digest="b").config_name
    assert sagemaker.lost == []


def test_an_update_of_ours_is_adopted_also_where_nothing_says_where_it_leads(sagemaker: SimulatedSageMaker) -> None:
    first, second = serverless(image_digest="a"), serverless(image_digest="b")
    deploy(sagemaker, first)
    sagemaker.tells_pending = False
    sagemaker.looks = 5
    Run(sagemaker, second).run_pass({})
    assert not check(sagemaker, second).get("failed")
    assert not deploy(sagemaker, second).get("failed")
    assert sagemaker.calls.count("update_endpoint") == 1


def test_what_a_killed_run_made_live_is_kept_to_go_back_to(sagemaker: SimulatedSageMaker) -> None:
    first, second = (serverless(image_digest=digest, keep_generations=1) for digest in "ab")
    start(sagemaker, first)
    deploy(sagemaker, second)
    assert set(sagemaker.configs) == {first.config_name, second.config_name}


def test_a_rollback_that_nobody_waited_for_is_told_by_the_next_run(sagemaker: SimulatedSageMaker) -> None:
    first, second = serverless(image_digest="a"), serverless(image_digest="b")
    deploy(sagemaker, first)
    sagemaker.fate = ["bad"]
    start(sagemaker, second)
    result = deploy(sagemaker, second)
    assert result["failed"]
    assert "did not hold" in result["msg"]
    assert sagemaker.calls.count("update_endpoint") == 1


def test_a_rollback_that_nobody_waited_for_is_tried_again_when_asked(sagemaker: SimulatedSageMaker) -> None:
    first, second = serverless(image_digest="a"), serverless(image_digest="b")
    deploy(sagemaker, first)
    sagemaker.fate = ["bad"]
    start(sagemaker, second)
    assert not deploy(sagemaker, replace(second, retry_failed=True)).get("failed")
    assert sagemaker.live(NAME) == second.config_name


def test_a_failed_create_is_remembered_after_the_endpoint_is_deleted_by_hand(sagemaker: SimulatedSageMaker) -> None:
    sagemaker.fate = ["bad"]
    deploy(sagemaker, serverless())
    sagemaker.delete_endpoint(EndpointName=NAME)
    sagemaker.settle()
    result = deploy(sagemaker, serverless())
    assert result["failed"]
    assert "not submitted again" in result["msg"]
    assert not sagemaker.endpoints


def test_running_out_of_time_says_what_was_waited_for(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    sagemaker.looks = 9
    wanted = serverless(image_digest="b")
    result = deploy(sagemaker, wanted, timeout=20)
    assert result["failed"]
    assert f"until Endpoint {NAME} is InService on {wanted.config_name}" in result["msg"]
    assert not deploy(sagemaker, wanted).get("failed")


@pytest.mark.parametrize(
    "said",
    [
        "Could not assume role arn:aws:iam::123456789012:role/x. Please ensure that the role exists.",
        "The role 'arn:aws:iam::123456789012:role/x' does not have BatchGetImage permission for the image",
        'Could not find endpoint configuration "arn:aws:sagemaker".',
    ],
)
def test_what_is_made_moments_ago_is_waited_for(sagemaker: SimulatedSageMaker, said: str) -> None:
    sagemaker.refuse = [refusal(said), refusal(said)]
    assert not deploy(sagemaker, serverless()).get("failed")


def test_an_endpoint_config_deleted_under_a_live_endpoint_is_made_again(sagemaker: SimulatedSageMaker) -> None:
    wanted = serverless()
    deploy(sagemaker, wanted)
    del sagemaker.configs[wanted.config_name]
    result = deploy(sagemaker, wanted)
    assert "was deleted" in result["plan"][0]
    assert wanted.config_name in sagemaker.configs


def test_an_endpoint_whose_config_was_deleted_takes_no_update_and_says_so(sagemaker: SimulatedSageMaker) -> None:
    first = serverless(image_digest="a")
    deploy(sagemaker, first)
    del sagemaker.configs[first.config_name]
    wanted = serverless(image_digest="b")
    result = deploy(sagemaker, wanted)
    assert result["failed"]
    assert first.config_name in result["msg"]
    assert "replace: true" in result["msg"]
    assert not deploy(sagemaker, replace(wanted, replace=True)).get("failed")
    assert sagemaker.live(NAME) == wanted.config_name


def test_changed_tags_reach_endpoint_config_and_model(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless())
    wanted = serverless(tags={"Cost-Center": "42", "modelhost:stage": "prod"})
    result = deploy(sagemaker, wanted)
    assert result["changed"]
    assert "Cost-Center=42" in result["plan"][0]
    for tags in sagemaker.tags_of.values():
        assert tags["Cost-Center"] == "42"
        assert tags["modelhost:stage"] == "prod"
    assert not deploy(sagemaker, wanted)["changed"]


def test_absent_removes_everything_and_nothing_twice(sagemaker: SimulatedSageMaker) -> None:
    for digest in "abc":
        deploy(sagemaker, serverless(image_digest=digest))
    result = deploy(sagemaker, NAME)
    assert result["changed"]
    assert not sagemaker.endpoints
    assert not sagemaker.configs
    assert not sagemaker.models
    sagemaker.calls.clear()
    assert not deploy(sagemaker, NAME)["changed"]
    assert sagemaker.calls == ["describe_endpoint", "list_endpoint_configs", "list_models"]


def test_absent_removes_what_an_interrupted_run_left(sagemaker: SimulatedSageMaker) -> None:
    check_only = serverless()
    sagemaker.client.create_model(check_only.model_names[0], check_only.models[0], (("modelhost:endpoint", NAME),))
    deploy(sagemaker, NAME)
    assert not sagemaker.models


@pytest.mark.parametrize("status", ["Creating", "Updating"])
def test_absent_waits_for_a_moving_endpoint_first(sagemaker: SimulatedSageMaker, status: str) -> None:
    deploy(sagemaker, serverless())
    config = sagemaker.live(NAME)
    sagemaker.endpoints[NAME] |= {
        "EndpointStatus": status,
        "_looks": 2,
        "_fate": "good",
        "PendingDeploymentSummary": {"EndpointConfigName": config},
    }
    deploy(sagemaker, NAME)
    assert not sagemaker.endpoints
    assert not sagemaker.configs


def test_check_mode_says_what_the_run_then_does_and_writes_nothing(sagemaker: SimulatedSageMaker) -> None:
    for digest in "abcd":
        wanted = serverless(image_digest=digest, keep_generations=1)
        before = len(sagemaker.writing_calls)
        foretold = check(sagemaker, wanted)
        assert len(sagemaker.writing_calls) == before
        result = deploy(sagemaker, wanted)
        assert foretold["plan"] == result["plan"]
        assert foretold["changed"] == result["changed"]


def test_check_mode_plans_before_the_image_is_built(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(image_digest="a"))
    unbuilt = serverless()
    model = replace(unbuilt.models[0], image="123456789012.dkr.ecr/x:context-0a1b")
    variants = tuple(replace(variant, model=model) for variant in unbuilt.config.variants)
    unbuilt = replace(unbuilt, config=replace(unbuilt.config, variants=variants))
    result = check(sagemaker, unbuilt)
    assert result["changed"]
    assert result["plan"][0] == "new Model: image changes (digest known after the build)"
    assert result["diff"]["after"]["endpoint_config_name"] == "(known after the build)"


def test_the_diff_shows_before_and_after_and_no_secret(sagemaker: SimulatedSageMaker) -> None:
    was = serverless(environment={"HF_TASK": "text-classification", "OLD_PASSWORD": "hunter2"})
    deploy(sagemaker, was)
    result = deploy(sagemaker, serverless(environment={"HF_TASK": "fill-mask"}, memory_size_mb=2048))
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert before["models"]["AllTraffic"]["environment"]["HF_TASK"] == "text-classification"
    assert after["models"]["AllTraffic"]["environment"] == {"HF_TASK": "fill-mask"}
    assert before["production_variants"][0]["serverless"]["memory_size_mb"] == 4096
    assert "hunter2" not in str(result)
    assert (before["tags"], after["tags"]) == ({}, {})


def test_new_content_of_the_artifact_is_a_new_model() -> None:
    plain = options()
    plain["model"]["model_data_url"] = "s3://bucket/model.tar.gz"
    url = "s3://bucket/model.tar.gz"
    one, other = (wanted_from_options(plain, {url: etag}) for etag in ("one", "other"))
    assert one.model_names[0] != other.model_names[0]
