# SPDX-License-Identifier: GPL-3.0-or-later
"""An endpoint's life, from Creating to gone."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from local_cloud_admin import arm, ask, tell
from local_cloud_images import VENV
from local_cloud_process import LocalCloud, is_gone
from local_cloud_workbench import Workbench, furnish


@contextmanager
def requests_going_on(workbench: Workbench, endpoint: str) -> Iterator[list[Any]]:
    """Four callers that invoke the endpoint without a pause. Yields what they got: generations, or exceptions."""
    results: list[Any] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                results.append(workbench.invoke(endpoint, {"sleep": 0.02})["generation"])
            except Exception as error:
                results.append(error)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield results
    finally:
        stop.set()
        for caller in callers:
            caller.join()


def test_a_created_endpoint_answers_with_the_models_environment_and_artifact(workbench: Workbench) -> None:
    endpoint = workbench.serving(GENERATION="1", HF_TASK="text-classification")
    answer = workbench.invoke(endpoint, ContentType="application/json", InferenceId="id-1", CustomAttributes="mine")
    assert answer["generation"] == "1"
    assert answer["model"] == {"weights.txt": "one"}
    environment = answer["environment"]
    assert environment["HF_TASK"] == "text-classification"
    assert environment["SERVING_HOST"] == "127.0.0.1"
    assert environment["AWS_ENDPOINT_URL"] == workbench.cloud.url
    assert "of-the-person-who-starts-it" not in environment.values()
    assert answer["headers"]["x-amzn-sagemaker-inference-id"] == "id-1"


def test_describe_says_what_is_deployed(workbench: Workbench) -> None:
    config = workbench.config(workbench.model(), instances=2)
    endpoint = workbench.endpoint(config)
    description = workbench.describe(endpoint)
    (variant,) = description["ProductionVariants"]
    assert description["EndpointStatus"] == "InService"
    assert description["EndpointConfigName"] == config
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (2, 2)
    assert variant["DeployedImages"][0]["ResolvedImage"] == workbench.image
    assert {workbench.invoke(endpoint)["pid"] for _ in range(40)} == set(processes_of(workbench, endpoint))


def processes_of(workbench: Workbench, endpoint: str) -> list[int]:
    records = (workbench.cloud.home / "endpoints" / endpoint).glob("*/container.json")
    return [json.loads(record.read_text())["pid"] for record in records]


def test_an_update_replaces_the_fleet_without_one_failed_request(workbench: Workbench) -> None:
    endpoint = workbench.serving(GENERATION="blue")
    old = processes_of(workbench, endpoint)
    config = workbench.config(workbench.model(GENERATION="green"))
    with requests_going_on(workbench, endpoint) as results:
        workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        during = workbench.describe(endpoint)
        workbench.wait("endpoint_in_service", endpoint)
        answered = len(results)
        while len(results) < answered + 20:
            time.sleep(0.01)
    assert during["EndpointStatus"] == "Updating"
    assert during["PendingDeploymentSummary"]["EndpointConfigName"] == config
    assert set(results) == {"blue", "green"}
    assert results[-1] == "green"
    assert workbench.describe(endpoint)["EndpointConfigName"] == config
    wait_until(lambda: all(is_gone(pid) for pid in old))


def wait_until(condition: Any) -> None:
    while not condition():
        time.sleep(0.02)


def test_the_old_fleet_answers_its_last_request_before_it_goes(workbench: Workbench) -> None:
    endpoint = workbench.serving(GENERATION="blue")
    config = workbench.config(workbench.model(GENERATION="green"))
    slow: list[str] = []
    caller = threading.Thread(target=lambda: slow.append(workbench.invoke(endpoint, {"sleep": 3})["generation"]))
    caller.start()
    workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    workbench.wait("endpoint_in_service", endpoint)
    assert workbench.invoke(endpoint)["generation"] == "green"
    caller.join()
    assert slow == ["blue"]


@pytest.mark.parametrize("mood", ["unhealthy", "crash"])
def test_an_update_that_never_gets_healthy_rolls_back_and_the_old_fleet_serves_on(
    workbench: Workbench, mood: str
) -> None:
    good = workbench.config(workbench.model(GENERATION="good"), instances=1)
    endpoint = workbench.endpoint(good)
    bad = workbench.config(workbench.model(GENERATION="bad", TEST_MODE=mood), instances=1)
    with requests_going_on(workbench, endpoint) as results:
        workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=bad)
        workbench.wait("endpoint_in_service", endpoint)
    description = workbench.describe(endpoint)
    assert set(results) == {"good"}
    assert description["EndpointConfigName"] == good
    assert "did not pass the ping health check" in description["FailureReason"]
    assert "PendingDeploymentSummary" not in description
    assert len(processes_of(workbench, endpoint)) == 1


def test_a_container_that_never_gets_healthy_fails_the_endpoint_and_its_log_is_kept(workbench: Workbench) -> None:
    config = workbench.config(workbench.model(TEST_MODE="crash"))
    endpoint = workbench.name()
    workbench.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    with pytest.raises(WaiterError):
        workbench.wait("endpoint_in_service", endpoint)
    description = workbench.describe(endpoint)
    assert description["EndpointStatus"] == "Failed"
    log = description["FailureReason"].rpartition("its log is ")[2]
    with open(log) as file:
        assert "this model is broken on purpose" in file.read()
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    events = workbench.cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    assert "this model is broken on purpose" in [event["message"] for event in events]


def test_a_failed_endpoint_can_only_be_deleted(workbench: Workbench) -> None:
    config = workbench.config(workbench.model(TEST_MODE="crash"))
    endpoint = workbench.name()
    workbench.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    with pytest.raises(WaiterError):
        workbench.wait("endpoint_in_service", endpoint)
    with pytest.raises(ClientError, match="Cannot update endpoint"):
        workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    with pytest.raises(ClientError, match=f"Endpoint {endpoint} of account 000000000000 not found"):
        workbench.invoke(endpoint)
    workbench.sagemaker.delete_endpoint(EndpointName=endpoint)
    workbench.wait("endpoint_deleted", endpoint)


def test_nothing_is_done_to_an_endpoint_that_is_on_its_way(workbench: Workbench) -> None:
    config = workbench.config(workbench.model(TEST_MODE="unhealthy"))
    endpoint = workbench.name()
    workbench.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    for call in (
        lambda: workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config),
        lambda: workbench.sagemaker.delete_endpoint(EndpointName=endpoint),
    ):
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            call()


def test_an_endpoint_that_is_deleted_leaves_no_process_but_its_config_and_model(workbench: Workbench) -> None:
    model = workbench.model()
    config = workbench.config(model)
    endpoint = workbench.endpoint(config)
    pids = processes_of(workbench, endpoint)
    workbench.sagemaker.delete_endpoint(EndpointName=endpoint)
    workbench.wait("endpoint_deleted", endpoint)
    assert len(pids) == 1
    assert all(is_gone(pid) for pid in pids)
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:us-east-1'):
        workbench.describe(endpoint)
    workbench.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    workbench.sagemaker.describe_model(ModelName=model)


def test_a_serving_process_that_dies_is_replaced(workbench: Workbench) -> None:
    endpoint = workbench.serving(GENERATION="1")
    first = workbench.invoke(endpoint)["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in processes_of(workbench, endpoint))
    assert workbench.invoke(endpoint)["pid"] != first


def test_a_container_that_dies_while_it_answers_is_a_model_error_for_that_request_only(workbench: Workbench) -> None:
    endpoint = workbench.serving()
    with pytest.raises(workbench.runtime.exceptions.ModelError) as caught:
        workbench.invoke(endpoint, {"die": 1})
    assert caught.value.response["OriginalStatusCode"] == 0
    assert workbench.invoke(endpoint)["pid"]


def test_capacities_and_weights_change_in_place(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    before = processes_of(workbench, endpoint)
    for count in (3, 1):
        workbench.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": count}],
        )
        workbench.wait("endpoint_in_service", endpoint)
        assert workbench.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == count
        assert len(processes_of(workbench, endpoint)) == count
    assert processes_of(workbench, endpoint) == before


@pytest.mark.parametrize(("retain", "count"), [(True, 2), (False, 1)])
def test_an_update_keeps_the_instance_count_only_when_told_to(workbench: Workbench, retain: bool, count: int) -> None:
    endpoint = workbench.serving(instances=1)
    workbench.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
    )
    workbench.wait("endpoint_in_service", endpoint)
    workbench.sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=workbench.config(workbench.model(), instances=1),
        RetainAllVariantProperties=retain,
    )
    workbench.wait("endpoint_in_service", endpoint)
    assert workbench.describe(endpoint)["ProductionVariants"][0]["DesiredInstanceCount"] == count


def test_a_rollback_is_an_update_to_an_earlier_config(workbench: Workbench) -> None:
    first = workbench.config(workbench.model(GENERATION="1"))
    second = workbench.config(workbench.model(GENERATION="2"))
    endpoint = workbench.endpoint(first)
    for config, generation in ((second, "2"), (first, "1")):
        workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        workbench.wait("endpoint_in_service", endpoint)
        assert workbench.invoke(endpoint)["generation"] == generation


def test_an_endpoint_serves_on_when_its_config_is_deleted_but_cannot_be_updated(workbench: Workbench) -> None:
    config = workbench.config(workbench.model())
    endpoint = workbench.endpoint(config)
    workbench.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    assert workbench.invoke(endpoint)["pid"]
    with pytest.raises(ClientError, match=f'Could not find endpoint configuration .*{config}"'):
        workbench.sagemaker.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=workbench.config(workbench.model())
        )


def test_an_instance_based_endpoint_does_not_become_serverless(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    with pytest.raises(ClientError, match="not supported"):
        workbench.sagemaker.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=workbench.config(workbench.model())
        )


def test_maintenance_leaves_the_endpoint_serving_but_nothing_can_be_done_to_it(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    tell(workbench.cloud, "POST", f"endpoints/{endpoint}/system-update")
    assert workbench.describe(endpoint)["EndpointStatus"] == "SystemUpdating"
    assert workbench.invoke(endpoint)["pid"]
    for call in (
        lambda: workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName="any"),
        lambda: workbench.sagemaker.delete_endpoint(EndpointName=endpoint),
    ):
        with pytest.raises(ClientError, match="in-progress"):
            call()
    assert ask(workbench.cloud, "POST", f"endpoints/{endpoint}/out-of-service")[0] == 409
    tell(workbench.cloud, "DELETE", f"endpoints/{endpoint}/system-update")
    assert workbench.describe(endpoint)["EndpointStatus"] == "InService"


def test_an_endpoint_that_is_out_of_service_takes_no_requests_until_it_is_back(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    tell(workbench.cloud, "POST", f"endpoints/{endpoint}/out-of-service")
    assert workbench.describe(endpoint)["EndpointStatus"] == "OutOfService"
    with pytest.raises(ClientError, match="not found"):
        workbench.invoke(endpoint)
    tell(workbench.cloud, "DELETE", f"endpoints/{endpoint}/out-of-service")
    assert workbench.invoke(endpoint)["pid"]


def test_containers_that_are_killed_on_command_are_replaced(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=2)
    before = set(processes_of(workbench, endpoint))
    assert len(tell(workbench.cloud, "POST", f"endpoints/{endpoint}/kill", {"count": 1})["killed"]) == 1
    wait_until(lambda: before - set(processes_of(workbench, endpoint)) and len(processes_of(workbench, endpoint)) == 2)
    assert len(before & set(processes_of(workbench, endpoint))) == 1
    assert ask(workbench.cloud, "POST", f"endpoints/{endpoint}/kill", {"variant": "Other"})[0] == 409


def test_a_creation_without_capacity_fails_with_awss_words(workbench: Workbench) -> None:
    config, endpoint = workbench.config(workbench.model(), instances=1), workbench.name()
    arm(workbench.cloud, "capacity_shortage", endpoint)
    workbench.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    with pytest.raises(WaiterError):
        workbench.wait("endpoint_in_service", endpoint)
    reason = workbench.describe(endpoint)["FailureReason"]
    assert reason.startswith("Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity")
    assert processes_of(workbench, endpoint) == []


def test_more_instances_without_capacity_are_rolled_back(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    arm(workbench.cloud, "capacity_shortage", endpoint)
    workbench.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
    )
    workbench.wait("endpoint_in_service", endpoint)
    description = workbench.describe(endpoint)
    assert "InsufficientInstanceCapacity" in description["FailureReason"]
    assert description["ProductionVariants"][0]["DesiredInstanceCount"] == len(processes_of(workbench, endpoint)) == 1


def test_an_endpoint_that_is_stuck_in_deleting_is_gone_in_the_end(workbench: Workbench) -> None:
    endpoint = workbench.serving(instances=1)
    arm(workbench.cloud, "stuck", endpoint, seconds=1)
    workbench.sagemaker.delete_endpoint(EndpointName=endpoint)
    assert workbench.describe(endpoint)["EndpointStatus"] == "Deleting"
    with pytest.raises(ClientError, match="not found"):
        workbench.invoke(endpoint)
    workbench.wait("endpoint_deleted", endpoint)


def test_an_endpoint_that_does_not_come_back_after_a_start_is_healed_by_an_update(
    new_cloud: Callable[..., LocalCloud],
) -> None:
    cloud = new_cloud(startup_timeout=5)
    cloud.start()
    workbench = furnish(cloud)
    first = workbench.config(workbench.model(GENERATION="1"))
    endpoint = workbench.endpoint(first)
    cloud.stop()
    venv = cloud.venvs / VENV / ".complete"
    venv.rename(venv.with_name("gone"))
    start = threading.Thread(target=cloud.command, args=("start",))  # it waits for the endpoint
    start.start()
    wait_until(lambda: "does not come back yet" in (cloud.home / "cloud.log").read_text())
    assert workbench.describe(endpoint)["EndpointStatus"] == "InService"
    for config, generation in ((first, "1"), (workbench.config(workbench.model(GENERATION="2")), "2")):
        workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        workbench.wait("endpoint_in_service", endpoint)
        if generation == "1":
            assert "is not complete" in workbench.describe(endpoint)["FailureReason"]
            venv.with_name("gone").rename(venv)
    assert workbench.invoke(endpoint)["generation"] == "2"
    start.join()
