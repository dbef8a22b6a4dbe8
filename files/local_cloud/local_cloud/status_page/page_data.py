# SPDX-License-Identifier: GPL-3.0-or-later
"""What the status page shows, gathered before anything is rendered.

Times are seconds since 1970, sizes bytes, percentages 0 to 100. None means that it is not known or does not apply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from ..aws.caller import Caller

Tags = dict[str, str]


@dataclass(frozen=True)
class CloudFacts:
    """The cloud itself.

    caller: the default account and region. stages: those that use this cloud. zone: the time zone of its own log.
    """

    url: str
    caller: Caller
    home: str
    pid: int
    started: float
    memory: int | None
    docker_host: str | None
    startup_timeout: float | None
    time_scale: float
    provisioning_seconds: float
    enforce_iam: bool
    stages: tuple[str, ...] = ()
    zone: tzinfo = UTC


@dataclass(frozen=True)
class ContainerFacts:
    """One container.

    state: "healthy", "starting", "unhealthy" or "draining". fleet: "blue", "green", "shadow", or "".
    waiting_for: what keeps it from being healthy. log: the path of the file with its output.
    """

    container_id: str
    variant: str
    state: str
    fleet: str = ""
    pid: int | None = None
    docker_id: str | None = None
    port: int | None = None
    in_flight: int = 0
    started: float | None = None
    memory: int | None = None
    waiting_for: str | None = None
    log: str = ""


@dataclass(frozen=True)
class VariantFacts:
    """One variant of one fleet. kind: its instance type or serverless size, for people."""

    name: str
    model: str
    image: str
    kind: str
    weight: float
    current: int
    desired: int
    serverless: bool = False
    fleet: str = ""


@dataclass(frozen=True)
class UpdateFacts:
    """An update that is going on, to `config`. green_percent: the new fleet's share of the traffic."""

    config: str
    green_percent: float


@dataclass(frozen=True)
class EndpointFacts:
    """One endpoint. Variants and containers of an update's new fleet are among the others, with fleet "green".

    startup_seconds: how long a container that starts now may take. doing: what the endpoint is at, in words.
    """

    caller: Caller
    name: str
    status: str
    config: str
    created: float
    modified: float
    failure_reason: str | None = None
    variants: tuple[VariantFacts, ...] = ()
    containers: tuple[ContainerFacts, ...] = ()
    update: UpdateFacts | None = None
    tags: Tags = field(default_factory=dict)
    startup_seconds: float | None = None
    doing: str | None = None
    doing_since: float | None = None


@dataclass(frozen=True)
class ModelFacts:
    """One Model. used_by: the endpoints that run it, or whose config names it."""

    caller: Caller
    name: str
    created: float
    image: str
    artifact: str | None
    tags: Tags = field(default_factory=dict)
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConfigFacts:
    """One endpoint config. used_by: the endpoints that run it or are being updated to it."""

    caller: Caller
    name: str
    created: float
    models: tuple[str, ...]
    kinds: tuple[str, ...]
    tags: Tags = field(default_factory=dict)
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class RouteFacts:
    """One route of an HTTP API, in one of its stages. methods: "POST", or "ANY"."""

    caller: Caller
    api: str
    method: str
    url: str
    stage: str
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class ScalableTargetFacts:
    """One scalable target. rules: its policies and scheduled actions, a sentence each. last: its latest activity."""

    caller: Caller
    endpoint: str
    variant: str
    dimension: str
    minimum: int
    maximum: int
    rules: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()
    last: str | None = None


@dataclass(frozen=True)
class FaultFacts:
    """One armed fault, in words. where: what it strikes. left: how often it still does. so_far: what it has done.
    note: the error, the seconds and so on."""

    fault_id: str
    kind: str
    where: str
    left: str
    so_far: str = ""
    note: str = ""


@dataclass(frozen=True)
class RequestFacts:
    """One request to an endpoint, as its caller saw it end. ms: to the last byte of the answer."""

    time: float
    caller: Caller
    endpoint: str
    variant: str | None
    kind: str
    status: int
    error: str | None
    ms: float


@dataclass(frozen=True)
class CallFacts:
    """One call from the call log. who: the end of the caller's ARN, or the access key. resource: what it was about."""

    n: int
    time: float
    service: str
    operation: str
    access: str
    status: int
    error: str | None
    who: str
    ms: float
    resource: str | None = None
    fault: str | None = None


@dataclass(frozen=True)
class LogTail:
    """The end of a log file. whole: whether these lines are all of it."""

    title: str
    path: str
    lines: tuple[str, ...]
    whole: bool
    href: str | None = None


@dataclass(frozen=True)
class OlderLog:
    """The log of a container that is gone. ended: when it was last written to."""

    container_id: str
    ended: float


@dataclass(frozen=True)
class Overview:
    """The front page."""

    now: float
    facts: CloudFacts
    endpoints: tuple[EndpointFacts, ...] = ()
    configs: tuple[ConfigFacts, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    routes: tuple[RouteFacts, ...] = ()
    targets: tuple[ScalableTargetFacts, ...] = ()
    faults: tuple[FaultFacts, ...] = ()
    requests: tuple[RequestFacts, ...] = ()
    calls: tuple[CallFacts, ...] = ()
    log: LogTail | None = None


@dataclass(frozen=True)
class EndpointDetail:
    """The page of one endpoint."""

    now: float
    facts: CloudFacts
    endpoint: EndpointFacts
    targets: tuple[ScalableTargetFacts, ...] = ()
    faults: tuple[FaultFacts, ...] = ()
    requests: tuple[RequestFacts, ...] = ()
    calls: tuple[CallFacts, ...] = ()
    logs: tuple[LogTail, ...] = ()
    older_logs: tuple[OlderLog, ...] = ()
