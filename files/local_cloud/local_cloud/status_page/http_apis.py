# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP APIs of every account, read from ministack."""

from __future__ import annotations

import sys
from typing import Any

from ..aws.caller import Caller
from .from_services import route_facts
from .page_data import RouteFacts


def every_route(url: str) -> tuple[RouteFacts, ...]:
    """The URL of each route in each stage of each HTTP API.

    ministack's own answer to GetApis is for one account and region; the page shows them all, so it reads what that
    answer is made from.
    """
    # ministack imports a service with its first call: without one there is no API, and no need for the memory.
    service: Any = sys.modules.get("ministack.services.apigateway")
    if service is None:
        return ()
    found: list[RouteFacts] = []
    for (account, region, api_id), api in service._apis.all_items():
        if api.get("protocolType", "HTTP") == "HTTP":
            routes = service._routes.get_scoped(account, region, api_id) or {}
            stages = service._stages.get_scoped(account, region, api_id) or {}
            found += route_facts(url, Caller(account, region), api, list(routes.values()), list(stages))
    return tuple(found)
