# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operation of which service a request is: by header, form, or path against botocore's service models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qs

from .aws.error_response import EXECUTE_API_PREFIX
from .aws.service_model import read_description

READ_PREFIXES = ("Get", "List", "Describe", "Head", "BatchGet", "BatchCheck", "Lookup", "Search", "Filter", "Test")
DATA_OPERATIONS = frozenset(
    {"InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream", "Invoke", "InvokeAsync"}
)

# SigV4 signing names of the services that answer by method and path -> botocore's directory name.
_REST_MODELS = {
    "s3": "s3",
    "lambda": "lambda",
    "apigateway": "apigatewayv2",
    "sagemaker": "sagemaker-runtime",
    "scheduler": "scheduler",
}


@dataclass(frozen=True)
class Operation:
    """service: the signing name; operation: AWS's name for it; access: "read", "write" or "data"."""

    service: str
    operation: str
    access: str


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    literal_length: int
    query: tuple[tuple[str, str | None], ...]
    needed_query: frozenset[str]
    needed_headers: frozenset[str]

    @property
    def weight(self) -> tuple[int, int]:
        return (len(self.query) + len(self.needed_query) + len(self.needed_headers), self.literal_length)


def name_operation(
    service: str | None, method: str, path: str, query: str, headers: Mapping[str, str], form: bytes
) -> Operation:
    """Name a request.

    service: the signing name of the credential scope, or None for an unsigned request.
    path: as it was sent, with its percent signs.
    headers: names in lower case. form: the body of a form post, else empty.
    """
    if path.startswith(EXECUTE_API_PREFIX):
        _api, _, rest = path[len(EXECUTE_API_PREFIX) :].partition("/")
        return Operation("execute-api", f"{method} /{rest}", "data")
    if service is None and path.startswith("/v2/"):
        access = "read" if method in ("GET", "HEAD") else "write"
        return Operation("ecr", f"{method} {path}", access)
    name = _by_header_or_form(path, query, headers, form) or _by_route(service, method, path, query, headers)
    return Operation(service or "unsigned", name or f"{method} {path}", access_of(name, method))


def access_of(operation: str | None, method: str) -> str:
    """ "read", "write" or "data": by the operation's name, or by the method where it has no name we know."""
    if operation is None:
        return "read" if method in ("GET", "HEAD", "OPTIONS") else "write"
    if operation in DATA_OPERATIONS:
        return "data"
    return "read" if operation.startswith(READ_PREFIXES) else "write"


def _by_header_or_form(path: str, query: str, headers: Mapping[str, str], form: bytes) -> str | None:
    target = headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if "/operation/" in path:  # Smithy RPC v2: /service/<name>/operation/<operation>
        return path.rpartition("/operation/")[2].split("/")[0]
    for source in (query, form.decode("latin-1")):
        if "Action=" in source:
            return parse_qs(source).get("Action", [None])[0]
    return None


def _by_route(service: str | None, method: str, path: str, query: str, headers: Mapping[str, str]) -> str | None:
    if service not in _REST_MODELS:
        return None
    model = _REST_MODELS[service]
    if service == "apigateway" and not path.startswith("/v2/"):
        model = "apigateway"
    parameters = parse_qs(query, keep_blank_values=True)
    best = max(
        (route for route in _routes(model) if _matches(route, method, path, parameters, headers)),
        key=lambda route: route.weight,
        default=None,
    )
    return best.operation if best else None


def _matches(
    route: _Route, method: str, path: str, parameters: Mapping[str, list[str]], headers: Mapping[str, str]
) -> bool:
    return (
        route.method == method
        and all(key in parameters and value in (None, parameters[key][0]) for key, value in route.query)
        and route.needed_query.issubset(parameters)
        and route.needed_headers.issubset(headers)
        and route.path.fullmatch(path) is not None
    )


@cache
def _routes(model: str) -> tuple[_Route, ...]:
    description = read_description(model)
    shapes = description["shapes"]
    return tuple(
        _route(name, operation["http"], shapes.get(operation.get("input", {}).get("shape"), {}))
        for name, operation in description["operations"].items()
    )


def _route(name: str, http: dict[str, str], shape: dict[str, dict[str, dict[str, str]]]) -> _Route:
    uri, _, fixed = http["requestUri"].partition("?")
    fixed = fixed.partition("#")[0]
    pattern = "".join(_segment(part) for part in re.split(r"(\{[^}]+\})", uri.rstrip("/")))
    members, required = shape.get("members", {}), shape.get("required", ())
    needed = [members[member] for member in required if member in members]
    return _Route(
        operation=name,
        method=http["method"],
        path=re.compile(pattern + "/?"),
        literal_length=len(re.sub(r"\{[^}]+\}", "", uri)),
        query=tuple(
            (key, value or None) for key, _, value in (item.partition("=") for item in fixed.split("&") if item)
        ),
        needed_query=frozenset(m["locationName"] for m in needed if m.get("location") == "querystring"),
        needed_headers=frozenset(
            m["locationName"].lower()
            for m in needed
            if m.get("location") == "header" and m["locationName"].lower().startswith("x-amz-")
        ),
    )


def _segment(part: str) -> str:
    if part.startswith("{"):
        return "(?:.+)" if part.endswith("+}") else "[^/]+"
    return re.escape(part)
