# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoint configurations: made, read and deleted, never changed."""

from __future__ import annotations

import time
from typing import Any

from ..aws.caller import Caller
from ..store import Store
from .arns import already_exists, arn_of, key_of, not_found
from .listing import list_page
from .rules import check_endpoint_config, check_serverless_model
from .tags import Tags, requested_tags

KIND = "endpoint-config"


class EndpointConfigs:
    """CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs, DeleteEndpointConfig."""

    def __init__(self, store: Store, tags: Tags) -> None:
        self._store = store
        self._tags = tags

    async def create(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["EndpointConfigName"]
        check_endpoint_config(parameters)
        tags = requested_tags(parameters)
        if self._store.get(KIND, caller, key_of(name)):
            raise already_exists(KIND, caller, name)
        for variant in parameters["ProductionVariants"]:
            model = self._store.get("model", caller, key_of(variant["ModelName"]))
            if model is None:
                raise not_found("model", caller, variant["ModelName"])
            check_serverless_model(variant, model)
        arn = arn_of(KIND, caller, name)
        document = {key: value for key, value in parameters.items() if key != "Tags"}
        document |= {"EndpointConfigArn": arn, "CreationTime": time.time()}
        for variant in document["ProductionVariants"]:
            variant.setdefault("InitialVariantWeight", 1.0)
        self._store.put(KIND, caller, key_of(name), document)
        self._tags.set(caller, arn.lower(), tags)
        return {"EndpointConfigArn": arn}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._found(caller, parameters["EndpointConfigName"])

    async def list(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        page, token = list_page(self._store.list(KIND, caller), parameters, "EndpointConfigName")
        return {"EndpointConfigs": page, "NextToken": token}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        # AWS warns against deleting what an endpoint uses, and does it; the endpoint's next update is then refused.
        document = self._found(caller, parameters["EndpointConfigName"])
        self._store.delete(KIND, caller, key_of(document["EndpointConfigName"]))
        self._tags.set(caller, document["EndpointConfigArn"].lower(), {})
        return {}

    def _found(self, caller: Caller, name: str) -> dict[str, Any]:
        document = self._store.get(KIND, caller, key_of(name))
        if document is None:
            raise not_found(KIND, caller, name)
        return document
