# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates with a deployment configuration: how the traffic moves, what stops it, and that no request ever fails."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_admin import arm
from local_cloud_process import LocalCloud
from local_cloud_workbench import Workbench, furnish


@pytest.fixture(scope="module")
def bench(new_cloud: Callable[..., LocalCloud]) -> Workbench:
    """A cloud in which a second of AWS's waits takes two milliseconds."""
    cloud = new_cloud(startup_timeout=30, options=("--time-scale", "0.002"))
    cloud.start()
    return furnish(cloud)


@contextmanager
def traffic(bench: Workbench, endpoint: str) -> Iterator[list[Any]]:
    """Three callers that never pause. Yields what they get: generations, or the exceptions that must not come."""
    answers: list[Any] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                answers.append(bench.invoke(endpoint, {"sleep": 0.005})["generation"])
            except Exception as error:
                answers.append(error)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        yield answers
    finally:
        stop.set()
        for caller in callers:
            caller.join()


def blue_and_green(bench: Workbench, instances: int = 2, **green: str) -> tuple[str, str, str]:
    """An endpoint that serves generation blue, its configuration, and one that would serve green."""
    blue = bench.config(bench.model(GENERATION="blue"), instances=instances)
    wanted = bench.config(bench.model(GENERATION="green", **green), instances=instances)
    return bench.endpoint(blue), blue, wanted


def guarded(kind: str, *alarms: str, wait: int = 20, termination: int = 0, **routing: Any) -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **routing},
            "TerminationWaitInSeconds": termination,
        },
        **rollback_on(*alarms),
    }


def rolling(instances: int, *alarms: str, wait: int = 20) -> dict[str, Any]:
    batch = {"Type": "INSTANCE_COUNT", "Value": instances}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait}, **rollback_on(*alarms)}


def rollback_on(*alarms: str) -> dict[str, Any]:
    return {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def update(bench: Workbench, endpoint: str, config: str, options: dict[str, Any]) -> None:
    bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=options)


def seen_until_in_service(bench: Workbench, endpoint: str) -> list[dict[str, Any]]:
    """What DescribeEndpoint said, each different answer once, until the endpoint was InService again."""
    seen: list[dict[str, Any]] = []
    while True:
        described = bench.describe(endpoint)
        described = {key: described.get(key) for key in ("EndpointStatus", "PendingDeploymentSummary")}
        if not seen or seen[-1] != described:
            seen.append(described)
        if described["EndpointStatus"] == "InService":
            return seen
        time.sleep(0.02)


def messages(seen: list[dict[str, Any]]) -> list[str]:
    """The StatusMessages of the pending variant, in their order."""
    found: list[str] = []
    for described in seen:
        for status in stages(described):
            if status["StatusMessage"] not in found:
                found.append(status["StatusMessage"])
    return found


def stages(described: dict[str, Any]) -> list[dict[str, Any]]:
    pending = described.get("PendingDeploymentSummary") or {}
    return [status for variant in pending.get("ProductionVariants", ()) for status in variant.get("VariantStatus", ())]


def alarm(bench: Workbench) -> str:
    """An alarm that nothing but `trip` trips."""
    name = bench.name("alarm")
    bench.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Demo",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def trip(bench: Workbench, name: str) -> None:
    data = [{"MetricName": name, "Value": 1.0}]
    bench.cloud.client("cloudwatch").put_metric_data(Namespace="Demo", MetricData=data)


def wait_for_stage(bench: Workbench, endpoint: str, words: str) -> dict[str, Any]:
    """Wait until the update is where a StatusMessage says so, and return DescribeEndpoint's answer."""
    while True:
        described = bench.describe(endpoint)
        if any(words in status["StatusMessage"] for status in stages(described)):
            return described
        assert described["EndpointStatus"] == "Updating", described
        time.sleep(0.01)


def processes(bench: Workbench, endpoint: str) -> int:
    return len(list((bench.cloud.home / "endpoints" / endpoint).glob("*/container.json")))


def test_a_canary_gets_its_part_of_the_traffic_before_the_rest_follows(bench: Workbench) -> None:
    endpoint, _, green = blue_and_green(bench)
    with traffic(bench, endpoint) as answers:
        update(bench, endpoint, green, guarded("CANARY", wait=600, CanarySize=percent(50)))
        described = wait_for_stage(bench, endpoint, "Baking for 600 seconds (WaitIntervalInSeconds)")
        start = len(answers)
        while len(answers) < start + 60:
            time.sleep(0.01)
        canary = answers[start : start + 60]
        seen = seen_until_in_service(bench, endpoint)
    assert set(answers) == {"blue", "green"}
    assert 10 < canary.count("green") < 50
    assert described["EndpointStatus"] == "Updating"
    (pending,) = described["PendingDeploymentSummary"]["ProductionVariants"]
    assert (pending["CurrentInstanceCount"], pending["DesiredInstanceCount"]) == (1, 2)
    assert pending["VariantStatus"][0]["Status"] == "Baking"
    assert pending["VariantStatus"][0]["StatusMessage"].endswith("traffic enabled on canary capacity of 1 instance(s).")
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert seen[-1]["PendingDeploymentSummary"] is None
    assert bench.describe(endpoint)["EndpointConfigName"] == green
    assert processes(bench, endpoint) == 2


