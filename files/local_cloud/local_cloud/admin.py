# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's own pages, below /_local_cloud/."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from . import SERVICE_NAME
from .aws.json_protocol import Response
from .settings import DEFAULT_ACCOUNT, DEFAULT_REGION

if TYPE_CHECKING:
    from .cloud import Cloud

PREFIX = "/_local_cloud/"


def answer(cloud: Cloud, method: str, path: str, query: str) -> Response:
    """Answer a request for one of the cloud's own pages."""
    page = path.removeprefix(PREFIX)
    if method != "GET":
        return _json(405, {"error": f"{path} is read with GET."})
    if page == "health":
        return _json(200, health(cloud))
    if page == "calls":
        since = parse_qs(query).get("since", ["0"])[0]
        if not since.isdigit():
            return _json(400, {"error": "since is the number of a call: /_local_cloud/calls?since=0"})
        return _json(200, cloud.calls.since(int(since)))
    return _json(404, {"error": f"There is no page {path}; there are {PREFIX}health and {PREFIX}calls?since=0."})


def health(cloud: Cloud) -> dict[str, Any]:
    """Who this is, where its things are, and whether its endpoints are back after a start."""
    settings = cloud.settings
    return {
        "service": SERVICE_NAME,
        "pid": os.getpid(),
        "port": settings.port,
        "home": str(settings.home),
        "venvs": str(settings.venvs),
        "account": DEFAULT_ACCOUNT,
        "region": DEFAULT_REGION,
        "docker": settings.docker_host is not None,
        "docker_host": settings.docker_host,
        "startup_timeout": settings.startup_timeout,
        "code": settings.code_digest,
        "python": sys.executable,
        "endpoints": cloud.endpoints.summary(),
    }


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(status, json.dumps(content).encode(), {"content-type": "application/json"})
