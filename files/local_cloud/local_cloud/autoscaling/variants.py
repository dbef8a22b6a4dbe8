# SPDX-License-Identifier: GPL-3.0-or-later
"""The variants behind scalable targets: what they have, and setting what they should have.

The one place where Application Auto Scaling meets SageMaker. On AWS these are calls of DescribeEndpoint and
UpdateEndpointWeightsAndCapacities.
"""

from __future__ import annotations

from ..aws.caller import Caller
from ..sagemaker.arns import key_of, not_found
from ..sagemaker.deployment import Deployment, Variant
from ..sagemaker.endpoint_manager import DEPLOYED, EndpointManager
from ..sagemaker.lifecycle import IN_PROGRESS, refuse_update
from ..store import Document, Store
from .resources import Scalable
from .target_rules import check_quota


class Variants:
    """What SageMaker knows of the variants that are scaled."""

    def __init__(self, store: Store, manager: EndpointManager) -> None:
        self._store = store
        self._manager = manager

    def endpoint(self, caller: Caller, name: str) -> Document | None:
        """The endpoint's document, by its exact name."""
        document = self._store.get("endpoint", caller, key_of(name))
        return document if document is not None and document["EndpointName"] == name else None

    def find(self, caller: Caller, scalable: Scalable) -> Variant | None:
        """The variant as it is deployed, or None where there is none."""
        document = self.endpoint(caller, scalable.endpoint_name)
        if document is None or not document.get(DEPLOYED):
            return None
        variants = Deployment.from_document(document[DEPLOYED]).variants
        return next((variant for variant in variants if variant.name == scalable.variant_name), None)

    def is_asynchronous(self, caller: Caller, scalable: Scalable) -> bool:
        return bool((self.endpoint(caller, scalable.endpoint_name) or {}).get("AsyncInferenceConfig"))

    def is_changing(self, caller: Caller, scalable: Scalable) -> bool:
        """Whether the endpoint is in the middle of something."""
        document = self.endpoint(caller, scalable.endpoint_name)
        return document is not None and (
            document["EndpointStatus"] in IN_PROGRESS or self._is_returning(caller, scalable)
        )

    def can_change(self, caller: Caller, scalable: Scalable) -> bool:
        """Whether SageMaker would take a change of the endpoint now."""
        document = self.endpoint(caller, scalable.endpoint_name)
        return (
            document is not None
            and refuse_update(document["EndpointStatus"], document["EndpointArn"]) is None
            and not self._is_returning(caller, scalable)
        )

    def desired(self, caller: Caller, scalable: Scalable) -> int | None:
        """The instances, or the provisioned concurrency, that are asked for now; None where there is no variant."""
        variant = self.find(caller, scalable)
        if variant is None:
            return None
        if variant.serverless is not None:
            return int(variant.serverless.get("ProvisionedConcurrency", 0))
        return variant.instance_count

    def failure_reason(self, caller: Caller, scalable: Scalable) -> str | None:
        return (self.endpoint(caller, scalable.endpoint_name) or {}).get("FailureReason")

    def set(self, caller: Caller, scalable: Scalable, capacity: int) -> None:
        """Begin the change. Raises AwsError, with SageMaker's words, where it is refused."""
        variant = self.find(caller, scalable)
        if variant is None:
            raise not_found("endpoint", caller, scalable.endpoint_name)
        if variant.serverless is None:
            check_quota(str(variant.config.get("InstanceType")), variant.instance_count, capacity)
            self._manager.rescale(caller, scalable.endpoint_name, {variant.name: capacity}, {})
        else:
            self._manager.set_provisioned_concurrency(caller, scalable.endpoint_name, variant.name, capacity)

    def _is_returning(self, caller: Caller, scalable: Scalable) -> bool:
        """Whether its containers are still being brought back by a cloud that was just started."""
        live = self._manager.find(caller, scalable.endpoint_name)
        return live is not None and not live.ready.is_set()
