# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's control plane: each operation that we serve, by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..aws.json_protocol import Response, failure, parse_body, success
from ..aws.service_model import load_api
from ..aws.validation import validate
from ..containers.launcher import Launchers
from ..store import Store
from .endpoint_configs import EndpointConfigs
from .endpoint_manager import EndpointManager
from .endpoints import Endpoints, Scaling
from .models import Models
from .tags import Tags

Operation = Callable[[Caller, dict[str, Any]], Awaitable[dict[str, Any]]]


class SageMakerControlPlane:
    """Checks a call against the service model, runs it, and shapes its answer by the same model."""

    def __init__(self, store: Store, launchers: Launchers, manager: EndpointManager, scaling: Scaling) -> None:
        tags = Tags(store)
        models = Models(store, tags, launchers)
        configs = EndpointConfigs(store, tags)
        endpoints = Endpoints(store, tags, manager, scaling)
        self._operations: dict[str, Operation] = {
            "CreateModel": models.create,
            "DescribeModel": models.describe,
            "ListModels": models.list,
            "DeleteModel": models.delete,
            "CreateEndpointConfig": configs.create,
            "DescribeEndpointConfig": configs.describe,
            "ListEndpointConfigs": configs.list,
            "DeleteEndpointConfig": configs.delete,
            "CreateEndpoint": endpoints.create,
            "DescribeEndpoint": endpoints.describe,
            "ListEndpoints": endpoints.list,
            "UpdateEndpoint": endpoints.update,
            "UpdateEndpointWeightsAndCapacities": endpoints.update_weights_and_capacities,
            "DeleteEndpoint": endpoints.delete,
            "AddTags": tags.add,
            "ListTags": tags.list,
            "DeleteTags": tags.delete,
        }
        self._api = load_api("sagemaker", frozenset(self._operations))

    async def handle(self, caller: Caller, operation: str, body: bytes) -> Response:
        """Answer a call of the JSON protocol."""
        try:
            run = self._operations.get(operation)
            if run is None:
                raise unknown_operation("SageMaker", operation, operation in self._api.all_operations)
            model = self._api.operation(operation)
            parameters = parse_body(body)
            validate(model.input_shape, parameters)
            return success(model.output_shape, await run(caller, parameters))
        except AwsError as error:
            return failure(error)


def unknown_operation(service: str, operation: str, real: bool) -> AwsError:
    """The refusal of an operation that we do not serve; `real` where AWS has it. AWS's own has no message."""
    if real:
        return AwsError("UnknownOperationException", f"The local cloud does not serve {service}'s {operation}.")
    return AwsError("UnknownOperationException", "")
