# SPDX-License-Identifier: GPL-3.0-or-later
"""Serverless endpoints: containers come with the requests and go without them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_process import LocalCloud
from local_cloud_workbench import Workbench, furnish

IDLE = 0.5


@pytest.fixture(scope="module")
def bench(new_cloud: Callable[..., LocalCloud]) -> Workbench:
    """A cloud whose serverless containers go cold after half a second, and that has two of them for each variant."""
    options = ("--serverless-idle-seconds", str(IDLE), "--serverless-containers", "2", "--time-scale", "0.002")
    cloud = new_cloud(startup_timeout=30, options=options)
    cloud.start()
    return furnish(cloud)


def records(bench: Workbench, endpoint: str) -> list[Path]:
    return list((bench.cloud.home / "endpoints" / endpoint).glob("*/container.json"))


def wait_until(condition: Callable[[], Any]) -> None:
    while not condition():
        time.sleep(0.02)


def config(bench: Workbench, model: str, concurrency: int = 20, provisioned: int | None = None) -> str:
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": concurrency}
    if provisioned:
        serverless["ProvisionedConcurrency"] = provisioned
    name = bench.name("config")
    variant = {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": serverless}
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


def at_once(bench: Workbench, endpoint: str, count: int, request: Any) -> list[Any]:
    """So many requests at the same time: what each was answered, or its error's code."""
    together = threading.Barrier(count)

    def call(_: int) -> Any:
        together.wait()
        try:
            return bench.invoke(endpoint, request)
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(count) as callers:
        return list(callers.map(call, range(count)))


def test_an_endpoint_without_requests_has_no_process_and_the_next_request_starts_one(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model(GENERATION="1")))
    first = bench.invoke(endpoint)["pid"]
    wait_until(lambda: not records(bench, endpoint))
    described = bench.describe(endpoint)
    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["CurrentServerlessConfig"]["MaxConcurrency"] == 20
    again = bench.invoke(endpoint)
    assert (again["generation"], again["pid"] != first) == ("1", True)


def test_no_request_fails_where_the_endpoint_goes_cold_between_them(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model()))
    pids = []
    # The container goes cold somewhere between 0.5 and 0.6 s after the last request.
    for pause in (0.48, 0.5, 0.52, 0.54, 0.56, 0.58, 0.6):
        pids.append(bench.invoke(endpoint)["pid"])
        time.sleep(pause)
    assert len(set(pids)) > 1


def test_requests_at_the_same_time_have_containers_of_their_own_up_to_the_limit(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model()))
    seen: set[int] = set()
    # Where the machine is busy, the first container may have answered all six before the second one has started.
    while len(seen) < 2:
        seen = {answer["pid"] for answer in at_once(bench, endpoint, 6, {"sleep": 0.3})}
    assert len(seen) == 2


def test_more_requests_than_max_concurrency_are_throttled_also_while_the_endpoint_is_cold(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model(), concurrency=2))
    wait_until(lambda: not records(bench, endpoint))
    answers = at_once(bench, endpoint, 5, {"sleep": 0.5})
    assert answers.count("ThrottlingException") == 3
    assert bench.invoke(endpoint)["pid"]


def test_provisioned_concurrency_stays_warm_and_can_be_changed(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model(), concurrency=5, provisioned=1))
    at_once(bench, endpoint, 4, {"sleep": 0.2})
    wait_until(lambda: len(records(bench, endpoint)) == 1)
    warm = records(bench, endpoint)
    time.sleep(2 * IDLE)
    assert records(bench, endpoint) == warm
    change = {"VariantName": "AllTraffic", "ServerlessUpdateConfig": {"ProvisionedConcurrency": 2}}
    bench.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=[change])
    bench.wait("endpoint_in_service", endpoint)
    assert len(records(bench, endpoint)) == 2
    (variant,) = bench.describe(endpoint)["ProductionVariants"]
    assert variant["CurrentServerlessConfig"]["ProvisionedConcurrency"] == 2


def test_a_cold_endpoint_is_updated_and_its_traffic_shifts_by_percent(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model(GENERATION="blue")))
    wait_until(lambda: not records(bench, endpoint))
    routing = {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 800,
    }
    green = config(bench, bench.model(GENERATION="green"))
    bench.sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=green,
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )
    answers = []
    while bench.describe(endpoint)["EndpointStatus"] == "Updating":
        answers.append(bench.invoke(endpoint)["generation"])
    assert set(answers) == {"blue", "green"}
    assert bench.invoke(endpoint)["generation"] == "green"


def test_a_serverless_endpoint_becomes_one_with_instances(bench: Workbench) -> None:
    endpoint = bench.endpoint(config(bench, bench.model(GENERATION="serverless")))
    wanted = bench.config(bench.model(GENERATION="instances"), instances=1)
    bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=wanted)
    bench.wait("endpoint_in_service", endpoint)
    assert bench.invoke(endpoint)["generation"] == "instances"
    time.sleep(2 * IDLE)
    assert len(records(bench, endpoint)) == 1
