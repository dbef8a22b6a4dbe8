# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud as it looks in the middle of a working day."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass, field

from botocore.exceptions import ClientError, WaiterError
from local_cloud_process import LocalCloud
from local_cloud_workbench import Workbench, furnish

UI = "/_local_cloud/ui"
PLACE = "000000000000/us-east-1"
TAGS = [{"Key": "modelhost:project", "Value": "modelhost"}, {"Key": "modelhost:stage", "Value": "local"}]
LONG = "a" * 63


@dataclass
class Scene:
    """serving: an endpoint that has answered `pid`; failed, creating, updating: endpoints in these states."""

    cloud: LocalCloud
    workbench: Workbench
    serving: str
    pid: int
    failed: str
    creating: str
    updating: str
    pages: dict[str, str] = field(default_factory=dict)

    def endpoint_page(self, name: str) -> str:
        return f"{UI}/endpoints/{PLACE}/{name}"


def set_up(cloud: LocalCloud) -> Scene:
    """Fill a running cloud."""
    workbench = furnish(cloud)
    sagemaker = workbench.sagemaker
    serving = workbench.endpoint(workbench.config(workbench.model(GENERATION="blue")), "modelhost-local")
    pid = workbench.invoke(serving)["pid"]
    with contextlib.suppress(ClientError):
        workbench.invoke(serving, {"status": 500})
    failed = "modelhost-qa"
    sagemaker.create_endpoint(
        EndpointName=failed, EndpointConfigName=workbench.config(workbench.model(TEST_MODE="crash")), Tags=TAGS
    )
    with contextlib.suppress(WaiterError):
        workbench.wait("endpoint_in_service", failed)
    creating = LONG
    config = workbench.config(workbench.model("m" * 63, TEST_MODE="unhealthy"), name="c" * 63)
    sagemaker.create_endpoint(EndpointName=creating, EndpointConfigName=config)
    updating = _in_the_middle_of_a_canary(workbench)
    _expose(cloud)
    _scale(cloud, updating)
    _arm_a_fault(cloud)
    scene = Scene(cloud, workbench, serving, pid, failed, creating, updating)
    scene.pages = {
        "overview": "/",
        "endpoints": f"{UI}/endpoints",
        "serving": scene.endpoint_page(serving),
        "failed": scene.endpoint_page(failed),
        "creating": scene.endpoint_page(creating),
        "updating": scene.endpoint_page(updating),
        "models": f"{UI}/models",
        "calls": f"{UI}/calls",
        "log": f"{UI}/logs/cloud",
    }
    return scene


def _in_the_middle_of_a_canary(workbench: Workbench) -> str:
    """An endpoint whose update has shifted some of the traffic, and bakes for ten minutes."""
    name = workbench.endpoint(workbench.config(workbench.model(), instances=2), "modelhost-prod-like")
    wait = {"Type": "INSTANCE_COUNT", "Value": 1}
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 600, "CanarySize": wait}
    workbench.sagemaker.update_endpoint(
        EndpointName=name,
        EndpointConfigName=workbench.config(workbench.model(GENERATION="green"), instances=2),
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )
    return name


def _expose(cloud: LocalCloud) -> None:
    gateway = cloud.client("apigatewayv2")
    api = gateway.create_api(Name="modelhost-local", ProtocolType="HTTP", Tags={t["Key"]: t["Value"] for t in TAGS})
    gateway.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    gateway.create_route(ApiId=api["ApiId"], RouteKey="POST /demo")


def _scale(cloud: LocalCloud, endpoint: str) -> None:
    cloud.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{endpoint}/variant/AllTraffic",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=4,
    )


def _arm_a_fault(cloud: LocalCloud) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    fault = {"kind": "throttle", "operation": "DeleteModel", "resource": "nobodys-model"}
    connection.request("POST", "/_local_cloud/faults", json.dumps(fault), {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()
    connection.close()
