# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's own pages, below /_local_cloud/."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from . import SERVICE_NAME
from .aws.json_protocol import Response
from .exchange import Receive, Request, read_body
from .faults import api as faults_api
from .settings import CHOICES, DEFAULT_ACCOUNT, DEFAULT_REGION
from .status_page import is_local_host

if TYPE_CHECKING:
    from .cloud import Cloud

logger = logging.getLogger("local_cloud.admin")

PREFIX = "/_local_cloud/"
_PAGES = "health, calls?since=0, faults, and endpoints/<name>/<event>"


async def answer(cloud: Cloud, request: Request, receive: Receive) -> Response:
    """Answer a request for one of the cloud's own pages."""
    refusal = _refuse_strangers(request)
    if refusal is not None:
        return refusal
    page = request.path.removeprefix(PREFIX)
    try:
        if page == "faults" or page.startswith(("faults/", "endpoints/")):
            status, content = await faults_api.answer(cloud, request, page, await read_body(receive))
            return _json(status, content)
        return _read(cloud, request, page)
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        return _json(500, {"error": "The local cloud failed; the reason is in its log."})


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
        **{choice: getattr(settings, choice) for choice in CHOICES},
        "enforce_iam": settings.enforce_iam,
        "code": settings.code_digest,
        "python": sys.executable,
        "endpoints": cloud.endpoints.summary(),
    }


def _read(cloud: Cloud, request: Request, page: str) -> Response:
    if page not in ("health", "calls"):
        return _json(404, {"error": f"There is no page {request.path}; below {PREFIX} there are {_PAGES}."})
    if request.method not in ("GET", "HEAD"):
        return _json(405, {"error": f"{request.path} is read with GET."})
    if page == "health":
        return _json(200, health(cloud))
    since = parse_qs(request.query).get("since", ["0"])[0]
    if not (since.isascii() and since.isdigit() and len(since) < 20):
        return _json(400, {"error": "since is the number of a call: /_local_cloud/calls?since=0"})
    return _json(200, cloud.calls.since(int(since)))


def _refuse_strangers(request: Request) -> Response | None:
    """A page that a browser has open somewhere else shall neither read nor arm anything here."""
    if not is_local_host(request.headers):
        return _json(403, {"error": "These pages are for this machine alone: ask for 127.0.0.1."})
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return _json(403, {"error": "These pages are not for other web sites."})
    kind = request.headers.get("content-type", "none")
    if request.method in ("POST", "PUT") and not kind.startswith("application/json"):
        return _json(415, {"error": f"Send JSON, with the header content-type: application/json, not {kind}."})
    return None


def _json(status: int, content: dict[str, Any]) -> Response:
    return Response(status, json.dumps(content).encode(), {"content-type": "application/json"})
