# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a build, and what a person is told of its end. The clock is the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.failure import failure_text
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import FoundBuild, FoundPhase
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.wait import (
    BuildLost,
    Patience,
    until_complete,
)


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def patience(self, timeout: float = 600.0) -> Patience:
        return Patience(timeout, 5.0, self.now, self.sleep)


def build(phase: str, status: str = "IN_PROGRESS") -> FoundBuild:
    return FoundBuild("p:1", status, phase)


def wait(sights: Iterator[FoundBuild | None], timeout: float = 600.0) -> tuple[FoundBuild, list[str]]:
    said: list[str] = []
    ended = until_complete(
        "p:1", lambda _: next(sights), lambda _: "#7 pip install", said.append, Clock().patience(timeout)
    )
    return ended, said


def test_every_phase_has_its_line_and_a_long_one_another_now_and_then_with_the_logs_last() -> None:
    sights = [build("QUEUED"), *[build("BUILD")] * 5, build("COMPLETED", "SUCCEEDED")]
    ended, said = wait(iter(sights))
    assert ended.status == "SUCCEEDED"
    assert said == [
        "build p:1: QUEUED … 0 s",
        "build p:1: BUILD … 5 s",
        "build p:1: BUILD … 20 s · #7 pip install",
        "build p:1: COMPLETED … 30 s",
    ]


def test_a_build_that_never_ends_is_given_up_with_what_to_do() -> None:
    with pytest.raises(BuildLost, match=r"Gave up after 60 seconds .* phase BUILD\. CodeBuild goes on by itself"):
        wait(iter([build("BUILD")] * 100), timeout=60.0)


def test_a_build_that_somebody_deleted_is_said_to_be_gone() -> None:
    with pytest.raises(BuildLost, match="knows no build p:1"):
        wait(iter([build("BUILD"), None]))


def test_a_failure_names_phase_reason_and_the_end_of_the_log() -> None:
    phases = (
        FoundPhase("PRE_BUILD", "SUCCEEDED", 2),
        FoundPhase("BUILD", "FAILED", 34, ("COMMAND_EXECUTION_ERROR: docker buildx build … exit status 1",)),
        FoundPhase("POST_BUILD", "SUCCEEDED"),
    )
    failed = FoundBuild("p:1", "FAILED", "COMPLETED", phases=phases, log_group="/aws/codebuild/p", log_stream="s")
    assert failure_text(failed, ["one", "two"]).splitlines() == [
        "Build p:1 failed in the phase BUILD, after 34 s.",
        "COMMAND_EXECUTION_ERROR: docker buildx build … exit status 1",
        "Its log ends with:",
        "  one",
        "  two",
        "The whole log: aws logs tail /aws/codebuild/p --log-stream-names s --since 1d",
    ]


@pytest.mark.parametrize(
    ("status", "words"), [("TIMED_OUT", "image_codebuild_timeout_minutes"), ("STOPPED", "stopped by somebody")]
)
def test_other_ends_are_told_in_plain_words(status: str, words: str) -> None:
    assert words in failure_text(build("COMPLETED", status), [])
