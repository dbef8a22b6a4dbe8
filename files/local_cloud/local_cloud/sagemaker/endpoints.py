# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints, as the control plane sees them: what may be asked for, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Protocol

from ..aws.caller import Caller
from ..aws.errors import AwsError, validation
from ..store import Document, Store
from .arns import already_exists, arn_of, key_of, not_found
from .deployment import Deployment, plan_deployment, retain_variant_properties
from .endpoint_manager import DEPLOYED, EndpointManager
from .guardrails import effective_deployment_config
from .lifecycle import refuse_delete, refuse_update
from .listing import next_token, page_query
from .rules import why_not_run
from .tags import Tags, requested_tags
from .update_rules import check_deployment_config, check_quota, check_update, wanted_capacities
from .variant_rules import all_variants

KIND = "endpoint"


class Scaling(Protocol):
    """What endpoints have to know of Application Auto Scaling."""

    def registered_variants(self, caller: Caller, endpoint_name: str) -> Iterable[str]:
        """The names of the endpoint's variants that are scalable targets."""

    async def endpoint_deleted(self, caller: Caller, endpoint_name: str) -> None:
        """Deregister the endpoint's scalable targets, as DeleteEndpoint does on AWS."""


class Endpoints:
    """The operations on endpoints: Create, Describe, List, Update, UpdateEndpointWeightsAndCapacities, Delete."""

    def __init__(self, store: Store, tags: Tags, manager: EndpointManager, scaling: Scaling) -> None:
        self._store = store
        self._tags = tags
        self._manager = manager
        self._scaling = scaling

    async def create(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        name, config_name = parameters["EndpointName"], parameters["EndpointConfigName"]
        tags = requested_tags(parameters)
        if self._store.get(KIND, caller, key_of(name)):
            raise already_exists(KIND, caller, name)
        deployment = self._plan(caller, config_name)
        check_quota(deployment)
        if options := parameters.get("DeploymentConfig"):
            check_deployment_config(options, deployment)
        arn = arn_of(KIND, caller, name)
        document = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": deployment.config_name,
            "CreationTime": time.time(),
            "LastDeploymentConfig": parameters.get("DeploymentConfig"),
            "AsyncInferenceConfig": deployment.config.get("AsyncInferenceConfig"),
            "ExplainerConfig": deployment.config.get("ExplainerConfig"),
            "DataCaptureConfig": _capture_summary(deployment.config),
        }
        self._tags.set(caller, arn.lower(), tags)
        self._manager.create(caller, document, deployment)
        return {"EndpointArn": arn}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._manager.refreshed(caller, self._found(caller, parameters["EndpointName"]))

    async def list(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        query = page_query(parameters)
        page = self._store.page(KIND, caller, query)
        return {"Endpoints": page.documents, "NextToken": next_token(query, page)}

    async def update(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        document = self._updatable(caller, parameters["EndpointName"])
        if self._store.get("endpoint-config", caller, key_of(document["EndpointConfigName"])) is None:
            # hashicorp/terraform-provider-aws #40048: the update of an endpoint whose configuration is gone is refused.
            raise not_found("endpoint-config", caller, document["EndpointConfigName"])
        wanted = self._plan(caller, parameters["EndpointConfigName"])
        live = Deployment.from_document(document[DEPLOYED])
        if parameters.get("RetainAllVariantProperties"):
            excluded = parameters.get("ExcludeRetainedVariantProperties") or []
            types = frozenset(item["VariantPropertyType"] for item in excluded)
            wanted = retain_variant_properties(wanted, live, types)
        options = effective_deployment_config(
            parameters.get("DeploymentConfig"),
            bool(parameters.get("RetainDeploymentConfig")),
            document.get("LastDeploymentConfig"),
        )
        scalable = frozenset(self._scaling.registered_variants(caller, document["EndpointName"]))
        check_update(live, wanted, options, scalable)
        check_quota(wanted, live)
        self._manager.update(caller, document["EndpointName"], wanted, options)
        return {"EndpointArn": document["EndpointArn"]}

    async def update_weights_and_capacities(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        document = self._updatable(caller, parameters["EndpointName"])
        name = document["EndpointName"]
        live = Deployment.from_document(document[DEPLOYED])
        wanted = wanted_capacities(name, live, parameters["DesiredWeightsAndCapacities"])
        check_quota(live.with_capacities(wanted.counts, {}), live)
        self._manager.rescale(caller, name, wanted.counts, wanted.weights, wanted.serverless)
        return {"EndpointArn": document["EndpointArn"]}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        document = self._found(caller, parameters["EndpointName"])
        if refused := refuse_delete(document["EndpointStatus"], document["EndpointArn"]):
            raise refused
        self._tags.set(caller, document["EndpointArn"].lower(), {})
        self._manager.delete(caller, document["EndpointName"])
        await self._scaling.endpoint_deleted(caller, document["EndpointName"])
        return {}

    def _plan(self, caller: Caller, config_name: str) -> Deployment:
        config = self._store.get("endpoint-config", caller, key_of(config_name))
        if config is None:
            raise not_found("endpoint-config", caller, config_name)
        models = {}
        for variant in all_variants(config):
            model = self._store.get("model", caller, key_of(variant["ModelName"]))
            if model is None:
                raise not_found("model", caller, variant["ModelName"])
            if reason := why_not_run(model):
                raise _not_run(variant["ModelName"], reason)
            models[variant["ModelName"]] = model
        return plan_deployment(config, models)

    def _updatable(self, caller: Caller, name: str) -> Document:
        document = self._found(caller, name)
        if refused := refuse_update(document["EndpointStatus"], document["EndpointArn"]):
            raise refused
        return document

    def _found(self, caller: Caller, name: str) -> Document:
        document = self._store.get(KIND, caller, key_of(name))
        if document is None:
            raise not_found(KIND, caller, name)
        return document


def _not_run(model_name: str, reason: str) -> AwsError:
    """AWS runs what this Model asks for. Better to say so now than to serve something else."""
    return validation(f"The local cloud does not run {reason}, which the Model {model_name} asks for.")


def _capture_summary(config: dict[str, Any]) -> dict[str, Any] | None:
    capture = config.get("DataCaptureConfig")
    if not capture:
        return None
    return {
        "EnableCapture": capture.get("EnableCapture", False),
        "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
        "DestinationS3Uri": capture["DestinationS3Uri"],
        "KmsKeyId": capture.get("KmsKeyId", ""),
    }
