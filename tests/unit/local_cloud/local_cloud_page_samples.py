# SPDX-License-Identifier: GPL-3.0-or-later
"""What a busy local cloud looks like to the status page."""

from __future__ import annotations

from typing import Any

from local_cloud.aws.caller import Caller
from local_cloud.status_page.page_data import (
    CallFacts,
    CloudFacts,
    ConfigFacts,
    ContainerFacts,
    EndpointDetail,
    EndpointFacts,
    FaultFacts,
    LogTail,
    ModelFacts,
    Overview,
    RequestFacts,
    RouteFacts,
    ScalableTargetFacts,
    UpdateFacts,
    VariantFacts,
)

NOW = 1_764_000_000.0
HERE, THERE = Caller("000000000000", "us-east-1"), Caller("111111111111", "eu-west-1")
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/modelhost-local-serving@sha256:" + "0a1b2c3d4e5f" + "6" * 52
TAGS = {"modelhost:project": "modelhost", "modelhost:stage": "local", "team": "platform"}
REASON = (
    "The primary container for production variant AllTraffic did not pass the ping health check. Please check "
    "CloudWatch logs for this endpoint. The container ended while starting; its log is "
    "/srv/modelhost/.local_cloud/4566/endpoints/modelhost-qa/i-0f2e4c6a8b1d3f5e7/container.log"
)


def facts(**changes: Any) -> CloudFacts:
    known: dict[str, Any] = {
        "url": "http://127.0.0.1:4566",
        "caller": HERE,
        "home": "/srv/modelhost/.local_cloud/4566",
        "pid": 4711,
        "started": NOW - 7384,
        "memory": 58 << 20,
        "docker_host": None,
        "startup_timeout": None,
        "time_scale": 0.01,
        "provisioning_seconds": 0.0,
        "enforce_iam": False,
    }
    return CloudFacts(**{**known, **changes})


def variant(**changes: Any) -> VariantFacts:
    known: dict[str, Any] = {
        "name": "AllTraffic",
        "model": "modelhost-local-3f9a1c22",
        "image": IMAGE,
        "kind": "serverless, 2048 MB, 20 at a time",
        "weight": 1.0,
        "current": 0,
        "desired": 0,
        "serverless": True,
    }
    return VariantFacts(**{**known, **changes})


def container(number: int = 1, **changes: Any) -> ContainerFacts:
    known: dict[str, Any] = {
        "container_id": f"i-0c5d7e9f1a2b3c4d{number}",
        "variant": "AllTraffic",
        "state": "healthy",
        "pid": 48213 + number,
        "port": 39121 + number,
        "started": NOW - 410,
        "memory": 213 << 20,
    }
    return ContainerFacts(**{**known, **changes})


def endpoint(**changes: Any) -> EndpointFacts:
    known: dict[str, Any] = {
        "caller": HERE,
        "name": "modelhost-local",
        "status": "InService",
        "config": "modelhost-local-77ab01de",
        "created": NOW - 86400 * 2,
        "modified": NOW - 400,
        "variants": (variant(),),
        "containers": (container(in_flight=2),),
        "tags": TAGS,
        "startup_seconds": 180.0,
    }
    return EndpointFacts(**{**known, **changes})


