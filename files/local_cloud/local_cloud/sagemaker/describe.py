# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint looks like at this moment: DescribeEndpoint's answer, its capacities, its overview. Pure."""

from __future__ import annotations

from typing import Any

from ..aws.caller import Caller
from ..store import Document
from .deployment import Deployment, Variant, variant_summaries
from .live_endpoint import LiveEndpoint, Side
from .overview import Capacity, EndpointOverview, Role, VariantOverview


def with_live(document: Document, live: LiveEndpoint) -> Document:
    """The stored document, with the instance counts and the deployment stages of this moment."""
    running = live.blue.running
    counts, deployment = running.healthy(), live.deployment
    answer = {
        **document,
        "ProductionVariants": variant_summaries(deployment.variants, counts, live.stage),
        "ShadowProductionVariants": variant_summaries(deployment.shadows, counts, live.stage) or None,
    }
    if live.green is not None:
        answer["PendingDeploymentSummary"] = _pending(live, live.green)
    return answer


def _pending(live: LiveEndpoint, green: Side) -> dict[str, Any]:
    counts = green.running.healthy()
    for name, fleet in green.running.fleets.items():
        if fleet.active is not None:  # the canary is the capacity that counts, as in AWS's example
            counts[name] = min(counts[name], fleet.active)
    deployment = green.running.deployment
    return {
        "EndpointConfigName": deployment.config_name,
        "StartTime": live.green_since,
        "ProductionVariants": _pending_summaries(deployment.variants, counts, live),
        "ShadowProductionVariants": _pending_summaries(deployment.shadows, counts, live) or None,
    }


def _pending_summaries(
    variants: tuple[Variant, ...], counts: dict[str, int], live: LiveEndpoint
) -> list[dict[str, Any]]:
    summaries = variant_summaries(variants, counts, live.green_stage)
    for variant, summary in zip(variants, summaries, strict=True):
        summary["InstanceType"] = variant.config.get("InstanceType")
    return summaries


def capacities_of(live: LiveEndpoint) -> dict[str, Capacity]:
    """How much each variant in service has, by name."""
    counts = live.blue.running.healthy()
    return {
        variant.name: Capacity(
            "serverless" if variant.serverless else "instance",
            variant.process_count,
            counts.get(variant.name, 0),
            (variant.serverless or {}).get("ProvisionedConcurrency"),
        )
        for variant in live.deployment.variants
    }


def endpoint_overview(caller: Caller, document: Document, live: LiveEndpoint | None) -> EndpointOverview:
    """An endpoint for a page. live: None where it has no containers."""
    stage = (live.green_stage or live.stage) if live else None
    messages = [*stage.messages.values(), stage.message] if stage else []
    return EndpointOverview(
        name=document["EndpointName"],
        account=caller.account,
        region=caller.region,
        status=document["EndpointStatus"],
        config_name=document["EndpointConfigName"],
        failure_reason=document.get("FailureReason"),
        created=document["CreationTime"],
        modified=document["LastModifiedTime"],
        doing=next((message for message in messages if message), None),
        doing_since=stage.since if stage else None,
        variants=[variant for side in live.sides for variant in _variants(live, side)] if live else [],
        containers=list(live.containers()) if live else [],
    )


def _variants(live: LiveEndpoint, side: Side) -> list[VariantOverview]:
    deployment, counts = side.running.deployment, side.running.healthy()
    role: Role = "blue" if side is live.blue else "green"
    traffic = 100 * live.traffic(side)
    return [
        *(_variant(variant, role, deployment, traffic, counts) for variant in deployment.variants),
        *(_variant(variant, "shadow", deployment, 0.0, counts) for variant in deployment.shadows),
    ]


def _variant(
    variant: Variant, role: Role, deployment: Deployment, traffic: float, counts: dict[str, int]
) -> VariantOverview:
    return VariantOverview(
        name=variant.name,
        fleet=role,
        config_name=deployment.config_name,
        weight=variant.weight,
        traffic=traffic,
        desired=variant.process_count,
        current=counts.get(variant.name, 0),
        model_name=variant.config.get("ModelName"),
        instance_type=variant.config.get("InstanceType"),
        serverless=variant.serverless,
        resolved_image=variant.resolved_image,
    )
