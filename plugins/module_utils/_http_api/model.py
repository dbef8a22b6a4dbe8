# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an HTTP API is: as it is wanted, and as it is found. Frozen, without AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# These two tags say whose an API is; names of APIs are not unique on AWS.
OWNER_TAG_KEYS = ("modelhost:project", "modelhost:stage")

# From the quotas of HTTP APIs: an integration answers within 50 ms to 30 s.
TIMEOUT_MS = range(50, 30_001)

_ROUTE_KEY = re.compile(r"\$default|(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /\S*")
_FUNCTION_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):lambda:(?P<region>[\w-]+):(?P<account>\d{12}):function:[\w-]+(?::(?P<qualifier>[\w$-]+))?"
)


class InvalidApi(ValueError):
    """The API asked for cannot be made; the text says which option is wrong and what would be right."""


@dataclass(frozen=True)
class Integration:
    """A Lambda function behind a route. ``function_arn`` carries an alias or a version."""

    function_arn: str
    timeout_ms: int


@dataclass(frozen=True)
class Throttle:
    """The default of every route: steady requests per second, and how many may come at once."""

    rate: float
    burst: int


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins may call the API. ``max_age`` is in seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 0


@dataclass(frozen=True)
class WantedApi:
    """What the module's options ask for. ``throttle`` None: the stage's throttling is left as it is."""

    name: str
    routes: Mapping[str, Integration]
    description: str = ""
    cors: Cors | None = None
    throttle: Throttle | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundIntegration:
    """An integration on AWS. ``proxy`` is true where it is AWS_PROXY with payload format 2.0."""

    integration_id: str
    function_arn: str
    timeout_ms: int
    proxy: bool = True


@dataclass(frozen=True)
class FoundRoute:
    """A route on AWS and the integration that it leads to, ``""`` for none."""

    route_id: str
    route_key: str
    integration_id: str


@dataclass(frozen=True)
class FoundStage:
    """The stage ``$default``."""

    auto_deploy: bool
    throttle: Throttle | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Permission:
    """A statement of a function's policy that lets API Gateway call it."""

    principal: str
    action: str
    source_arn: str


# function ARN -> statement id -> the statement
Permissions = Mapping[str, Mapping[str, Permission]]


@dataclass(frozen=True)
class FoundApi:
    """An HTTP API on AWS with everything that belongs to it."""

    api_id: str
    name: str
    api_endpoint: str
    description: str = ""
    cors: Cors | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    integrations: tuple[FoundIntegration, ...] = ()
    routes: tuple[FoundRoute, ...] = ()
    stage: FoundStage | None = None


def wanted_api(params: Mapping[str, Any]) -> WantedApi:
    """Read the module's parameters; raise `InvalidApi` with a sentence for the first mistake."""
    routes: dict[str, Integration] = {}
    for number, route in enumerate(params["routes"] or []):
        where = f"routes[{number}]"
        route_key = route["route_key"]
        if not _ROUTE_KEY.fullmatch(route_key):
            raise InvalidApi(f"{where}.route_key is {route_key!r}; it must be like 'POST /demo', or '$default'.")
        if route_key in routes:
            raise InvalidApi(f"{where}.route_key is {route_key!r}, which another route has already.")
        if route["timeout_ms"] not in TIMEOUT_MS:
            raise InvalidApi(f"{where}.timeout_ms is {route['timeout_ms']}; it must be from 50 to 30000.")
        _check_function_arn(f"{where}.function_arn", route["function_arn"])
        routes[route_key] = Integration(route["function_arn"], route["timeout_ms"])
    if not routes:
        raise InvalidApi("routes is empty; an API without a route answers nothing.")
    return WantedApi(
        name=params["name"],
        routes=routes,
        description=params["description"],
        cors=_cors(params["cors"]),
        throttle=_throttle(params["throttle"]),
        tags={str(key): str(value) for key, value in (params["tags"] or {}).items()},
    )


def owner_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return those of the tags that say whose something is."""
    return {key: tags[key] for key in OWNER_TAG_KEYS if key in tags}


def split_function_arn(function_arn: str) -> tuple[str, str | None]:
    """Split an ARN into (the ARN of the function, its alias or version or None)."""
    match = _FUNCTION_ARN.fullmatch(function_arn)
    qualifier = match["qualifier"] if match else None
    return (function_arn.removesuffix(f":{qualifier}") if qualifier else function_arn), qualifier


def source_arn_template(function_arn: str, region: str, route_key: str) -> str:
    """Return the ARN of a route as a format string with ``{}`` for the API's id.

    The API and its function live in the same account. The stage is ``*``: the API has one.
    """
    match = _FUNCTION_ARN.fullmatch(function_arn)
    if not match:
        raise InvalidApi(f"{function_arn!r} is not the ARN of a Lambda function.")
    if route_key == "$default":
        place = "*/$default"
    else:
        method, path = route_key.split(" ", 1)
        # A variable of the path ("{id}", "{proxy+}") stands for any text.
        place = f"*/{'*' if method == 'ANY' else method}{re.sub(r'{[^}]*}', '*', path)}"
    return f"arn:{match['partition']}:execute-api:{region}:{match['account']}:{{}}/{place}"


def _check_function_arn(where: str, function_arn: str) -> None:
    match = _FUNCTION_ARN.fullmatch(function_arn)
    if not match:
        raise InvalidApi(
            f"{where} is {function_arn!r}; it must be an ARN like "
            "arn:aws:lambda:us-east-1:123456789012:function:name:live."
        )
    if match["qualifier"] in (None, "$LATEST"):
        raise InvalidApi(
            f"{where} is {function_arn!r}, which means $LATEST: calls in flight would die at every update. "
            "Name an alias or a version."
        )


def _cors(cors: Mapping[str, Any] | None) -> Cors | None:
    if cors is None:
        return None
    if cors["allow_credentials"] and "*" in (cors["allow_origins"] or []):
        raise InvalidApi("cors.allow_credentials needs origins by name; with '*' browsers refuse it.")
    return Cors(
        allow_origins=tuple(cors["allow_origins"] or ()),
        allow_methods=tuple(cors["allow_methods"] or ()),
        allow_headers=tuple(cors["allow_headers"] or ()),
        expose_headers=tuple(cors["expose_headers"] or ()),
        allow_credentials=cors["allow_credentials"],
        max_age=cors["max_age"],
    )


def _throttle(throttle: Mapping[str, Any] | None) -> Throttle | None:
    if throttle is None:
        return None
    if throttle["rate"] <= 0 or throttle["burst"] <= 0:
        raise InvalidApi("throttle.rate and throttle.burst must be above 0; with 0 the API would refuse every request.")
    return Throttle(rate=float(throttle["rate"]), burst=throttle["burst"])
