# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's own life: start, find again, stop, and what survives it."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from local_cloud_process import LocalCloud, is_gone
from local_cloud_workbench import Workbench, furnish


@pytest.fixture
def cloud(new_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    cloud = new_cloud()
    cloud.start()
    return cloud


def test_a_second_start_finds_the_first(cloud: LocalCloud) -> None:
    pid = cloud.get("/_local_cloud/health")["pid"]
    assert "already running" in cloud.start()
    assert cloud.get("/_local_cloud/health")["pid"] == pid
    assert cloud.command("status").returncode == 0


def test_other_settings_restart_it(cloud: LocalCloud) -> None:
    pid = cloud.get("/_local_cloud/health")["pid"]
    cloud.startup_timeout = 7
    assert "restarting it, its state is kept" in cloud.start()
    assert cloud.get("/_local_cloud/health")["pid"] != pid


def test_a_port_of_another_program_is_named_with_the_variable_to_change(cloud: LocalCloud) -> None:
    stranger = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    done = cloud.command("start", port=stranger.server_port, home=cloud.home.parent / "another")
    stranger.shutdown()
    assert done.returncode == 1
    assert f"Port {stranger.server_port} of 127.0.0.1 is taken by another program" in done.stderr
    assert "local_cloud_port" in done.stderr


def test_a_port_of_another_homes_cloud_is_refused(cloud: LocalCloud) -> None:
    done = cloud.command("start", home=cloud.home.parent / "another")
    assert done.returncode == 1
    assert str(cloud.home) in done.stderr


def test_stop_leaves_no_process_and_can_be_said_twice(cloud: LocalCloud) -> None:
    workbench = furnish(cloud)
    workbench.serving(instances=2)
    pid = cloud.get("/_local_cloud/health")["pid"]
    assert len(cloud.serving_processes()) == 2
    cloud.stop()
    assert cloud.serving_processes() == []
    assert is_gone(pid)
    assert not (cloud.home / "cloud.pid").exists()
    assert "not running" in cloud.stop()
    assert cloud.command("status").returncode == 3


def test_a_restart_keeps_what_was_there_and_endpoints_answer_again(cloud: LocalCloud) -> None:
    workbench = furnish(cloud)
    endpoint = workbench.serving(GENERATION="kept")
    sagemaker = workbench.sagemaker
    sagemaker.add_tags(ResourceArn=workbench.describe(endpoint)["EndpointArn"], Tags=[{"Key": "k", "Value": "v"}])
    before = workbench.describe(endpoint)
    calls = cloud.get("/_local_cloud/calls")["next"]
    cloud.stop()
    assert endpoint in cloud.start()
    after = workbench.describe(endpoint)
    for member in ("EndpointStatus", "EndpointConfigName", "CreationTime", "ProductionVariants"):
        assert after[member] == before[member]
    assert workbench.invoke(endpoint)["generation"] == "kept"
    assert workbench.sagemaker.list_tags(ResourceArn=after["EndpointArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    assert workbench.model(), "the role, the image and the artifact are in ministack's services"
    assert cloud.get(f"/_local_cloud/calls?since={calls}")["calls"][0]["n"] == calls + 1


def test_an_update_that_a_stop_interrupts_is_finished_after_the_start(cloud: LocalCloud) -> None:
    workbench = furnish(cloud)
    endpoint = workbench.serving(GENERATION="old")
    config = workbench.config(workbench.model(GENERATION="new"))
    workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    cloud.stop()
    cloud.start()
    workbench.wait("endpoint_in_service", endpoint)
    assert workbench.invoke(endpoint)["generation"] == "new"
    assert workbench.describe(endpoint)["EndpointConfigName"] == config


def test_a_change_of_capacity_that_a_stop_interrupts_is_finished_after_the_start(cloud: LocalCloud) -> None:
    workbench = furnish(cloud)
    endpoint = workbench.serving(instances=1)
    workbench.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
    )
    cloud.stop()
    cloud.start()
    workbench.wait("endpoint_in_service", endpoint)
    assert workbench.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2


def test_a_killed_cloud_takes_its_serving_processes_with_it(cloud: LocalCloud) -> None:
    workbench = furnish(cloud)
    workbench.serving()
    assert len(cloud.serving_processes()) == 1
    os.kill(cloud.get("/_local_cloud/health")["pid"], signal.SIGKILL)
    while cloud.serving_processes():
        time.sleep(0.02)


def test_every_call_is_in_the_call_log_with_its_name_and_outcome(cloud: LocalCloud) -> None:
    workbench: Workbench = furnish(cloud)
    endpoint = workbench.serving()
    start = cloud.get("/_local_cloud/calls")["next"]
    workbench.invoke(endpoint)
    s3, iam = cloud.client("s3"), cloud.client("iam")
    s3.put_object(Bucket="models", Key="x", Body=b"x")
    s3.list_objects_v2(Bucket="models")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="nobody")
    with pytest.raises(Exception, match="Could not find"):
        workbench.sagemaker.delete_model(ModelName="nobody")
    page = cloud.get(f"/_local_cloud/calls?since={start}")
    logged = [(c["service"], c["operation"], c["access"], c["status"], c["error"]) for c in page["calls"]]
    assert logged == [
        ("sagemaker", "InvokeEndpoint", "data", 200, None),
        ("s3", "PutObject", "write", 200, None),
        ("s3", "ListObjectsV2", "read", 200, None),
        ("iam", "GetRole", "read", 404, "NoSuchEntity"),
        ("sagemaker", "DeleteModel", "write", 400, "ValidationException"),
    ]
    assert {c["access_key"] for c in page["calls"]} == {"000000000000"}
    assert page["next"] == start + 5
    assert (cloud.home / "calls.jsonl").read_text().count("\n") == page["next"]
