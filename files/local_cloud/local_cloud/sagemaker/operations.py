# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's control plane: each operation that we serve, by its name."""

from __future__ import annotations

from ..aws.json_service import JsonService, Operation
from ..containers.launcher import Launchers
from ..store import Store
from .endpoint_configs import EndpointConfigs
from .endpoint_manager import EndpointManager
from .endpoints import Endpoints, Scaling
from .models import Models
from .tags import Tags


class SageMakerControlPlane(JsonService):
    """Checks a call against the service model, runs it, and shapes its answer by the same model."""

    def __init__(self, store: Store, launchers: Launchers, manager: EndpointManager, scaling: Scaling) -> None:
        tags = Tags(store)
        models = Models(store, tags, launchers)
        configs = EndpointConfigs(store, tags)
        endpoints = Endpoints(store, tags, manager, scaling)
        operations: dict[str, Operation] = {
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
        super().__init__("SageMaker", "sagemaker", operations)
