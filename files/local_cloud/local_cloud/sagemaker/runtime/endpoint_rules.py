# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint's configuration says about a request to it: its kind, its headers, its size. Pure."""

from __future__ import annotations

from typing import Any

from ...aws.errors import AwsError
from ..live_endpoint import LiveEndpoint
from ..rules import containers_of
from . import errors
from .limits import (
    ASYNC_INLINE_BYTES,
    INVOCATION_SECONDS,
    REALTIME_PAYLOAD_BYTES,
    SERVERLESS_PAYLOAD_BYTES,
    STREAM_SECONDS,
)
from .requests import RuntimeRequest


def async_config(live: LiveEndpoint) -> dict[str, Any] | None:
    """The AsyncInferenceConfig of an asynchronous endpoint, None for any other."""
    config: dict[str, Any] | None = live.deployment.config.get("AsyncInferenceConfig")
    return config or None


def is_serverless(live: LiveEndpoint) -> bool:
    """An endpoint is serverless as a whole or not at all."""
    return any(variant.serverless for variant in live.deployment.variants)


def instances_of(live: LiveEndpoint, variant: str) -> int:
    """How many healthy containers a variant has now."""
    return live.healthy().get(variant, 0)


def payload_limit(live: LiveEndpoint) -> int:
    """Bytes that a synchronous request or its answer may have."""
    return SERVERLESS_PAYLOAD_BYTES if is_serverless(live) else REALTIME_PAYLOAD_BYTES


def stream_seconds(live: LiveEndpoint) -> float:
    """How long a streamed answer may take."""
    return INVOCATION_SECONDS if is_serverless(live) else STREAM_SECONDS


def check_kind(request: RuntimeRequest, live: LiveEndpoint) -> None:
    """Asynchronous endpoints take asynchronous requests, and no other does."""
    asynchronous = async_config(live) is not None
    if asynchronous != (request.operation == "InvokeEndpointAsync"):
        raise errors.wrong_kind_of_endpoint(live.name, request.operation, asynchronous)


def check_headers(request: RuntimeRequest, live: LiveEndpoint) -> None:
    """Headers that only some endpoints have a use for."""
    parameters = request.parameters
    if "InferenceComponentName" in parameters:
        raise errors.inference_component_not_allowed()
    modes = {
        container.get("Mode") for variant in live.deployment.variants for container in containers_of(variant.model)
    }
    if "TargetModel" in parameters and "MultiModel" not in modes:
        raise errors.target_model_not_supported(live.name)
    if "TargetContainerHostname" in parameters:
        raise errors.target_container_not_supported(live.name)
    if "EnableExplanations" in parameters and not live.deployment.config.get("ExplainerConfig"):
        raise errors.explanations_not_supported(live.name)


def check_payload(request: RuntimeRequest, live: LiveEndpoint) -> None:
    """The size of a synchronous request."""
    if len(request.body) <= payload_limit(live):
        return
    raise errors.oversize_body(request.request_id) if is_serverless(live) else errors.payload_too_large()


def check_async_input(request: RuntimeRequest) -> None:
    """ "Body and InputLocation are mutually exclusive. Provide exactly one of them", InvokeEndpointAsync."""
    if bool(request.body) == ("InputLocation" in request.parameters):
        raise AwsError("ValidationError", "Provide exactly one of Body and InputLocation.")
    if len(request.body) > ASYNC_INLINE_BYTES:
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less "
            f"than or equal to {ASYNC_INLINE_BYTES}",
        )
