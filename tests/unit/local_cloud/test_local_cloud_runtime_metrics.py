# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a request, and how it is brought to CloudWatch."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.sagemaker.deployment import Variant
from local_cloud.sagemaker.runtime.exchange import Exchange
from local_cloud.sagemaker.runtime.metric_recorder import Metric, MetricRecorder, datum, summarised
from local_cloud.sagemaker.runtime.metrics import concurrency_measurements, measurements
from local_cloud.sagemaker.runtime.utilization import usage_of, utilization

CALLER = Caller("000000000000", "us-east-1")
INSTANCES = Variant({"VariantName": "v", "InstanceType": "ml.m5.large"}, {}, 2, 1.0)
SERVERLESS = Variant(
    {"VariantName": "v", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 4}}, {}, 0, 1.0
)
METRIC = Metric(
    CALLER, "AWS/SageMaker", (("EndpointName", "demo"), ("VariantName", "v")), "ModelLatency", "Microseconds"
)


def exchange(variant: Variant, status: int, **more: Any) -> Exchange:
    return Exchange(
        CALLER, "demo", "invoke", 1, variant=variant, model_status=status, model_ms=12.5, overhead_ms=1.5, **more
    )


def values(found: list[tuple[str, float, str]]) -> dict[str, float]:
    return {name: value for name, value, _ in found}


def test_a_request_to_instances_counts_once_and_for_its_share_of_them() -> None:
    measured = values(measurements(exchange(INSTANCES, 200, instances=2, concurrent=3)))
    assert measured == {
        "Invocations": 1,
        "Invocation4XXErrors": 0,
        "Invocation5XXErrors": 0,
        "InvocationModelErrors": 0,
        "ModelLatency": 12500.0,
        "OverheadLatency": 1500.0,
        "InvocationsPerInstance": 0.5,
        "ConcurrentRequestsPerModel": 1.5,
    }


@pytest.mark.parametrize(("status", "errors"), [(200, (0, 0, 0)), (429, (1, 0, 1)), (503, (0, 1, 1)), (0, (0, 0, 1))])
def test_errors_are_counted_by_their_kind(status: int, errors: tuple[int, int, int]) -> None:
    measured = values(measurements(exchange(INSTANCES, status)))
    names = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
    assert tuple(measured[name] for name in names) == errors


def test_a_request_that_no_container_was_given_measures_nothing() -> None:
    assert measurements(Exchange(CALLER, "demo", "invoke", 1)) == []


def test_a_serverless_variant_tells_how_much_of_its_concurrency_is_used() -> None:
    measured = values(measurements(exchange(SERVERLESS, 200, setup_ms=900.0)))
    assert measured["ServerlessConcurrentExecutionsUtilization"] == 0.25
    assert measured["ModelSetupTime"] == 900_000.0
    assert "InvocationsPerInstance" not in measured


def test_provisioned_concurrency_spills_over_when_it_is_used_up() -> None:
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 10, "ProvisionedConcurrency": 2}
    variant = Variant({"VariantName": "v", "ServerlessConfig": config}, {}, 0, 1.0)
    assert values(concurrency_measurements(variant, 3, 2)) == {
        "ServerlessConcurrentExecutionsUtilization": 0.3,
        "ServerlessProvisionedConcurrencyExecutions": 2,
        "ServerlessProvisionedConcurrencyUtilization": 1.0,
    }
    for concurrent, kept, spilled in ((2, 1, 0), (3, 0, 1)):
        measured = values(measurements(exchange(variant, 200, concurrent=concurrent)))
        assert measured["ServerlessProvisionedConcurrencyInvocations"] == kept
        assert measured["ServerlessProvisionedConcurrencySpilloverInvocations"] == spilled


def test_a_datum_is_one_second_of_a_metric() -> None:
    assert datum(METRIC, 1700000000, [2.0, 2.0, 5.0]) == {
        "MetricName": "ModelLatency",
        "Dimensions": [{"Name": "EndpointName", "Value": "demo"}, {"Name": "VariantName", "Value": "v"}],
        "Timestamp": 1700000000,
        "Unit": "Microseconds",
        "Values": [2.0, 5.0],
        "Counts": [2.0, 1.0],
    }


@pytest.mark.parametrize("count", [1, 5, 6, 7, 100, 5000])
def test_many_values_are_summarised_without_losing_their_sum_count_and_ends(count: int) -> None:
    given = [float(number**2) for number in range(count)]
    kept = summarised(given)
    assert len(kept) <= 5
    assert sum(number for _, number in kept) == count
    assert sum(value * number for value, number in kept) == pytest.approx(sum(given))
    assert (kept[0][0], kept[-1][0]) == (given[0], given[-1])


def test_equal_values_are_one() -> None:
    assert summarised([1.0] * 100_000) == [(1.0, 100_000)]


class FakeCloudWatch:
    """Takes metrics, or refuses them."""

    def __init__(self, refuses: bool = False) -> None:
        self.calls: list[dict[str, Any]] = []
        self._refuses = refuses

    async def json_call(self, caller: Caller, service: str, target: str, parameters: dict[str, Any]) -> None:
        assert (service, target) == ("monitoring", "GraniteServiceVersion20100801.PutMetricData")
        self.calls.append(parameters)
        if self._refuses:
            raise RuntimeError("no CloudWatch today")


def test_values_of_a_second_go_in_one_datum_and_what_is_left_goes_at_the_end() -> None:
    cloudwatch = FakeCloudWatch()

    async def record() -> None:
        recorder = MetricRecorder(cloudwatch)  # type: ignore[arg-type]
        for value in (1.0, 2.0):
            recorder.add(METRIC, value, at=100.9)
        recorder.add(METRIC, 3.0, at=101.0)
        await recorder.close()

    asyncio.run(record())
    [call] = cloudwatch.calls
    assert [(point["Timestamp"], point["Values"]) for point in call["MetricData"]] == [(100, [1.0, 2.0]), (101, [3.0])]


def test_a_cloudwatch_that_refuses_harms_nobody() -> None:
    async def record() -> None:
        recorder = MetricRecorder(FakeCloudWatch(refuses=True))  # type: ignore[arg-type]
        recorder.add(METRIC, 1.0)
        await recorder.close()

    asyncio.run(record())


def test_two_busy_cores_are_two_hundred_percent() -> None:
    measured = dict(utilization(INSTANCES, cpu_seconds=20.0, elapsed=10.0, memory_bytes=1))
    assert measured["CPUUtilization"] == 200.0
    assert 0 < measured["MemoryUtilization"] < 1


def test_serverless_memory_is_measured_against_what_was_given() -> None:
    assert utilization(SERVERLESS, 1.0, 1.0, 512 * 1024 * 1024) == [("MemoryUtilization", 50.0)]


def test_a_process_is_seen_with_its_memory_and_its_time() -> None:
    used = usage_of(os.getpid())
    assert used.memory_bytes > 1_000_000
    assert used.cpu_seconds > 0
    assert usage_of(2**22 + 1).memory_bytes == 0