def test_linear_traffic_shifts_in_steps_with_a_last_baking(bench: Workbench) -> None:
    endpoint, _, green = blue_and_green(bench)
    with traffic(bench, endpoint) as answers:
        options = guarded("LINEAR", wait=100, termination=100, LinearStepSize=percent(50))
        update(bench, endpoint, green, options)
        seen = seen_until_in_service(bench, endpoint)
    assert set(answers) == {"blue", "green"}
    assert bench.invoke(endpoint)["generation"] == "green"
    baking = [message for message in messages(seen) if message.startswith("Baking")]
    assert baking == [
        "Baking for 100 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s).",
        "Baking for 100 seconds (TerminationWaitInSeconds) with traffic enabled on full capacity of 2 instance(s).",
    ]
    assert bench.describe(endpoint)["LastDeploymentConfig"] == options


def test_a_rolling_deployment_has_never_more_than_a_batch_too_many_instances(bench: Workbench) -> None:
    endpoint, _, green = blue_and_green(bench, instances=3)
    counts: list[int] = []
    with traffic(bench, endpoint) as answers:
        update(bench, endpoint, green, rolling(1, wait=10))
        while bench.describe(endpoint)["EndpointStatus"] == "Updating":
            counts.append(processes(bench, endpoint))
            time.sleep(0.01)
    assert set(answers) == {"blue", "green"}
    assert bench.invoke(endpoint)["generation"] == "green"
    assert max(counts) == 4
    assert min(counts) >= 3
    assert bench.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 3


@pytest.mark.parametrize(
    "options",
    [
        lambda name: guarded("CANARY", name, wait=3600, CanarySize=percent(50)),
        lambda name: guarded("ALL_AT_ONCE", name, termination=3600),
        lambda name: rolling(1, name, wait=3600),
    ],
    ids=["canary", "all at once", "rolling"],
)
def test_an_alarm_during_baking_rolls_back_to_the_old_configuration(
    bench: Workbench, options: Callable[[str], dict[str, Any]]
) -> None:
    endpoint, blue, green = blue_and_green(bench)
    name = alarm(bench)
    with traffic(bench, endpoint) as answers:
        update(bench, endpoint, green, options(name))
        wait_for_stage(bench, endpoint, "Baking for 3600 seconds")
        trip(bench, name)
        seen = seen_until_in_service(bench, endpoint)
    assert set(answers) <= {"blue", "green"}
    assert "RollingBack" in [described["EndpointStatus"] for described in seen]
    described = bench.describe(endpoint)
    assert described["EndpointConfigName"] == blue
    assert f"CloudWatch alarm(s) {name} went into ALARM state" in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == processes(bench, endpoint) == 2
    assert {bench.invoke(endpoint)["generation"] for _ in range(10)} == {"blue"}


def test_an_update_that_takes_too_long_is_rolled_back(bench: Workbench) -> None:
    endpoint, blue, green = blue_and_green(bench)
    # Ten waits of 100 s, of which each alone would be short enough.
    options = guarded("LINEAR", wait=100, LinearStepSize=percent(10))
    options["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    update(bench, endpoint, green, options)
    bench.wait("endpoint_in_service", endpoint)
    described = bench.describe(endpoint)
    assert described["EndpointConfigName"] == blue
    assert "MaximumExecutionTimeoutInSeconds allows (600 s)" in described["FailureReason"]


def test_the_last_deployment_config_is_used_again_only_when_it_is_retained(bench: Workbench) -> None:
    endpoint, _, green = blue_and_green(bench)
    update(bench, endpoint, green, guarded("CANARY", wait=100, CanarySize=percent(50)))
    bench.wait("endpoint_in_service", endpoint)
    for retain, steps in ((True, 2), (False, 1)):
        again = bench.config(bench.model(GENERATION="again"), instances=2)
        bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=again, RetainDeploymentConfig=retain)
        seen = messages(seen_until_in_service(bench, endpoint))
        assert len([words for words in seen if words.startswith("Baking")]) <= steps - 1
        assert any("canary" in words for words in seen) == retain


