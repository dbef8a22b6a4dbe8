# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that calls SageMaker.

Answers become values of C(state), refusals become errors of C(errors). Throttling is retried by the client that is
passed in; what is retried here is what only time heals: a fresh role, a fresh EndpointConfig.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .aws_names import to_aws
from .errors import Busy, NotFound, NotPropagated, SageMakerError, translated
from .guardrails import Deployment
from .outcome import OWNER_TAG
from .spec import ConfigSpec, ModelSpec, Pairs, Variant
from .state import Endpoint, EndpointConfig, Model, config_from_boto, endpoint_from_boto, model_from_boto

# Without botocore AnsibleAWSModule fails with a sentence before anything here is used.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

#: SageMaker's own page of a list is ten long, and a hundred at most.
_PAGE = {"MaxResults": 100}

#: How long a role made moments ago may stay invisible to SageMaker, in seconds.
PROPAGATION_TIMEOUT = 90.0
#: The same for a Model or an EndpointConfig. One that is still not seen then is looked for again by a pass of its own:
#: it may be gone.
VISIBILITY_TIMEOUT = 10.0


@dataclass(frozen=True)
class Clock:
    """Time as the client sees it; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class SageMakerClient:
    """SageMaker for one region. C(boto) is a boto3 client that retries what is throttled."""

    def __init__(self, boto: Any, *, clock: Clock | None = None, propagation_pause: float = 5.0) -> None:
        self._boto = boto
        self._clock = clock or Clock()
        self._propagation_pause = propagation_pause

    # What is there

    def endpoint(self, name: str, *, with_tags: bool = True) -> Endpoint | None:
        """Return the endpoint, or None where there is none. One call, and one more for its tags."""
        answer = self._found("describe_endpoint", f"describe Endpoint {name}", EndpointName=name)
        if answer is None:
            return None
        return endpoint_from_boto(answer, self.tags(answer["EndpointArn"]) if with_tags else {})

    def endpoint_config(self, name: str, *, with_tags: bool = False) -> EndpointConfig | None:
        doing = f"describe EndpointConfig {name}"
        answer = self._found("describe_endpoint_config", doing, EndpointConfigName=name)
        if answer is None:
            return None
        return config_from_boto(answer, self.tags(answer["EndpointConfigArn"]) if with_tags else None)

    def model(self, name: str) -> Model | None:
        answer = self._found("describe_model", f"describe Model {name}", ModelName=name)
        return model_from_boto(answer) if answer is not None else None

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource; one that vanished meanwhile has none."""
        try:
            found = self._pages("list_tags", "Tags", f"list the tags of {arn}", ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for tag in found}
        except NotFound:
            return {}

    def config_names(self, prefix: str) -> list[str]:
        """Return the names of all EndpointConfigs that start with C(prefix)."""
        doing = f"list EndpointConfigs {prefix}*"
        found = self._pages("list_endpoint_configs", "EndpointConfigs", doing, NameContains=prefix, **_PAGE)
        return [item["EndpointConfigName"] for item in found if item["EndpointConfigName"].startswith(prefix)]

    def models(self, prefix: str, owner: str) -> list[Model]:
        """Return the Models that start with C(prefix) and are tagged as made for the endpoint C(owner)."""
        found = self._pages("list_models", "Models", f"list Models {prefix}*", NameContains=prefix, **_PAGE)
        return [
            Model(name=item["ModelName"], arn=item["ModelArn"])
            for item in found
            if item["ModelName"].startswith(prefix) and self.tags(item["ModelArn"]).get(OWNER_TAG) == owner
        ]

    def endpoints_modified_since(self, moment: datetime) -> list[str]:
        """Return the names of all endpoints of the region that were created or changed since C(moment)."""
        found = self._pages("list_endpoints", "Endpoints", "list Endpoints", LastModifiedTimeAfter=moment, **_PAGE)
        return [item["EndpointName"] for item in found]

    # What is made and deleted

    def create_model(self, name: str, spec: ModelSpec, tags: Pairs) -> None:
        container: dict[str, Any] = {"Image": spec.image, "Environment": dict(spec.environment)}
        if spec.model_data_url:
            container["ModelDataUrl"] = spec.model_data_url
        network: dict[str, Any] = {"VpcConfig": to_aws(spec.vpc)} if spec.vpc else {}
        if spec.enable_network_isolation:
            network["EnableNetworkIsolation"] = True
        self._once_propagated(
            "create_model",
            f"create Model {name}",
            ModelName=name,
            PrimaryContainer=container,
            ExecutionRoleArn=spec.execution_role_arn,
            **network,
            Tags=_tag_list(dict(tags)),
        )

    def create_endpoint_config(self, name: str, spec: ConfigSpec, tags: Pairs) -> None:
        shadows = [to_aws(variant) for variant in spec.shadow_variants]
        self._once_propagated(
            "create_endpoint_config",
            f"create EndpointConfig {name}",
            EndpointConfigName=name,
            ProductionVariants=[_variant(variant) for variant in spec.variants],
            **({"ShadowProductionVariants": shadows} if shadows else {}),
            **to_aws(spec),
            Tags=_tag_list(dict(tags)),
        )

    def create_endpoint(self, name: str, config_name: str, tags: Pairs) -> None:
        self._once_propagated(
            "create_endpoint",
            f"create Endpoint {name}",
            EndpointName=name,
            EndpointConfigName=config_name,
            Tags=_tag_list(dict(tags)),
        )

    def update_endpoint(self, name: str, config_name: str, *, retain_counts: bool, deployment: Deployment) -> None:
        """Move an endpoint to an EndpointConfig. C(retain_counts): instance counts stay as they are now.

        Weights and data capture stay as the EndpointConfig says even then: they are what the person wrote.
        """
        retained: dict[str, Any] = {}
        if retain_counts:
            kinds = ("DesiredWeight", "DataCaptureConfig")
            retained["RetainAllVariantProperties"] = True
            retained["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": kind} for kind in kinds]
        guardrails = deployment.request()
        self._once_propagated(
            "update_endpoint",
            f"update Endpoint {name} to {config_name}",
            EndpointName=name,
            EndpointConfigName=config_name,
            **retained,
            **({"DeploymentConfig": guardrails} if guardrails else {}),
        )

    def set_instance_counts(self, name: str, counts: Mapping[str, int]) -> None:
        self._call(
            "update_endpoint_weights_and_capacities",
            f"set the instance counts of Endpoint {name}",
            EndpointName=name,
            DesiredWeightsAndCapacities=[
                {"VariantName": variant, "DesiredInstanceCount": count} for variant, count in sorted(counts.items())
            ],
        )

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        self._call("add_tags", f"tag {arn}", ResourceArn=arn, Tags=_tag_list(tags))

    def delete_tags(self, arn: str, keys: Sequence[str]) -> None:
        self._call("delete_tags", f"remove tags of {arn}", ResourceArn=arn, TagKeys=list(keys))

    def delete_endpoint(self, name: str) -> None:
        self._gone("delete_endpoint", f"delete Endpoint {name}", EndpointName=name)

    def delete_endpoint_config(self, name: str) -> None:
        self._gone("delete_endpoint_config", f"delete EndpointConfig {name}", EndpointConfigName=name)

    def delete_model(self, name: str) -> None:
        self._gone("delete_model", f"delete Model {name}", ModelName=name)

    # How calls are made

    def _call(self, operation: str, doing: str, **parameters: Any) -> dict[str, Any]:
        try:
            return getattr(self._boto, operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, doing) from error

    def _found(self, operation: str, doing: str, **parameters: Any) -> dict[str, Any] | None:
        try:
            return self._call(operation, doing, **parameters)
        except NotFound:
            return None

    def _gone(self, operation: str, doing: str, **parameters: Any) -> None:
        try:
            self._call(operation, doing, **parameters)
        except NotFound:
            return

    def _pages(self, operation: str, key: str, doing: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            answer = self._call(operation, doing, **parameters, **token)
            yield from answer.get(key, [])
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _once_propagated(self, operation: str, doing: str, **parameters: Any) -> None:
        start = self._clock.now()
        while True:
            try:
                self._call(operation, doing, **parameters)
                return
            except NotFound:
                if self._clock.now() - start >= VISIBILITY_TIMEOUT:
                    raise
                self._clock.sleep(self._propagation_pause)
            except NotPropagated as error:
                if self._clock.now() - start >= PROPAGATION_TIMEOUT:
                    raise SageMakerError(
                        message=f"{error.message}. That is still so after {PROPAGATION_TIMEOUT:.0f} seconds."
                    ) from error
                self._clock.sleep(self._propagation_pause)


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _variant(variant: Variant) -> dict[str, Any]:
    """A variant's request. A serverless one has no weight beside others, and AWS's own default is 1."""
    request = to_aws(variant)
    if variant.serverless:
        request.pop("InitialVariantWeight")
    return request


__all__ = ["Busy", "Clock", "NotFound", "SageMakerClient", "SageMakerError"]