FAILED = endpoint(
    name="modelhost-qa",
    status="Failed",
    failure_reason=REASON,
    config="modelhost-qa-0badc0de",
    created=NOW - 95,
    modified=NOW - 61,
    variants=(),
    containers=(),
    tags={"modelhost:project": "modelhost", "modelhost:stage": "qa"},
)
CREATING = endpoint(
    caller=THERE,
    name="modelhost-eu",
    status="Creating",
    config="modelhost-eu-1d2c3b4a",
    created=NOW - 42,
    modified=NOW - 42,
    containers=(container(7, state="starting", waiting_for="/ping answers 503", started=NOW - 40, memory=410 << 20),),
)
UPDATING = endpoint(
    name="modelhost-prod-like",
    status="Updating",
    config="modelhost-prod-like-aaaa1111",
    modified=NOW - 20,
    variants=(
        variant(kind="ml.m5.large", serverless=False, current=2, desired=2, fleet="blue"),
        variant(
            kind="ml.m5.large", serverless=False, current=2, desired=2, fleet="green", model="modelhost-local-9e8d7c6b"
        ),
    ),
    containers=(
        container(2, fleet="blue", in_flight=4),
        container(3, fleet="blue", in_flight=3),
        container(4, fleet="green", started=NOW - 18),
        container(5, fleet="green", started=NOW - 17, in_flight=1),
    ),
    update=UpdateFacts("modelhost-prod-like-bbbb2222", 10.0),
    doing="Baking for 600 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s).",
    doing_since=NOW - 12,
)
CONFIG = ConfigFacts(
    HERE,
    "modelhost-local-77ab01de",
    NOW - 430,
    ("modelhost-local-3f9a1c22",),
    ("serverless, 2048 MB, 20 at a time",),
    TAGS,
    ("modelhost-local",),
)
OLD_CONFIG = ConfigFacts(
    HERE, "modelhost-local-51c0ffee", NOW - 86400, ("modelhost-local-1b2c3d4e",), ("ml.m5.large × 2",), TAGS
)
MODEL = ModelFacts(
    HERE,
    "modelhost-local-3f9a1c22",
    NOW - 431,
    IMAGE,
    "s3://modelhost-local-models/8c1f/model.tar.gz",
    TAGS,
    ("modelhost-local",),
)
ROUTE = RouteFacts(
    HERE, "modelhost-local", "POST", "http://127.0.0.1:4566/_aws/execute-api/3b9d1f22/demo", "$default", TAGS
)
TARGET = ScalableTargetFacts(
    HERE,
    "modelhost-prod-like",
    "AllTraffic",
    "DesiredInstanceCount",
    1,
    4,
    ("requests: 100 SageMakerVariantInvocationsPerInstance",),
)
FAULT = FaultFacts(
    "throttle-1", "throttle", "sagemaker DescribeEndpoint modelhost-local…", "2 more", "one in 3; struck 4 of 12"
)
REQUESTS = tuple(
    RequestFacts(
        NOW - 3 - 11 * number,
        HERE,
        "modelhost-local",
        "AllTraffic",
        "invoke",
        424 if number == 2 else 200,
        "ModelError" if number == 2 else None,
        12.4 + number,
    )
    for number in range(8)
)
CALLS = (
    CallFacts(812, NOW - 2, "sagemaker", "DescribeEndpoint", "read", 200, None, "000000000000", 0.8),
    CallFacts(811, NOW - 3, "execute-api", "POST /demo", "data", 200, None, "–", 31.2),
    CallFacts(
        810,
        NOW - 61,
        "sagemaker",
        "CreateEndpoint",
        "write",
        400,
        "ValidationException",
        "000000000000",
        2.1,
        "modelhost-qa",
        "error-1",
    ),
    CallFacts(809, NOW - 62, "sagemaker", "CreateEndpointConfig", "write", 200, None, "000000000000", 1.9),
    CallFacts(808, NOW - 63, "s3", "PutObject", "write", 200, None, "000000000000", 9.0),
    CallFacts(807, NOW - 64, "sagemaker", "ListTags", "read", 0, None, "000000000000", 700.0, None, "drop-2"),
)
LOG = LogTail(
    "The cloud's own log",
    "/srv/modelhost/.local_cloud/4566/cloud.log",
    (
        "2025-11-24 15:58:19,201 INFO local_cloud.endpoints: endpoint modelhost-local: InService",
        "2025-11-24 15:58:59,118 WARNING local_cloud.endpoints: endpoint modelhost-qa: Failed: " + REASON,
    ),
    False,
)


def overview(**changes: Any) -> Overview:
    known: dict[str, Any] = {
        "now": NOW,
        "facts": facts(),
        "endpoints": (endpoint(), FAILED, CREATING, UPDATING),
        "configs": (OLD_CONFIG, CONFIG),
        "models": (MODEL,),
        "routes": (ROUTE,),
        "targets": (TARGET,),
        "faults": (FAULT,),
        "requests": REQUESTS,
        "calls": CALLS,
        "log": LOG,
    }
    return Overview(**{**known, **changes})


def detail(**changes: Any) -> EndpointDetail:
    known: dict[str, Any] = {
        "now": NOW,
        "facts": facts(),
        "endpoint": UPDATING,
        "targets": (TARGET,),
        "requests": REQUESTS,
        "calls": CALLS[2:4],
        "logs": (
            LogTail(
                "Log of i-0c5d7e9f1a2b3c4d2",
                "/srv/modelhost/.local_cloud/4566/endpoints/modelhost-prod-like/i-0c5d7e9f1a2b3c4d2/container.log",
                ("loading /opt/ml/model/model.onnx", "warm-up answered in 41 ms", "serving on 127.0.0.1:39123"),
                True,
            ),
        ),
    }
    return EndpointDetail(**{**known, **changes})
