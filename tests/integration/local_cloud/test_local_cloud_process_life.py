# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's own life: start, find again, stop, and what survives it."""

from __future__ import annotations

import contextlib
import http.server
import io
import ipaddress
import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from local_cloud_process import LocalCloud, is_gone
from local_cloud_workbench import Workbench, furnish


@pytest.fixture(scope="module")
def shared(new_cloud: Callable[..., LocalCloud]) -> Workbench:
    """A cloud for the tests that leave it running as it is."""
    cloud = new_cloud()
    cloud.start()
    return furnish(cloud)


@pytest.fixture
def cloud(new_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    cloud = new_cloud()
    cloud.start()
    return cloud


def test_a_second_start_finds_the_first(shared: Workbench) -> None:
    cloud = shared.cloud
    pid = cloud.get("/_local_cloud/health")["pid"]
    assert "already running" in cloud.start()
    assert cloud.get("/_local_cloud/health")["pid"] == pid
    assert cloud.command("status").returncode == 0


def test_other_settings_restart_it(cloud: LocalCloud) -> None:
    pid = cloud.get("/_local_cloud/health")["pid"]
    cloud.startup_timeout = 7
    assert "restarting it, its state is kept" in cloud.start()
    assert cloud.get("/_local_cloud/health")["pid"] != pid


def test_a_port_of_another_program_is_named_with_the_variable_to_change(shared: Workbench) -> None:
    cloud = shared.cloud
    stranger = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    done = cloud.command("start", port=stranger.server_port, home=cloud.home.parent / "another")
    stranger.shutdown()
    assert done.returncode == 1
    assert f"Port {stranger.server_port} of 127.0.0.1 is taken by another program" in done.stderr
    assert "local_cloud_port" in done.stderr


def test_a_port_of_another_homes_cloud_is_refused(shared: Workbench) -> None:
    cloud = shared.cloud
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


def test_nothing_of_the_cloud_listens_on_anything_but_loopback(shared: Workbench) -> None:
    cloud = shared.cloud
    shared.serving(instances=2)
    invoke_a_function(cloud)
    family = descendants(cloud.get("/_local_cloud/health")["pid"])
    assert len(family) >= 4, "the cloud, two serving processes and a function"
    listening = [place for pid in family for place in listeners(pid)]
    assert len(listening) >= 3
    assert {address for address, _port in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_no_process_and_no_temporary_file_is_left(cloud: LocalCloud, end: signal.Signals) -> None:
    workbench = furnish(cloud)
    workbench.serving()
    invoke_a_function(cloud)
    elsewhere = {path for path in Path("/tmp").iterdir() if "ministack" in path.name or "lambda" in path.name}
    pid = cloud.get("/_local_cloud/health")["pid"]
    family = descendants(pid)
    assert len(family) >= 3
    assert any((cloud.home / "tmp").iterdir()), "the function's code is unpacked there"
    os.kill(pid, end)
    while not all(is_gone(member) for member in family):
        time.sleep(0.02)
    cloud.stop()
    assert not (cloud.home / "tmp").exists() or not any((cloud.home / "tmp").iterdir())
    assert list(cloud.home.glob("endpoints/*/*/model")) == []
    now = {path for path in Path("/tmp").iterdir() if "ministack" in path.name or "lambda" in path.name}
    assert now - elsewhere == set()


def test_unpacked_images_that_nothing_uses_are_removed(cloud: LocalCloud) -> None:
    workbench = furnish(cloud)
    used = workbench.serving()
    (image,) = (cloud.home / "images").iterdir()
    (cloud.home / "images" / ".unpacking-cut-short").mkdir()
    os.kill(cloud.get("/_local_cloud/health")["pid"], signal.SIGKILL)
    cloud.start()
    while list((cloud.home / "images").iterdir()) != [image]:
        time.sleep(0.05)
    assert workbench.invoke(used)["pid"]
    workbench.sagemaker.delete_endpoint(EndpointName=used)
    workbench.wait("endpoint_deleted", used)
    cloud.stop()
    cloud.start()
    while any((cloud.home / "images").iterdir()):
        time.sleep(0.05)


def invoke_a_function(cloud: LocalCloud) -> None:
    """A function that has been invoked: its process stays warm."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context):\n    return 1\n")
    client = cloud.client("lambda")
    client.create_function(
        FunctionName="warm",
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/execution",
        Handler="handler.handle",
        Code={"ZipFile": buffer.getvalue()},
    )
    assert client.invoke(FunctionName="warm")["Payload"].read() == b"1"


def descendants(pid: int) -> list[int]:
    """The process and all that it, and they, started."""
    children: dict[int, list[int]] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(directory.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def listeners(pid: int) -> list[tuple[str, int]]:
    """The addresses and ports that a process listens on, or takes datagrams at."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(str(entry.readlink()))
    found = []
    for table, states in (("tcp", {"0A"}), ("tcp6", {"0A"}), ("udp", {"07"}), ("udp6", {"07"})):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in states and f"socket:[{fields[9]}]" in sockets:
                address, _, port = fields[1].partition(":")
                found.append((readable(address), int(port, 16)))
    return found


def readable(address: str) -> str:
    """An address as /proc/net writes it: hexadecimal, in words of the machine's own byte order."""
    words = [int(address[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(address), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def test_every_call_is_in_the_call_log_with_its_name_and_outcome(shared: Workbench) -> None:
    workbench, cloud = shared, shared.cloud
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
