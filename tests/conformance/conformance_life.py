# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests do with endpoints that run."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from conformance_target import Target
from local_cloud_workbench import Workbench


def update(target: Target, endpoint: str, config: str, **more: Any) -> dict[str, Any]:
    """UpdateEndpoint, and what DescribeEndpoint says when it is done."""
    target.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, **more)
    target.wait(endpoint)
    return target.describe(endpoint)


def reweigh(target: Target, endpoint: str, *wanted: dict[str, Any]) -> Any:
    return target.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=list(wanted)
    )


def leave(target: Target, endpoint: str) -> None:
    """Begin an endpoint's end, so that its containers do not keep the machine busy."""
    target.sagemaker.delete_endpoint(EndpointName=endpoint)


def delete(target: Target, endpoint: str) -> None:
    leave(target, endpoint)
    target.wait(endpoint, "endpoint_deleted")


def event(workbench: Workbench, method: str, page: str, content: Any = None) -> None:
    """Ask the local cloud for what AWS does of itself."""
    body = json.dumps(content).encode() if content is not None else None
    headers = {"Content-Type": "application/json"}
    url = f"{workbench.cloud.url}/_local_cloud/{page}"
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)).close()
