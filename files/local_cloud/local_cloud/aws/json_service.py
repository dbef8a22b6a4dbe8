# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of the JSON protocol: each operation that we serve, by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .caller import Caller
from .errors import AwsError
from .json_protocol import Response, failure, parse_body, success
from .service_model import load_api
from .validation import validate

Operation = Callable[[Caller, dict[str, Any]], Awaitable[dict[str, Any]]]


class JsonService:
    """Checks a call against the service model, runs it, and shapes its answer by the same model."""

    def __init__(self, name: str, model: str, operations: Mapping[str, Operation]) -> None:
        """Args: name: for people. model: botocore's name of the service's directory."""
        self._name = name
        self._operations = operations
        self._api = load_api(model, frozenset(operations))

    async def handle(self, caller: Caller, operation: str, body: bytes) -> Response:
        """Answer a call of the JSON protocol."""
        try:
            run = self._operations.get(operation)
            if run is None:
                raise self._unknown(operation)
            model = self._api.operation(operation)
            parameters = parse_body(body)
            validate(model.input_shape, parameters)
            return success(model.output_shape, await run(caller, parameters))
        except AwsError as error:
            return failure(error)

    def _unknown(self, operation: str) -> AwsError:
        """The refusal of an operation that we do not serve. Where AWS does not have it either, it has no message."""
        if operation in self._api.all_operations:
            return AwsError("UnknownOperationException", f"The local cloud does not serve {self._name}'s {operation}.")
        return AwsError("UnknownOperationException", "")
