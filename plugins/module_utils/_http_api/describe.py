# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes an HTTP API for people: the module's result, the two sides of a diff, and the URL to call. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import Cors, FoundApi, WantedApi


def invoke_url(api_id: str, api_endpoint: str, endpoint_url: str) -> str:
    """Return the URL that requests go to, without a trailing slash.

    On AWS that is the API's own endpoint. An emulated AWS on this machine (``endpoint_url``, where the AWS API itself
    is, has a loopback host) names a host that nothing resolves, and answers under ``/_aws/execute-api/<api-id>``. The
    stage ``$default`` has no place in that path, as it has none on AWS.
    """
    if is_loopback(endpoint_url):
        return f"{endpoint_url.rstrip('/')}/_aws/execute-api/{api_id}"
    return api_endpoint.rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine itself."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def result(api: FoundApi) -> dict[str, Any]:
    """Return what the modules give back as ``api``. The keys of ``tags`` stay as they are."""
    return {
        "api_id": api.api_id,
        "name": api.name,
        "api_endpoint": api.api_endpoint,
        **describe_found(api),
    }


def describe_found(api: FoundApi | None) -> dict[str, Any]:
    """Return the side of a diff for what is there; ``{}`` for nothing."""
    if api is None:
        return {}
    integrations = {integration.integration_id: integration for integration in api.integrations}
    routes = []
    for route in sorted(api.routes, key=lambda route: route.route_key):
        integration = integrations.get(route.integration_id)
        routes.append(
            {
                "route_key": route.route_key,
                "function_arn": integration.function_arn if integration else None,
                "timeout_ms": integration.timeout_ms if integration else None,
            }
        )
    return {
        "description": api.description,
        "routes": routes,
        "cors": _cors(api.cors),
        "throttle": asdict(api.stage.throttle) if api.stage and api.stage.throttle else None,
        "tags": dict(api.tags),
    }


def describe_wanted(wanted: WantedApi, found: FoundApi | None) -> dict[str, Any]:
    """Return the side of a diff for what is wanted, in the shape of `describe_found`."""
    throttle = wanted.throttle
    if throttle is None and found and found.stage:
        throttle = found.stage.throttle
    return {
        "description": wanted.description,
        "routes": [
            {"route_key": route_key, "function_arn": integration.function_arn, "timeout_ms": integration.timeout_ms}
            for route_key, integration in sorted(wanted.routes.items())
        ],
        "cors": _cors(wanted.cors),
        "throttle": asdict(throttle) if throttle else None,
        "tags": dict(wanted.tags),
    }


def _cors(cors: Cors | None) -> dict[str, Any] | None:
    if cors is None:
        return None
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(cors).items()}
