# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the runtime's REST protocol by botocore's service model: which operation, and its parameters. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from botocore.model import OperationModel

from ...aws.caller import Caller
from ...aws.errors import AwsError
from ...aws.service_model import Api, load_api
from ...aws.validation import validate

OPERATIONS = frozenset({"InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream"})

# What SageMaker hands on of a request, by the parameter it came in, and what the container knows it as. "SageMaker
# strips all POST headers except those supported by the API", InvokeEndpoint.
_HANDED_ON = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "SessionId": "X-Amzn-SageMaker-Session-Id",
}
_TRACE_HEADER = "x-amzn-trace-id"


@dataclass(frozen=True)
class RuntimeRequest:
    """A request whose parameters keep the service model's rules.

    parameters: the operation's members by their names, without the body.
    """

    operation: str
    caller: Caller
    parameters: dict[str, Any]
    body: bytes
    trace_id: str | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def endpoint_name(self) -> str:
        name: str = self.parameters["EndpointName"]
        return name

    def container_headers(self) -> list[tuple[str, str]]:
        """The headers that the container gets."""
        headers = [(name, self.parameters[member]) for member, name in _HANDED_ON.items() if member in self.parameters]
        return headers + ([("X-Amzn-Trace-Id", self.trace_id)] if self.trace_id else [])


@dataclass(frozen=True)
class _Route:
    method: str
    path: re.Pattern[str]
    operation: OperationModel


class RequestParser:
    """Knows every operation of sagemaker-runtime."""

    def __init__(self) -> None:
        api = load_api("sagemaker-runtime", OPERATIONS)
        self._routes = [_route(api, name) for name in sorted(OPERATIONS)]

    def parse(
        self, caller: Caller, method: str, path: str, headers: Mapping[str, str], body: bytes, request_id: str
    ) -> RuntimeRequest:
        """The request that a method, a path with its percent signs, and headers with lower-case names are.

        Raises UnknownOperationException, SerializationException, and ValidationError for broken constraints.
        """
        for route in self._routes:
            match = route.path.fullmatch(path)
            if match and method == route.method:
                labels = {name: unquote(value) for name, value in match.groupdict().items()}
                parameters = _read(route.operation, labels, headers)
                return RuntimeRequest(
                    route.operation.name, caller, parameters, body, headers.get(_TRACE_HEADER), request_id
                )
        raise AwsError("UnknownOperationException", "", 404)


def _route(api: Api, name: str) -> _Route:
    operation = api.operation(name)
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]*)", re.escape(operation.http["requestUri"]))
    return _Route(operation.http["method"], re.compile(pattern), operation)


def _read(operation: OperationModel, labels: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
    parameters: dict[str, Any] = dict(labels)
    for name, shape in operation.input_shape.members.items():
        if shape.serialization.get("location") != "header":
            continue
        value = headers.get(shape.serialization["name"].lower())
        if value is not None:
            parameters[name] = _integer(name, value) if shape.type_name == "integer" else value
    try:
        # The body is there, if only as no bytes; its size is judged by the endpoint's kind.
        validate(operation.input_shape, {**parameters, "Body": ""})
    except AwsError as error:
        if error.code == "ValidationException":  # the runtime's name for the control plane's
            raise AwsError("ValidationError", error.message) from None
        raise
    return parameters


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise AwsError("SerializationException", f"{name} can not be converted to an integer") from None
