# SPDX-License-Identifier: GPL-3.0-or-later
"""What SageMaker tells CloudWatch of an endpoint's requests.

Source: the developer guide's pages "Metrics for monitoring SageMaker with CloudWatch", "Alarms and logs for tracking
metrics from serverless endpoints" and "… from asynchronous endpoints".
"""

from __future__ import annotations

import time

from ...aws.caller import Caller
from ..deployment import Variant
from .exchange import Exchange
from .metric_recorder import Metric, MetricRecorder

NAMESPACE = "AWS/SageMaker"
_COUNT, _MICROSECONDS, _NONE = "Count", "Microseconds", "None"


class EndpointMetrics:
    """Turns exchanges into measurements."""

    def __init__(self, recorder: MetricRecorder) -> None:
        self._recorder = recorder
        self._last_requests: dict[tuple[Caller, str], float] = {}

    def last_request(self, caller: Caller, endpoint: str) -> float:
        """When the endpoint was last asked something, seconds since 1970; 0 for never since the cloud started."""
        return self._last_requests.get((caller, endpoint), 0.0)

    def invoked(self, exchange: Exchange) -> None:
        """A real-time request went to a container and has been answered, well or not."""
        for name, value, unit in measurements(exchange):
            self._add(exchange, name, value, unit)

    def processed(self, exchange: Exchange) -> None:
        """An asynchronous request went to a container. Of the common metrics these are published for it."""
        kept = {"Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency"}
        for name, value, unit in measurements(exchange):
            if name in kept:
                self._add(exchange, name, value, unit)

    def variant(self, caller: Caller, endpoint: str, variant: str, name: str, value: float, unit: str) -> None:
        """One value of a variant's metric."""
        dimensions = (("EndpointName", endpoint), ("VariantName", variant))
        self._recorder.add(Metric(caller, NAMESPACE, dimensions, name, unit), value)

    def endpoint(self, caller: Caller, endpoint: str, name: str, value: float, unit: str) -> None:
        """One value of a metric of the whole endpoint."""
        self._recorder.add(Metric(caller, NAMESPACE, (("EndpointName", endpoint),), name, unit), value)

    def _add(self, exchange: Exchange, name: str, value: float, unit: str) -> None:
        variant = exchange.variant
        self._last_requests[exchange.caller, exchange.endpoint_name] = time.time()
        if variant is not None:
            dimensions = (("EndpointName", exchange.endpoint_name), ("VariantName", variant.name))
            self._recorder.add(Metric(exchange.caller, NAMESPACE, dimensions, name, unit), value)


def measurements(exchange: Exchange) -> list[tuple[str, float, str]]:
    """The name, value and unit of each measurement of a request that a container was given. Pure."""
    variant, status = exchange.variant, exchange.model_status
    if variant is None or exchange.model_ms is None:
        return []
    found: list[tuple[str, float, str]] = [
        ("Invocations", 1, _NONE),
        ("Invocation4XXErrors", int(status // 100 == 4), _NONE),
        ("Invocation5XXErrors", int(status // 100 == 5), _NONE),
        # "This includes 4XX/5XX status codes, low-level socket errors, malformed HTTP responses, and request timeouts."
        ("InvocationModelErrors", int(status // 100 != 2), _NONE),
        ("ModelLatency", exchange.model_ms * 1000, _MICROSECONDS),
        ("OverheadLatency", exchange.overhead_ms * 1000, _MICROSECONDS),
    ]
    if exchange.setup_ms:
        found.append(("ModelSetupTime", exchange.setup_ms * 1000, _MICROSECONDS))
    if exchange.first_chunk_ms is not None:
        found.append(("FirstChunkLatency", exchange.first_chunk_ms * 1000, _MICROSECONDS))
        found.append(("FirstChunkModelLatency", (exchange.first_chunk_model_ms or 0) * 1000, _MICROSECONDS))
        found.append(("MidStreamErrors", int(exchange.broke_mid_stream), _NONE))
    if variant.serverless is None:
        # "1/numberOfInstances is sent as the value on each request", ScalingPolicyMetric.
        found.append(("InvocationsPerInstance", 1 / max(exchange.instances, 1), _NONE))
    elif provisioned := variant.serverless.get("ProvisionedConcurrency"):
        spilled = exchange.concurrent > provisioned
        found.append(("ServerlessProvisionedConcurrencyInvocations", int(not spilled), _COUNT))
        found.append(("ServerlessProvisionedConcurrencySpilloverInvocations", int(spilled), _COUNT))
    return found + concurrency_measurements(variant, exchange.concurrent, exchange.instances)


def concurrency_measurements(variant: Variant, concurrent: int, instances: int) -> list[tuple[str, float, str]]:
    """What a variant's requests in flight measure. instances: its healthy containers. Pure."""
    if variant.serverless is None:
        return [("ConcurrentRequestsPerModel", concurrent / max(instances, 1), _COUNT)]
    found: list[tuple[str, float, str]] = [
        ("ServerlessConcurrentExecutionsUtilization", concurrent / variant.serverless["MaxConcurrency"], _NONE)
    ]
    if provisioned := variant.serverless.get("ProvisionedConcurrency"):
        used = min(concurrent, provisioned)
        found.append(("ServerlessProvisionedConcurrencyExecutions", used, _COUNT))
        found.append(("ServerlessProvisionedConcurrencyUtilization", used / provisioned, _NONE))
    return found
