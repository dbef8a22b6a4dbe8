# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs behind the endpoints at this moment, for pages and programs that show or scale it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["blue", "green", "shadow"]


@dataclass(frozen=True)
class Capacity:
    """How much a variant has. desired, current: instances, or warm containers of a serverless variant.

    provisioned: a serverless variant's provisioned concurrency as it is asked for, None without any.
    """

    kind: Literal["instance", "serverless"]
    desired: int
    current: int
    provisioned: int | None = None


@dataclass(frozen=True)
class ContainerOverview:
    """One container. fleet: blue serves what EndpointConfigName names, green is an update's new one.

    pid, docker_id: one of them is None. started: seconds since 1970. log: path of the file with its output.
    startup_timeout: seconds it may take to become healthy, while it starts; None once it has been.
    """

    container_id: str
    variant: str
    fleet: Role
    pid: int | None
    docker_id: str | None
    port: int
    healthy: bool
    leaving: bool
    in_flight: int
    started: float
    log: str
    startup_timeout: float | None = None


@dataclass(frozen=True)
class VariantOverview:
    """One variant of one fleet. weight: its own; traffic: percent of the endpoint's requests that come to its fleet."""

    name: str
    fleet: Role
    config_name: str
    weight: float
    traffic: float
    desired: int
    current: int
    model_name: str | None
    instance_type: str | None
    serverless: dict[str, Any] | None
    resolved_image: str | None


@dataclass(frozen=True)
class EndpointOverview:
    """One endpoint. created, modified, doing_since: seconds since 1970. doing: what an update is at, in words."""

    name: str
    account: str
    region: str
    status: str
    config_name: str
    failure_reason: str | None
    created: float
    modified: float
    doing: str | None = None
    doing_since: float | None = None
    variants: list[VariantOverview] = field(default_factory=list)
    containers: list[ContainerOverview] = field(default_factory=list)
