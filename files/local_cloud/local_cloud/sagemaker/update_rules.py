# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of UpdateEndpoint, of deployment configurations, and of UpdateEndpointWeightsAndCapacities.

Pure: each check raises ValidationException or returns. Sources: the reference pages of UpdateEndpoint,
TrafficRoutingConfig, RollingUpdatePolicy and BlueGreenUpdatePolicy, and the developer guide on deployment guardrails
and on serverless inference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..aws.errors import AwsError, validation
from .deployment import Deployment, Variant
from .rules import is_serverless
from .variant_rules import check_concurrency

# Shares of a variant's capacity in percent, by the member that has them.
CANARY_PERCENT = (1, 50)
LINEAR_PERCENT = (10, 50)
ROLLING_PERCENT = (5, 50)
ROLLBACK_PERCENT = (5, 100)
MAX_INSTANCES = 100


def check_deployment_config(options: dict[str, Any], wanted: Deployment) -> None:
    """A DeploymentConfig on its own, and for the variants that it is to bring about."""
    blue_green, rolling = options.get("BlueGreenUpdatePolicy"), options.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise validation("A DeploymentConfig must not have both BlueGreenUpdatePolicy and RollingUpdatePolicy.")
    for alarm in (options.get("AutoRollbackConfiguration") or {}).get("Alarms", ()):
        if not alarm.get("AlarmName"):
            raise validation("Every alarm of an AutoRollbackConfiguration must have an AlarmName.")
    if blue_green:
        _check_blue_green(blue_green, wanted)
    if rolling:
        _check_rolling(rolling, wanted)


def _check_blue_green(policy: dict[str, Any], wanted: Deployment) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    for kind, member, limits in (
        ("CANARY", "CanarySize", CANARY_PERCENT),
        ("LINEAR", "LinearStepSize", LINEAR_PERCENT),
    ):
        if routing["Type"] != kind:
            if routing.get(member):
                raise validation(f"{member} is only for the traffic routing type {kind}.")
            continue
        if not routing.get(member):
            raise validation(f"The traffic routing type {kind} needs a {member}.")
        _check_size(member, routing[member], limits, wanted.variants)


def _check_rolling(policy: dict[str, Any], wanted: Deployment) -> None:
    if any(variant.serverless for variant in wanted.variants):
        raise validation("A rolling deployment is not supported for serverless endpoints.")
    if len(wanted.variants) > 1:
        raise validation("A rolling deployment is not supported for endpoints with several production variants.")
    _check_size("MaximumBatchSize", policy["MaximumBatchSize"], ROLLING_PERCENT, wanted.variants)
    if rollback := policy.get("RollbackMaximumBatchSize"):
        _check_size("RollbackMaximumBatchSize", rollback, ROLLBACK_PERCENT, wanted.variants)


def _check_size(member: str, size: dict[str, Any], limits: tuple[int, int], variants: Sequence[Variant]) -> None:
    low, high = limits
    for variant in variants:
        if size["Type"] == "CAPACITY_PERCENT":
            percent = float(size["Value"])
        elif variant.serverless:
            raise validation(f"The {member} of a serverless variant must be of type CAPACITY_PERCENT.")
        else:
            percent = 100.0 * size["Value"] / variant.instance_count
        if not low <= percent <= high:
            raise validation(
                f"The {member} must be {low}% to {high}% of the capacity of the variant {variant.name}; "
                f"it is {percent:g}%."
            )


