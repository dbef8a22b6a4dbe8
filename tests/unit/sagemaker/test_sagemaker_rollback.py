# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back, and going forward again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sagemaker_simulator import NAME, Interrupted, Rollback, SimulatedSageMaker, check, deploy
from sagemaker_wanted import instance, serverless

A, B, C = (serverless(image_digest=digest) for digest in "abc")


@pytest.fixture
def deployed(sagemaker: SimulatedSageMaker) -> SimulatedSageMaker:
    for wanted in (A, B, C):
        deploy(sagemaker, wanted)
    sagemaker.calls.clear()
    return sagemaker


def test_a_rollback_is_one_update_to_what_was_live_before(deployed: SimulatedSageMaker) -> None:
    result = deploy(deployed, Rollback())
    assert deployed.live(NAME) == B.config_name
    assert result["plan"] == [
        f"record on EndpointConfig {C.config_name} that a rollback left it",
        f"update Endpoint {NAME} to the retained EndpointConfig {B.config_name}: back from {C.config_name}",
        f"wait until Endpoint {NAME} is InService on {B.config_name}",
        f"record on EndpointConfig {B.config_name} that it is proven",
    ]
    assert deployed.writing_calls == ["add_tags", "update_endpoint", "add_tags", "add_tags"]


def test_a_second_rollback_goes_further_back(deployed: SimulatedSageMaker) -> None:
    deploy(deployed, Rollback())
    deploy(deployed, Rollback())
    assert deployed.live(NAME) == A.config_name
    result = deploy(deployed, Rollback())
    assert "has no earlier generation" in result["msg"]


def test_a_named_generation_is_gone_back_to(deployed: SimulatedSageMaker) -> None:
    deploy(deployed, Rollback(A.config_name))
    assert deployed.live(NAME) == A.config_name
    assert deploy(deployed, Rollback(A.config_name))["plan"] == []


def test_the_next_deploy_says_that_it_goes_forward_again(deployed: SimulatedSageMaker) -> None:
    deploy(deployed, Rollback())
    told = check(deployed, C)["plan"]
    assert told[0] == f"record on Endpoint {NAME} that it moves"
    assert told[1].startswith(
        f"update Endpoint {NAME} to the retained EndpointConfig {C.config_name}: forward again to what a rollback left"
    )
    deploy(deployed, C)
    assert deployed.live(NAME) == C.config_name
    assert deploy(deployed, C)["plan"] == []
    deploy(deployed, Rollback())
    assert deployed.live(NAME) == B.config_name


def test_deploying_what_was_gone_back_to_rotates_nothing(deployed: SimulatedSageMaker) -> None:
    deploy(deployed, Rollback())
    deployed.calls.clear()
    deploy(deployed, B)
    assert "update_endpoint" not in deployed.calls
    assert set(deployed.configs) == {A.config_name, B.config_name, C.config_name}


def test_check_mode_foretells_a_rollback(deployed: SimulatedSageMaker) -> None:
    foretold = check(deployed, Rollback())
    assert deployed.writing_calls == []
    assert foretold["plan"] == deploy(deployed, Rollback())["plan"]
    assert foretold["diff"]["after"] == {"endpoint_config_name": B.config_name}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", range(16))
def test_a_rollback_killed_at_any_call_is_finished_and_goes_no_further(
    deployed: SimulatedSageMaker, call: int, when: str
) -> None:
    deployed.kill_at(call, when)
    with suppress(Interrupted):
        deploy(deployed, Rollback())
    deployed.spare()
    deployed.settle()
    if deployed.live(NAME) == C.config_name or "proven" not in str(deployed.tags_of):
        assert not deploy(deployed, Rollback()).get("failed")
    else:
        finished = deployed.writing_calls.count("add_tags") >= 3
        assert finished or not deploy(deployed, Rollback()).get("failed")
    assert deployed.live(NAME) == B.config_name


def test_a_rollback_that_sagemaker_takes_back_is_a_failure(deployed: SimulatedSageMaker) -> None:
    deployed.fate = ["bad"]
    result = deploy(deployed, Rollback())
    assert result["failed"]
    assert "did not hold" in result["msg"]
    assert deployed.live(NAME) == C.config_name


def test_what_cannot_be_gone_back_to_is_said_so(deployed: SimulatedSageMaker) -> None:
    writing = deployed.writing_calls.copy()
    assert "has no generation nobody" in deploy(deployed, Rollback("nobody"))["msg"]
    del deployed.models[A.model_names[0]]
    assert "which somebody deleted" in deploy(deployed, Rollback(A.config_name))["msg"]
    assert deployed.writing_calls == writing


def test_nothing_to_go_back_to_is_said_so(sagemaker: SimulatedSageMaker) -> None:
    assert "There is no Endpoint" in deploy(sagemaker, Rollback())["msg"]
    deploy(sagemaker, A)
    assert "has no earlier generation" in deploy(sagemaker, Rollback())["msg"]


def test_serverless_is_not_gone_back_to_from_instances(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless())
    deploy(sagemaker, instance())
    assert "SageMaker has no such update" in deploy(sagemaker, Rollback())["msg"]
    assert sagemaker.live(NAME) == instance().config_name


@pytest.mark.parametrize("to", ["", A.config_name])
def test_a_mix_of_generations_is_left_by_a_rollback(deployed: SimulatedSageMaker, to: str) -> None:
    deployed.fate = ["stuck"]
    deploy(deployed, serverless(image_digest="d"))
    assert deployed.status(NAME) == "UpdateRollbackFailed"
    result = deploy(deployed, Rollback(to))
    assert not result.get("failed"), result["msg"]
    assert (deployed.status(NAME), deployed.live(NAME)) == ("InService", to or C.config_name)


def test_a_rollback_that_ends_in_a_mix_is_a_failure_and_the_next_one_ends_it(deployed: SimulatedSageMaker) -> None:
    deployed.fate = ["stuck"]
    result = deploy(deployed, Rollback())
    assert "a mix of the old and the new generation answers requests" in result["msg"]
    assert not deploy(deployed, Rollback()).get("failed")
    assert (deployed.status(NAME), deployed.live(NAME)) == ("InService", C.config_name)


def test_a_mix_that_a_rollback_does_not_end_is_a_failure(deployed: SimulatedSageMaker) -> None:
    deployed.fate = ["stuck", "stuck"]
    deploy(deployed, serverless(image_digest="d"))
    assert "did not hold" in deploy(deployed, Rollback())["msg"]
