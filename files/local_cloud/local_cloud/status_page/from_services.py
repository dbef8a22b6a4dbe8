# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services know, turned into what the page shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..aws.caller import Caller
from ..sagemaker.lifecycle import ROLLING_BACK, UPDATING
from ..store import Document
from .page_data import (
    CallFacts,
    ConfigFacts,
    ContainerFacts,
    EndpointFacts,
    FaultFacts,
    ModelFacts,
    RequestFacts,
    RouteFacts,
    ScalableTargetFacts,
    Tags,
    UpdateFacts,
    VariantFacts,
)
from .wording import number

if TYPE_CHECKING:
    from ..sagemaker.overview import ContainerOverview, EndpointOverview, VariantOverview
    from ..sagemaker.runtime.latest import Request

Found = tuple[Caller, Document]

_WHERE = ("account", "region", "service", "operation", "access", "access_key")
_WHAT = ("seconds", "code", "status", "message")


def endpoint_facts(
    endpoint: EndpointOverview, tags: Tags, memory: Mapping[int, int], pings: Mapping[str, str]
) -> EndpointFacts:
    """One endpoint. memory: bytes by pid. pings: what /ping answered of late, by container id."""
    update = _update(endpoint) if endpoint.status in (UPDATING, ROLLING_BACK) else None
    starting = [c.startup_timeout for c in endpoint.containers if c.startup_timeout is not None]
    return EndpointFacts(
        caller=Caller(endpoint.account, endpoint.region),
        name=endpoint.name,
        status=endpoint.status,
        config=endpoint.config_name,
        created=endpoint.created,
        modified=endpoint.modified,
        failure_reason=endpoint.failure_reason,
        variants=tuple(_variant(variant) for variant in endpoint.variants),
        containers=tuple(_container(container, memory, pings) for container in endpoint.containers),
        update=update,
        tags=tags,
        startup_seconds=max(starting, default=None),
        doing=endpoint.doing,
        doing_since=endpoint.doing_since,
    )


def config_facts(
    found: Iterable[Found], tags: Mapping[str, Tags], endpoints: Iterable[EndpointOverview]
) -> tuple[ConfigFacts, ...]:
    """Endpoint configs, with the endpoints that run them or are on their way to them. tags: by ARN in lower case."""
    users: dict[tuple[str, str, str], list[str]] = {}
    for endpoint in endpoints:
        for name in {endpoint.config_name, *(variant.config_name for variant in endpoint.variants)}:
            users.setdefault((endpoint.account, endpoint.region, name.lower()), []).append(endpoint.name)
    return tuple(
        ConfigFacts(
            caller,
            document["EndpointConfigName"],
            document["CreationTime"],
            tuple(variant["ModelName"] for variant in document["ProductionVariants"] if variant.get("ModelName")),
            tuple(capacity(variant) for variant in document["ProductionVariants"]),
            tags.get(document["EndpointConfigArn"].lower(), {}),
            tuple(users.get((caller.account, caller.region, document["EndpointConfigName"].lower()), ())),
        )
        for caller, document in found
    )


def model_facts(
    found: Iterable[Found],
    tags: Mapping[str, Tags],
    configs: Iterable[ConfigFacts],
    endpoints: Iterable[EndpointOverview],
) -> tuple[ModelFacts, ...]:
    """Models, with the endpoints that use them: a Failed one runs nothing, yet its config names what it wants."""
    users: dict[tuple[Caller, str], dict[str, None]] = {}
    for config in configs:
        for name in config.models:
            users.setdefault((config.caller, name.lower()), {}).update(dict.fromkeys(config.used_by))
    for endpoint in endpoints:
        for variant in endpoint.variants:
            key = (Caller(endpoint.account, endpoint.region), (variant.model_name or "").lower())
            users.setdefault(key, {})[endpoint.name] = None
    facts = []
    for caller, document in found:
        key = (caller, document["ModelName"].lower())
        container = document.get("PrimaryContainer") or (document.get("Containers") or [{}])[0]
        source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
        facts.append(
            ModelFacts(
                caller,
                document["ModelName"],
                document["CreationTime"],
                container.get("Image", ""),
                container.get("ModelDataUrl") or source.get("S3Uri"),
                tags.get(document["ModelArn"].lower(), {}),
                tuple(users.get(key, ())),
            )
        )
    return tuple(facts)


def capacity(variant: Mapping[str, Any]) -> str:
    """What a ProductionVariant of an endpoint config runs on, for people."""
    if serverless := variant.get("ServerlessConfig"):
        return _serverless(serverless)
    return f"{variant.get('InitialInstanceCount', 1)} × {variant.get('InstanceType', 'instance')}"


def route_facts(
    url: str, caller: Caller, api: Document, routes: Iterable[Document], stages: Iterable[str]
) -> list[RouteFacts]:
    """The URLs of an HTTP API. The stage $default needs no name in them.

    A parameter in a path ({id}, {proxy+}) stays as it is: what belongs there is the reader's to say.
    """
    found = []
    for stage in stages:
        for route in routes:
            method, _, path = route["routeKey"].partition(" ")
            if not path:  # the route $default takes what no other does
                method, path = "ANY", "/"
            middle = "" if stage == "$default" else f"/{stage}"
            address = f"{url}/_aws/execute-api/{api['apiId']}{middle}{path}"
            found.append(RouteFacts(caller, api["name"], method, address, stage, dict(api.get("tags") or {})))
    return found


