# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints, as the control plane sees them: what may be asked for, and what is refused."""

from __future__ import annotations

import time
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import validation
from ..store import Document, Store
from .arns import already_exists, arn_of, key_of, not_found
from .deployment import Deployment, plan_deployment, retain_variant_properties
from .endpoint_manager import DEPLOYED, EndpointManager
from .lifecycle import refuse_delete, refuse_update
from .listing import list_page
from .rules import check_same_kind, is_serverless
from .tags import Tags, requested_tags

KIND = "endpoint"


class Endpoints:
    """The operations on endpoints: Create, Describe, List, Update, UpdateEndpointWeightsAndCapacities, Delete."""

    def __init__(self, store: Store, tags: Tags, manager: EndpointManager) -> None:
        self._store = store
        self._tags = tags
        self._manager = manager

    async def create(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        name, config_name = parameters["EndpointName"], parameters["EndpointConfigName"]
        tags = requested_tags(parameters)
        if self._store.get(KIND, caller, key_of(name)):
            raise already_exists(KIND, caller, name)
        deployment = self._plan(caller, config_name)
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
        page, token = list_page(self._store.list(KIND, caller), parameters, "EndpointName")
        return {"Endpoints": page, "NextToken": token}

    async def update(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        document = self._updatable(caller, parameters["EndpointName"])
        if self._store.get("endpoint-config", caller, key_of(document["EndpointConfigName"])) is None:
            # hashicorp/terraform-provider-aws #40048: the update of an endpoint whose configuration is gone is refused.
            raise not_found("endpoint-config", caller, document["EndpointConfigName"])
        wanted = self._plan(caller, parameters["EndpointConfigName"])
        live = Deployment.from_document(document[DEPLOYED])
        check_same_kind((variant.config for variant in live.variants), (variant.config for variant in wanted.variants))
        if parameters.get("RetainAllVariantProperties"):
            excluded = parameters.get("ExcludeRetainedVariantProperties") or []
            types = frozenset(item["VariantPropertyType"] for item in excluded)
            wanted = retain_variant_properties(wanted, live, types)
        options = parameters.get("DeploymentConfig")
        if options is None and parameters.get("RetainDeploymentConfig"):
            options = document.get("LastDeploymentConfig")
        self._manager.update(caller, document["EndpointName"], wanted, options)
        return {"EndpointArn": document["EndpointArn"]}

    async def update_weights_and_capacities(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        document = self._updatable(caller, parameters["EndpointName"])
        variants = {v.name: v for v in Deployment.from_document(document[DEPLOYED]).variants}
        counts: dict[str, int] = {}
        weights: dict[str, float] = {}
        for wanted in parameters["DesiredWeightsAndCapacities"]:
            variant = variants.get(wanted["VariantName"])
            if variant is None:
                raise validation(f"The endpoint {document['EndpointName']} has no variant {wanted['VariantName']}.")
            if "DesiredWeight" in wanted:
                weights[variant.name] = float(wanted["DesiredWeight"])
            if "DesiredInstanceCount" in wanted:
                if is_serverless(variant.config):
                    raise validation(f"The variant {variant.name} is serverless and has no instance count.")
                if wanted["DesiredInstanceCount"] < 1:
                    raise validation(f"The DesiredInstanceCount of the variant {variant.name} must be 1 or more.")
                counts[variant.name] = wanted["DesiredInstanceCount"]
        self._manager.rescale(caller, document["EndpointName"], counts, weights)
        return {"EndpointArn": document["EndpointArn"]}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        document = self._found(caller, parameters["EndpointName"])
        if refused := refuse_delete(document["EndpointStatus"], document["EndpointArn"]):
            raise refused
        self._tags.set(caller, document["EndpointArn"].lower(), {})
        self._manager.delete(caller, document["EndpointName"])
        return {}

    def _plan(self, caller: Caller, config_name: str) -> Deployment:
        config = self._store.get("endpoint-config", caller, key_of(config_name))
        if config is None:
            raise not_found("endpoint-config", caller, config_name)
        models = {}
        for variant in config["ProductionVariants"]:
            model = self._store.get("model", caller, key_of(variant["ModelName"]))
            if model is None:
                raise not_found("model", caller, variant["ModelName"])
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
