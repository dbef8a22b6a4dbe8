# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page at `/`: what a running local cloud does, for people, without a script in it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ..aws.json_protocol import Response
from . import gather, paths
from .access import is_for_page, is_local_host
from .activity import SHOWN, calls_page
from .components import empty, link
from .endpoint_view import endpoint_page, endpoints_page
from .layout import Page, refuse, respond
from .log_page import log_page
from .markup import element, join
from .overview_page import overview_page
from .resources import models_page

if TYPE_CHECKING:
    from ..cloud import Cloud

__all__ = ["answer", "is_for_page", "is_local_host"]

_NUMBER = re.compile(r"[0-9]{1,15}")

logger = logging.getLogger("local_cloud.status_page")


async def answer(cloud: Cloud, method: str, path: str, query: str, headers: Mapping[str, str]) -> Response:
    """Answer a request that `is_for_page`. headers: names in lower case. Never raises."""
    if not is_local_host(headers):
        return refuse(403, f"This page is for this machine alone: open {cloud.settings.endpoint_url}/")
    if method not in ("GET", "HEAD"):
        return refuse(405, "The status page changes nothing and is read with GET.")
    if path == paths.ICON:
        return Response(204, b"", {"cache-control": "max-age=86400"})
    try:
        given = {key: values[0] for key, values in parse_qs(query).items()}
        return respond(await _page(cloud, path, given), gather.cloud_facts(cloud))
    except Exception:
        logger.exception("the status page %s failed", path)
        return refuse(500, "The status page failed; the reason is in the cloud's log.")


async def _page(cloud: Cloud, path: str, given: Mapping[str, str]) -> Page:
    refreshing = "refresh" in given
    match paths.read(path):
        case paths.PageOf("overview"):
            return overview_page(await gather.overview(cloud), refreshing)
        case paths.PageOf("endpoints"):
            return endpoints_page(await gather.overview(cloud), refreshing)
        case paths.PageOf("models"):
            return models_page(await gather.overview(cloud), refreshing)
        case paths.PageOf("calls"):
            return _calls(cloud, given, refreshing)
        case paths.PageOf("cloud log"):
            return log_page(gather.cloud_log(cloud), paths.cloud_log(), refreshing)
        case paths.PageOfEndpoint(caller, name):
            if detail := await gather.endpoint_detail(cloud, caller, name):
                return endpoint_page(detail, refreshing)
            return _nothing(f"There is no endpoint {name} in account {caller.account}, region {caller.region}.")
        case paths.PageOfLog(caller, name, container_id):
            if tail := gather.container_log(cloud, name, container_id):
                address = paths.container_log(caller, name, container_id)
                return log_page(tail, address, refreshing, (paths.endpoint(caller, name), name))
            return _nothing(f"There is no log of a container {container_id} of the endpoint {name}.")
    return _nothing(f"There is no page {path}.")


def _calls(cloud: Cloud, given: Mapping[str, str], refreshing: bool) -> Page:
    show = given.get("show", "all") if given.get("show") in SHOWN else "all"
    find, before = given.get("find", ""), given.get("before", "")
    found, older = gather.calls(cloud, show, find, int(before) if _NUMBER.fullmatch(before) else None)
    return calls_page(
        found, gather.cloud_facts(cloud), time.time(), show=show, find=find, older=older, refreshing=refreshing
    )


def _nothing(sentence: str) -> Page:
    """The page that stands where there is none."""
    main = join(
        [
            element("div", element("h1", "Not here"), class_="title"),
            empty(sentence, " ", link(paths.FRONT, "The overview"), " shows what there is."),
        ]
    )
    return Page("Not here", paths.FRONT, main, status=404)
