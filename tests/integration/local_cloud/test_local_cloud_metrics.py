# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudWatch is told of endpoints."""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_workbench import Workbench

VARIANT = "AllTraffic"


@pytest.fixture(scope="module")
def endpoint(workbench: Workbench) -> str:
    """An endpoint with two instances that has answered 6 requests: 4 well, one with a 400, one with a 503."""
    name = workbench.serving(instances=2)
    for request in ({}, {}, {"sleep": 0.2}, {}, {"status": 400}, {"status": 503}):
        with contextlib.suppress(ClientError):
            workbench.invoke(name, request)
    return name


def statistics(
    workbench: Workbench, endpoint: str, metric: str, namespace: str = "AWS/SageMaker", **dimensions: str
) -> dict[str, Any] | None:
    """A metric's statistics over the last minutes, None where it has no value."""
    now = datetime.now(UTC)
    named = {"EndpointName": endpoint, **dimensions}
    points = workbench.cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in named.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Sum", "SampleCount", "Minimum", "Maximum", "Average"],
    )["Datapoints"]
    if not points:
        return None
    total = {key: sum(point[key] for point in points) for key in ("Sum", "SampleCount")}
    return {**points[0], **total, "Maximum": max(point["Maximum"] for point in points)}


def wait_for(
    workbench: Workbench, endpoint: str, metric: str, samples: int = 1, *, namespace: str = "AWS/SageMaker", **more: str
) -> dict[str, Any]:
    for _ in range(600):
        found = statistics(workbench, endpoint, metric, namespace, **more)
        if found and found["SampleCount"] >= samples:
            return found
        time.sleep(0.05)
    pytest.fail(f"{metric} did not come")


@pytest.mark.parametrize(
    ("metric", "total"),
    [
        ("Invocations", 6),
        ("Invocation4XXErrors", 1),
        ("Invocation5XXErrors", 1),
        ("InvocationModelErrors", 2),
        ("InvocationsPerInstance", 3),
    ],
)
def test_requests_are_counted(workbench: Workbench, endpoint: str, metric: str, total: int) -> None:
    assert wait_for(workbench, endpoint, metric, 6, VariantName=VARIANT)["Sum"] == total


def test_latencies_are_in_microseconds(workbench: Workbench, endpoint: str) -> None:
    model = wait_for(workbench, endpoint, "ModelLatency", 6, VariantName=VARIANT)
    assert model["Unit"] == "Microseconds"
    assert model["Maximum"] > 200_000
    overhead = wait_for(workbench, endpoint, "OverheadLatency", 6, VariantName=VARIANT)
    assert overhead["Sum"] > 0


def test_a_request_that_was_refused_before_a_container_saw_it_is_not_counted(
    workbench: Workbench, endpoint: str
) -> None:
    with pytest.raises(ClientError):
        workbench.invoke(endpoint, TargetModel="none.tar.gz")
    other = workbench.serving(instances=1)
    workbench.invoke(other)
    wait_for(workbench, other, "Invocations", VariantName=VARIANT)
    assert wait_for(workbench, endpoint, "Invocations", 6, VariantName=VARIANT)["Sum"] == 6


def test_an_alarm_goes_off_on_a_containers_errors(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    cloudwatch = workbench.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=f"{endpoint}-errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": VARIANT}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    with contextlib.suppress(ClientError):
        workbench.invoke(endpoint, {"status": 500})
    for _ in range(600):
        [alarm] = cloudwatch.describe_alarms(AlarmNames=[f"{endpoint}-errors"])["MetricAlarms"]
        if alarm["StateValue"] == "ALARM":
            return
        time.sleep(0.05)
    pytest.fail(f"the alarm stayed in {alarm['StateValue']}")


def test_a_serverless_variant_tells_its_concurrency(workbench: Workbench) -> None:
    endpoint = workbench.endpoint(workbench.config(workbench.model(), concurrency=4))
    workbench.invoke(endpoint)
    used = wait_for(workbench, endpoint, "ServerlessConcurrentExecutionsUtilization", VariantName=VARIANT)
    assert used["Maximum"] == 0.25


def test_a_streamed_answer_tells_when_its_first_part_came(workbench: Workbench, endpoint: str) -> None:
    answer = workbench.runtime.invoke_endpoint_with_response_stream(
        EndpointName=endpoint, Body=json.dumps({"stream": ["a", "b"]})
    )
    assert len(list(answer["Body"])) == 2
    first = wait_for(workbench, endpoint, "FirstChunkLatency", VariantName=VARIANT)
    assert first["Unit"] == "Microseconds"
    assert wait_for(workbench, endpoint, "MidStreamErrors", VariantName=VARIANT)["Sum"] == 0


def test_requests_in_flight_are_seen_before_they_are_done(workbench: Workbench, tmp_path: Path) -> None:
    endpoint = workbench.serving(instances=1)
    go_on = tmp_path / "go-on"
    with ThreadPoolExecutor(3) as callers:
        request = {"stream": ["{}"], "until": str(go_on)}
        running = [callers.submit(workbench.invoke, endpoint, request) for _ in range(3)]
        try:
            for _ in range(600):
                seen = statistics(workbench, endpoint, "ConcurrentRequestsPerModel", VariantName=VARIANT)
                if seen and seen["Maximum"] == 3:
                    break
                time.sleep(0.05)
            else:
                pytest.fail("they were not seen")
            assert not any(call.done() for call in running)
        finally:
            go_on.touch()


def test_serving_processes_tell_what_they_use(workbench: Workbench, endpoint: str) -> None:
    namespace = "/aws/sagemaker/Endpoints"
    memory = wait_for(workbench, endpoint, "MemoryUtilization", 2, namespace=namespace, VariantName=VARIANT)
    assert memory["Unit"] == "Percent"
    assert 0 < memory["Maximum"] < 100
    assert wait_for(workbench, endpoint, "CPUUtilization", 2, namespace=namespace, VariantName=VARIANT)["Maximum"] > 0


def test_a_queue_tells_how_long_it_is(workbench: Workbench) -> None:
    workbench.cloud.client("s3").create_bucket(Bucket="backlog")
    name = workbench.name("config")
    workbench.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": VARIANT,
                "ModelName": workbench.model(),
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        AsyncInferenceConfig={
            "OutputConfig": {"S3OutputPath": "s3://backlog/out"},
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
        },
    )
    endpoint = workbench.endpoint(name)
    for _ in range(3):
        workbench.runtime.invoke_endpoint_async(EndpointName=endpoint, Body=json.dumps({"sleep": 0.5}))
    assert wait_for(workbench, endpoint, "ApproximateBacklogSize")["Maximum"] >= 1
    assert wait_for(workbench, endpoint, "HasBacklogWithoutCapacity")["Maximum"] == 0
    assert wait_for(workbench, endpoint, "InvocationsProcessed", 3, VariantName=VARIANT)["Sum"] == 3
    assert statistics(workbench, endpoint, "Invocations", VariantName=VARIANT) is None
