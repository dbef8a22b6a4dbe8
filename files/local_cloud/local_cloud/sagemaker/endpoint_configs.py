# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoint configurations: made, read and deleted, never changed."""

from __future__ import annotations

import time
from typing import Any

from ..aws.caller import Caller
from ..store import Store
from .arns import already_exists, arn_of, key_of, not_found
from .listing import next_token, page_query
from .tags import Tags, requested_tags
from .variant_rules import all_variants, check_endpoint_config, check_variant_model

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
        for variant in all_variants(parameters):
            model = self._store.get("model", caller, key_of(variant["ModelName"]))
            if model is None:
                raise not_found("model", caller, variant["ModelName"])
            check_variant_model(variant, model)
        arn = arn_of(KIND, caller, name)
        document = {key: value for key, value in parameters.items() if key != "Tags"}
        document |= {"EndpointConfigArn": arn, "CreationTime": time.time()}
        for variant in all_variants(document):
            variant.setdefault("InitialVariantWeight", 1.0)
        # Tags first, as for a Model.
        self._tags.set(caller, arn.lower(), tags)
        self._store.put(KIND, caller, key_of(name), document)
        return {"EndpointConfigArn": arn}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._found(caller, parameters["EndpointConfigName"])

    async def list(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        query = page_query(parameters)
        page = self._store.page(KIND, caller, query)
        return {"EndpointConfigs": page.documents, "NextToken": next_token(query, page)}

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