def test_several_variants_share_the_traffic_by_weight(bench: Workbench) -> None:
    name, variants = bench.name("config"), []
    for variant, weight in (("All", 3.0), ("None", 0.0)):
        model = bench.model(GENERATION=variant)
        instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "InitialVariantWeight": weight}
        variants.append({"VariantName": variant, "ModelName": model, **instances})
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    endpoint = bench.endpoint(name)
    assert {bench.invoke(endpoint)["generation"] for _ in range(20)} == {"All"}
    assert bench.invoke(endpoint, TargetVariant="None")["generation"] == "None"
    swapped = [{"VariantName": "All", "DesiredWeight": 0}, {"VariantName": "None", "DesiredWeight": 1}]
    bench.sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=swapped)
    bench.wait("endpoint_in_service", endpoint)
    assert {bench.invoke(endpoint)["generation"] for _ in range(20)} == {"None"}


def test_a_shadow_variant_gets_copies_and_its_answers_are_dropped(bench: Workbench) -> None:
    name = bench.name("config")
    instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "InitialVariantWeight": 1}
    models = {generation: bench.model(GENERATION=generation) for generation in ("real", "shadow")}
    bench.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[{"VariantName": "Real", "ModelName": models["real"], **instances}],
        ShadowProductionVariants=[{"VariantName": "Shadow", "ModelName": models["shadow"], **instances}],
    )
    endpoint = bench.endpoint(name)
    assert {bench.invoke(endpoint)["generation"] for _ in range(10)} == {"real"}
    assert bench.describe(endpoint)["ShadowProductionVariants"][0]["CurrentInstanceCount"] == 1
    logs = bench.cloud.home / "endpoints" / endpoint
    while [log.read_text().count("POST /invocations") for log in logs.glob("*/container.log")] != [10, 10]:
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("capacity_shortage", "InsufficientInstanceCapacity"),
        ("never_healthy", "did not pass the ping health check"),
        ("silent_rollback", None),
    ],
)
def test_an_update_that_aws_would_fail_is_rolled_back_while_the_old_fleet_serves(
    bench: Workbench, kind: str, reason: str | None
) -> None:
    endpoint, blue, green = blue_and_green(bench, instances=1)
    arm(bench.cloud, kind, endpoint)
    with traffic(bench, endpoint) as answers:
        bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=green)
        bench.wait("endpoint_in_service", endpoint)
    assert not [answer for answer in answers if answer not in ("blue", "green")]
    described = bench.describe(endpoint)
    assert described["EndpointConfigName"] == blue
    assert reason in described["FailureReason"] if reason else "FailureReason" not in described
    assert {bench.invoke(endpoint)["generation"] for _ in range(5)} == {"blue"}


def test_a_rollback_that_fails_leaves_a_mix_that_the_next_update_heals(bench: Workbench) -> None:
    endpoint, _, green = blue_and_green(bench)
    arm(bench.cloud, "update_rollback_failed", endpoint)
    with traffic(bench, endpoint) as answers:
        update(bench, endpoint, green, guarded("CANARY", wait=20, CanarySize=percent(50)))
        while (described := bench.describe(endpoint))["EndpointStatus"] == "Updating":
            time.sleep(0.02)
        assert described["EndpointStatus"] == "UpdateRollbackFailed"
        start = len(answers)
        while len(answers) < start + 40:
            time.sleep(0.01)
        assert set(answers[start : start + 40]) == {"blue", "green"}
        bench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=green)
        bench.wait("endpoint_in_service", endpoint)
    assert set(answers) == {"blue", "green"}
    assert {bench.invoke(endpoint)["generation"] for _ in range(10)} == {"green"}
    assert processes(bench, endpoint) == 2


def test_an_endpoint_can_be_stuck_in_creating(bench: Workbench) -> None:
    config, endpoint = bench.config(bench.model(), instances=1), bench.name()
    arm(bench.cloud, "stuck", endpoint, seconds=1.5)
    begun = time.monotonic()
    bench.endpoint(config, endpoint)
    assert time.monotonic() - begun > 1.5
    assert bench.invoke(endpoint)["pid"]


def test_an_update_goes_on_from_its_beginning_when_the_cloud_was_killed_in_its_middle(
    new_cloud: Callable[..., LocalCloud],
) -> None:
    cloud = new_cloud(startup_timeout=30)
    cloud.start()
    bench = furnish(cloud)
    endpoint, blue, green = blue_and_green(bench)
    update(bench, endpoint, green, guarded("CANARY", wait=150, CanarySize=percent(50)))
    wait_for_stage(bench, endpoint, "Baking for 150 seconds")
    os.kill(cloud.get("/_local_cloud/health")["pid"], signal.SIGKILL)
    while cloud.serving_processes():
        time.sleep(0.02)
    cloud.start()
    assert bench.describe(endpoint)["EndpointConfigName"] == blue
    wait_for_stage(bench, endpoint, "Baking for 150 seconds")
    assert {bench.invoke(endpoint)["generation"] for _ in range(40)} == {"blue", "green"}
    bench.wait("endpoint_in_service", endpoint)
    assert bench.describe(endpoint)["EndpointConfigName"] == green
    with pytest.raises(ClientError, match="Could not find"):
        bench.describe("another")
