# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet other runs: each says what it met instead of fighting it."""

from __future__ import annotations

from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import Patience, converge
from sagemaker_simulator import NAME, Rollback, Run, SimulatedSageMaker, deploy, refusal, start
from sagemaker_wanted import serverless


def run_that_meets(sagemaker: SimulatedSageMaker, wanted: Any, meeting: Any) -> dict[str, Any]:
    """A run in whose first wait something else happens."""
    pending = [meeting]

    def sleep(seconds: float) -> None:
        sagemaker.sleep(seconds)
        if pending:
            pending.pop()()

    now = lambda: sagemaker.moment.timestamp()  # noqa: E731
    return converge(Run(sagemaker, wanted), Patience(1800, 15, now=now, sleep=sleep))


def test_a_run_that_is_overtaken_says_so_and_does_not_move_the_endpoint_again(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(1024))

    def another_run() -> None:
        sagemaker.settle()
        deploy(sagemaker, serverless(3072))

    result = run_that_meets(sagemaker, serverless(2048), another_run)
    assert result["failed"]
    assert f"Live and InService is {serverless(3072).config_name}" in result["msg"]
    assert "run again" in result["msg"]
    assert sagemaker.live(NAME) == serverless(3072).config_name
    assert not deploy(sagemaker, serverless(2048)).get("failed")
    assert sagemaker.live(NAME) == serverless(2048).config_name


def test_a_run_whose_endpoint_is_deleted_meanwhile_says_so(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(1024))

    def teardown() -> None:
        sagemaker.settle()
        start(sagemaker, serverless(2048))
        sagemaker.delete_endpoint(EndpointName=NAME)

    result = run_that_meets(sagemaker, serverless(2048), teardown)
    assert result["failed"]
    assert "somebody else deleted it" in result["msg"]


def test_a_rollback_that_is_overtaken_is_no_success(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(1024))
    deploy(sagemaker, serverless(2048))

    def another_run() -> None:
        sagemaker.settle()
        deploy(sagemaker, serverless(3072))

    result = run_that_meets(sagemaker, Rollback(), another_run)
    assert result["failed"]
    assert f"to {serverless(1024).config_name}, somebody else moved it on" in result["msg"]
    assert sagemaker.live(NAME) == serverless(3072).config_name


def test_what_another_run_collected_is_made_again(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(1024))
    wanted = serverless(2048)
    taken: list[str] = []

    def collected(number: int, when: str) -> None:
        if wanted.config_name in sagemaker.configs and not taken:
            taken.append(wanted.config_name)
            sagemaker.configs.pop(wanted.config_name)
            for name in wanted.model_names:
                sagemaker.models.pop(name)

    sagemaker.interrupt = collected
    result = deploy(sagemaker, wanted)
    assert taken
    assert not result.get("failed"), result
    assert sagemaker.live(NAME) == wanted.config_name


def test_a_refusal_tells_what_is_live_and_how_to_go_on(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(1024))
    sagemaker.refuse = [refusal("Too many models.", "ResourceLimitExceeded")]
    try:
        deploy(sagemaker, serverless(2048))
    except Exception as error:
        told = getattr(error, "message", "")
    assert "Too many models." in told
    assert f"Live and InService is {serverless(1024).config_name}. Once that is put right, run again" in told


def test_a_failed_rollback_is_tried_again_when_asked(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(1024))
    deploy(sagemaker, serverless(2048))
    sagemaker.fate = ["bad"]
    first = deploy(sagemaker, Rollback())
    assert f"generation: {serverless(1024).config_name} and retry_failed: true" in first["msg"]
    named = Rollback(serverless(1024).config_name)
    assert "retry_failed: true" in deploy(sagemaker, named)["msg"]
    assert not deploy(sagemaker, Rollback(named.to, retry_failed=True)).get("failed")
    assert sagemaker.live(NAME) == named.to


def test_a_late_change_of_the_endpoint_before_the_update_is_not_taken_for_its_end(
    sagemaker: SimulatedSageMaker,
) -> None:
    deploy(sagemaker, serverless(1024))

    def touched(number: int, when: str) -> None:
        """Between the look and the update something else modifies the endpoint, as the end of the last one may."""
        if serverless(2048).config_name in sagemaker.configs and not sagemaker.updates:
            sagemaker.endpoints[NAME]["LastModifiedTime"] = sagemaker.moment

    sagemaker.interrupt = touched
    sagemaker.stale = [True] * 4
    result = deploy(sagemaker, serverless(2048))
    assert not result.get("failed"), result
    assert sagemaker.live(NAME) == serverless(2048).config_name
