# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation under load loses no request, however traffic moves to the new generation."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from reliability_operator import Operator
from reliability_requests import Requests
from reliability_stage import EVERYTHING, Stage

THREADS = 8 * (os.cpu_count() or 1) if EVERYTHING else 4
ROTATIONS = 10 if EVERYTHING else 1

HALF = {"size": 50, "wait_interval_in_seconds": 60}
STRATEGIES: dict[str, dict[str, Any] | None] = {
    "serverless": None,
    "all_at_once": {"strategy": "all_at_once", "wait_interval_in_seconds": 60},
    "canary": {"strategy": "canary", **HALF},
    "linear": {"strategy": "linear", **HALF},
    "rolling": {"strategy": "rolling", **HALF},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rotation_under_load_loses_no_request(
    stage: Stage, operator: Operator, strategy: str, record_property: Any
) -> None:
    more: dict[str, Any]
    if strategy == "serverless":
        sizes = {"memory_size_mb": 1024, "max_concurrency": 200}
        more = {"production_variants": [{"serverless": sizes}]}
    else:
        instances = {"instance_type": "ml.m5.large", "initial_instance_count": 2}
        more = {"production_variants": [{"instance": instances}], "deployment": STRATEGIES[strategy]}
    first = operator.run(stage.wish("g0", **more))
    assert not first.get("failed"), first["msg"]
    started = time.monotonic()
    with Requests(stage.cloud, stage.name, threads=THREADS) as requests:
        for rotation in range(1, ROTATIONS + 1):
            requests.wait_for(f"g{rotation - 1}")
            result = operator.run(stage.wish(f"g{rotation}", **more))
            assert not result.get("failed"), result["msg"]
            requests.wait_for(f"g{rotation}")
    seconds = time.monotonic() - started
    told = f"{requests.total} requests of {THREADS} clients in {seconds:.0f} s, {ROTATIONS} rotations"
    record_property(f"load, {strategy}", f"{told}, {len(requests.failures)} failed")
    assert set(requests.answers) == {f"g{number}" for number in range(ROTATIONS + 1)}
    operator.run(stage.absence())
