# SPDX-License-Identifier: GPL-3.0-or-later
"""Scalable targets by name: resource IDs, dimensions, and what is called what in AWS's sentences. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..aws.errors import AwsError, validation

NAMESPACE = "sagemaker"
INSTANCE_COUNT = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED_CONCURRENCY = "sagemaker:variant:DesiredProvisionedConcurrency"

# "Setting desired instance count to 2." is AWS's (SageMaker guide, "Check the status of a scaling activity").
_CAPACITY_NOUN = {INSTANCE_COUNT: "desired instance count", PROVISIONED_CONCURRENCY: "desired provisioned concurrency"}
_RESOURCE_ID = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")


@dataclass(frozen=True)
class Scalable:
    """One dimension of one variant."""

    endpoint_name: str
    variant_name: str
    dimension: str

    @property
    def resource_id(self) -> str:
        return f"endpoint/{self.endpoint_name}/variant/{self.variant_name}"

    @property
    def key(self) -> str:
        """How its target is stored, and what its policies' and scheduled actions' keys begin with."""
        return f"{self.resource_id}|{self.dimension}"

    @property
    def noun(self) -> str:
        """What scaling activities call the capacity."""
        return _CAPACITY_NOUN[self.dimension]

    @property
    def members(self) -> dict[str, str]:
        """The three members that name it in every request and answer."""
        return {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.resource_id,
            "ScalableDimension": self.dimension,
        }

    def not_found(self, what: str, extra: str = "") -> AwsError:
        """`what`: the first words of AWS's sentence, such as "No scalable target found"."""
        return AwsError(
            "ObjectNotFoundException",
            f"{what} for service namespace: {NAMESPACE}, resource ID: {self.resource_id}, "
            f"scalable dimension: {self.dimension}{extra}",
        )


def scalable_of(parameters: dict[str, Any]) -> Scalable:
    """What a request or a document is about. Raises ValidationException for what is no dimension of a variant."""
    match = _RESOURCE_ID.fullmatch(parameters["ResourceId"])
    dimension = parameters["ScalableDimension"]
    if parameters["ServiceNamespace"] != NAMESPACE or match is None or dimension not in _CAPACITY_NOUN:
        raise unsupported()
    return Scalable(match[1], match[2], dimension)


def unsupported() -> AwsError:
    """AWS's one sentence for every combination of the three that does not exist."""
    return validation("Unsupported service namespace, resource type or scalable dimension")


def check_filters(parameters: dict[str, Any], resource_ids: list[str]) -> None:
    """A Describe call's namespace, resources and dimension. Raises ValidationException for other services' ones."""
    dimension = parameters.get("ScalableDimension")
    if parameters["ServiceNamespace"] != NAMESPACE or dimension not in (None, *_CAPACITY_NOUN):
        raise unsupported()
    if any(_RESOURCE_ID.fullmatch(resource_id) is None for resource_id in resource_ids):
        raise unsupported()