def target_facts(
    targets: Iterable[Found], policies: Iterable[Found], actions: Iterable[Found], activities: Iterable[Found]
) -> tuple[ScalableTargetFacts, ...]:
    """Scalable targets with their policies, scheduled actions and last activity. activities: the oldest first."""
    rules: dict[tuple[Caller, str, str], list[str]] = {}
    for caller, policy in policies:
        rules.setdefault(_scalable(caller, policy), []).append(_policy(policy))
    for caller, action in actions:
        words = f"{action['ScheduledActionName']}: {action['Schedule']}"
        rules.setdefault(_scalable(caller, action), []).append(words)
    last = {_scalable(caller, activity): _activity(activity) for caller, activity in activities}
    facts = []
    for caller, target in targets:
        key = _scalable(caller, target)
        _, endpoint, _, variant = (*target["ResourceId"].split("/"), "", "", "")[:4]
        suspended = tuple(
            name.removesuffix("Suspended") for name, is_so in (target.get("SuspendedState") or {}).items() if is_so
        )
        facts.append(
            ScalableTargetFacts(
                caller,
                endpoint,
                variant,
                target["ScalableDimension"].rpartition(":")[2],
                target["MinCapacity"],
                target["MaxCapacity"],
                tuple(rules.get(key, ())),
                suspended,
                last.get(key),
            )
        )
    return tuple(facts)


def fault_facts(fault: Mapping[str, Any]) -> FaultFacts:
    """An armed fault, as the book of faults shows it."""
    scope = [str(fault[key]) for key in _WHERE if key in fault]
    if "resource" in fault:
        scope.append(f"{fault['resource']}…")
    note = [f"{key} {fault[key]}" for key in _WHAT if key in fault]
    if fault.get("after_work"):
        note.append("after the work")
    return FaultFacts(
        fault["id"],
        fault["kind"],
        " ".join(scope) or "everything",
        _strikes(fault),
        f"{_which(fault)}struck {fault.get('struck', 0)} of {fault.get('seen', 0)}",
        ", ".join(note),
    )


def request_facts(request: Request) -> RequestFacts:
    """One request that the runtime remembers."""
    return RequestFacts(
        request.time,
        Caller(request.account, request.region),
        request.endpoint_name,
        request.variant,
        request.kind,
        request.status,
        request.error,
        request.ms,
    )


def call_facts(call: Mapping[str, Any]) -> CallFacts:
    """One entry of the call log."""
    caller_arn = call.get("caller") or ""
    return CallFacts(
        call["n"],
        datetime.fromisoformat(call["time"]).timestamp(),
        call["service"],
        call["operation"],
        call["access"],
        call["status"],
        call["error"],
        caller_arn.rpartition(":")[2] or call.get("access_key") or "–",
        call["ms"],
        call.get("resource"),
        call.get("fault"),
    )


def _update(endpoint: EndpointOverview) -> UpdateFacts | None:
    green = [variant for variant in endpoint.variants if variant.fleet == "green"]
    if not green:
        return None
    return UpdateFacts(green[0].config_name, green[0].traffic)


def _variant(variant: VariantOverview) -> VariantFacts:
    return VariantFacts(
        name=variant.name,
        model=variant.model_name or "",
        image=variant.resolved_image or "",
        kind=_serverless(variant.serverless) if variant.serverless else variant.instance_type or "instance",
        weight=variant.weight,
        current=variant.current,
        desired=variant.desired,
        serverless=variant.serverless is not None,
        fleet=variant.fleet,
    )


def _container(container: ContainerOverview, memory: Mapping[int, int], pings: Mapping[str, str]) -> ContainerFacts:
    if container.leaving:
        state = "draining"
    elif container.healthy:
        state = "healthy"
    else:
        state = "unhealthy" if container.startup_timeout is None else "starting"
    return ContainerFacts(
        container_id=container.container_id,
        variant=container.variant,
        state=state,
        fleet=container.fleet,
        pid=container.pid,
        docker_id=container.docker_id,
        port=container.port,
        in_flight=container.in_flight,
        started=container.started,
        memory=memory.get(container.pid) if container.pid else None,
        waiting_for=pings.get(container.container_id),
        log=container.log,
    )


def _serverless(config: Mapping[str, Any]) -> str:
    words = f"serverless, {config['MemorySizeInMB']} MB, {config['MaxConcurrency']} at a time"
    if provisioned := config.get("ProvisionedConcurrency"):
        words += f", {provisioned} warm"
    return words


def _scalable(caller: Caller, document: Document) -> tuple[Caller, str, str]:
    return (caller, document["ResourceId"], document["ScalableDimension"])


def _activity(activity: Mapping[str, Any]) -> str:
    return f"{activity.get('Description', '')} {activity.get('StatusCode', '')}".strip()


def _policy(policy: Mapping[str, Any]) -> str:
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration")
    if not tracking:
        return f"{policy['PolicyName']}: {policy.get('PolicyType', 'StepScaling')}"
    predefined = tracking.get("PredefinedMetricSpecification") or {}
    customized = tracking.get("CustomizedMetricSpecification") or {}
    metric = predefined.get("PredefinedMetricType") or customized.get("MetricName") or "a metric"
    return f"{policy['PolicyName']}: keeps {metric} at {number(tracking['TargetValue'])}"


def _which(fault: Mapping[str, Any]) -> str:
    if "nth" in fault:
        return f"number {fault['nth']}; "
    if "every" in fault:
        return f"one in {fault['every']}; "
    if "probability" in fault:
        return f"with a chance of {number(fault['probability'])}; "
    return "each once; " if fault.get("each_once") else ""


def _strikes(fault: Mapping[str, Any]) -> str:
    if fault.get("spent"):
        return "spent"
    if "nth" in fault:
        return "1 more"
    return f"{fault['times'] - fault.get('struck', 0)} more" if "times" in fault else "until it is removed"
