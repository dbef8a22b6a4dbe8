# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS may throttle whatever it likes: a run takes longer and ends as it would have."""

from __future__ import annotations

from typing import Any

import pytest
from local_cloud_admin import tell
from reliability_operator import Account, Operator
from reliability_stage import EVERYTHING, Stage

SEEDS = range(20) if EVERYTHING else range(2)


def throttled_life(operator: Operator, account: Account, stage: Stage, **when: Any) -> int:
    """Deploy, rotate, roll back and tear down under throttling; returns how many calls were throttled."""
    life = [
        ("1", stage.wish("1")),
        ("2", stage.wish("2", instance_type="ml.m5.xlarge")),
        ("1", stage.rollback()),
        ("", stage.absence()),
    ]
    struck = 0
    for generation, wish in life:
        # Users are throttled by other limits; here it is about the run.
        faults = [{"kind": "throttle", "access": access, **when} for access in ("read", "write")]
        tell(stage.cloud, "POST", "faults", faults)
        result = operator.run(wish)
        struck += sum(fault["struck"] for fault in stage.disarm())
        assert not result.get("failed"), result["msg"]
        if generation:
            assert stage.answer() == generation
    assert account.there(stage.name) == {}
    return struck


def test_every_distinct_call_may_be_throttled_once(
    stage: Stage, operator: Operator, account: Account, quick_retries: None, record_property: Any
) -> None:
    struck = throttled_life(operator, account, stage, each_once=True)
    record_property("throttle sweep, each distinct call once: calls throttled", struck)
    assert struck > 40


@pytest.mark.parametrize("seed", SEEDS)
def test_three_calls_in_ten_may_be_throttled_at_random(
    stage: Stage, operator: Operator, account: Account, quick_retries: None, record_property: Any, seed: int
) -> None:
    struck = throttled_life(operator, account, stage, probability=0.3, seed=seed)
    record_property("throttle sweep, 30 % at random: calls throttled", struck)
    assert struck > 10