def check_update(
    live: Deployment, wanted: Deployment, options: dict[str, Any] | None, scalable_variants: Collection[str]
) -> None:
    """Whether an endpoint that runs `live` may be brought to `wanted`.

    options: the DeploymentConfig in force, or None. scalable_variants: the names of variants that Application Auto
    Scaling scales.
    """
    if any(variant.serverless for variant in wanted.variants) and not all(v.serverless for v in live.variants):
        # The other way round is allowed, and there is no way back. Source: the developer guide on serverless endpoints.
        raise validation(
            "Updating an instance based endpoint to a serverless endpoint is not supported. Delete the endpoint and "
            "create it again."
        )
    before, after = ({variant.name: variant for variant in deployment.variants} for deployment in (live, wanted))
    for name in sorted(before.keys() & scalable_variants):
        # Source: the developer guide, "Update or delete endpoints that use automatic scaling".
        if name not in after or _hardware(before[name]) != _hardware(after[name]):
            raise validation(
                f"The variant {name} is registered as a scalable target: deregister it before an update that removes "
                "it or changes its instance type."
            )
    if options is not None:
        if before.keys() != after.keys():
            raise validation(
                "With a DeploymentConfig, the new endpoint configuration must have the same variant names as the old "
                "one."
            )
        check_deployment_config(options, wanted)


def _hardware(variant: Variant) -> Any:
    return variant.config.get("InstanceType") or variant.config.get("InstancePools") or "serverless"


def check_quota(wanted: Deployment, live: Deployment | None = None) -> None:
    """Raise ResourceLimitExceeded for more instances of a type than MAX_INSTANCES.

    AWS counts an account's instances; the local cloud those of one endpoint, to keep a slip from starting thousands of
    processes. live: what the endpoint runs now. The words are quoted by many who met the quota of a GPU type.
    """
    before, after = _instances(live), _instances(wanted)
    for instance_type, count in after.items():
        current = before[instance_type]
        if count > max(current, MAX_INSTANCES):
            raise AwsError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{instance_type} for endpoint usage' is {MAX_INSTANCES} Instances, "
                f"with current utilization of {current} Instances and a request delta of {count - current} Instances. "
                "Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not "
                "available, contact AWS support to request an increase for this quota.",
            )


def _instances(deployment: Deployment | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for variant in (*deployment.variants, *deployment.shadows) if deployment else ():
        pools = variant.config.get("InstancePools") or [{}]
        counts[variant.config.get("InstanceType") or pools[0].get("InstanceType", "")] += variant.instance_count
    return counts


@dataclass
class Capacities:
    """What UpdateEndpointWeightsAndCapacities asks for, each by variant name. serverless: whole ServerlessConfigs."""

    counts: dict[str, int] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    serverless: dict[str, dict[str, Any]] = field(default_factory=dict)


def wanted_capacities(endpoint_name: str, live: Deployment, wanted: Sequence[Mapping[str, Any]]) -> Capacities:
    """DesiredWeightsAndCapacities, checked against the variants that the endpoint runs."""
    variants = {variant.name: variant for variant in live.variants}
    capacities, seen = Capacities(), set()
    for change in wanted:
        name = change["VariantName"]
        variant = variants.get(name)
        if variant is None:
            raise validation(f"The endpoint {endpoint_name} has no variant {name}.")
        if name in seen:
            raise validation(f"The variant {name} is named more than once.")
        seen.add(name)
        if change.get("DesiredWeight") is not None:
            capacities.weights[name] = float(change["DesiredWeight"])
        if change.get("DesiredInstanceCount") is not None:
            _check_count(live, variant, change["DesiredInstanceCount"])
            capacities.counts[name] = change["DesiredInstanceCount"]
        if change.get("ServerlessUpdateConfig"):
            if variant.serverless is None:
                raise validation(f"The variant {name} is not serverless and has no concurrency.")
            capacities.serverless[name] = {**variant.serverless, **change["ServerlessUpdateConfig"]}
            check_concurrency(name, capacities.serverless[name])
    return capacities


def _check_count(live: Deployment, variant: Variant, count: int) -> None:
    if is_serverless(variant.config):
        raise validation(f"The variant {variant.name} is serverless and has no instance count.")
    if count < 1 and not live.config.get("AsyncInferenceConfig"):
        raise validation(f"The DesiredInstanceCount of the variant {variant.name} must be 1 or more.")
