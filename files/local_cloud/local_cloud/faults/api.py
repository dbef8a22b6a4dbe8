# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API below /_local_cloud/: faults, which strike later, and events of endpoints, which happen at once."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..exchange import Request
from ..settings import DEFAULT_ACCOUNT, DEFAULT_REGION
from .document import FaultError, parse_faults

if TYPE_CHECKING:
    from ..cloud import Cloud

Answer = tuple[int, dict[str, Any]]

_EVENT = re.compile(r"endpoints/(?P<name>[^/]+)/(?P<event>[a-z-]+)")
_EVENTS = ("system-update", "out-of-service", "kill")


async def answer(cloud: Cloud, request: Request, page: str, body: bytes) -> Answer:
    """The status and the JSON of an answer. page: the path below /_local_cloud/."""
    try:
        if page.startswith("endpoints/"):
            return await _endpoint_event(cloud, request, page, _parsed(body))
        return _faults(cloud, request, page, body)
    except FaultError as error:
        return 400, {"error": str(error)}


def _faults(cloud: Cloud, request: Request, page: str, body: bytes) -> Answer:
    book, fault_id = cloud.faults, unquote(page.removeprefix("faults").lstrip("/"))
    method = request.method
    if method == "POST" and not fault_id:
        content = _parsed(body)
        added = [book.add(fault).id for fault in parse_faults(content)]
        return 200, {"faults": [fault for fault in book.active() if fault["id"] in added]}
    if method == "GET":
        found = [fault for fault in book.active() if fault_id in ("", fault["id"])]
        if fault_id and not found:
            return _no_such(cloud, fault_id)
        return 200, found[0] if fault_id else {"faults": found}
    if method == "DELETE":
        if not fault_id:
            return 200, {"removed": book.clear()}
        return (200, {"removed": 1}) if book.remove(fault_id) else _no_such(cloud, fault_id)
    return 405, {
        "error": f"POST arms a fault or a list of them, GET reads, DELETE disarms; not {method} {request.path}."
    }


def _no_such(cloud: Cloud, fault_id: str) -> Answer:
    known = ", ".join(fault["id"] for fault in cloud.faults.active()) or "none at all"
    return 404, {"error": f'There is no fault with the id "{fault_id}"; there is {known}.'}


async def _endpoint_event(cloud: Cloud, request: Request, page: str, content: Any) -> Answer:
    match = _EVENT.fullmatch(page)
    if match is None or match["event"] not in _EVENTS:
        return 404, {"error": f"There is no page {request.path}; events of an endpoint are {', '.join(_EVENTS)}."}
    name, event = unquote(match["name"]), match["event"]
    if request.method not in ("POST", "DELETE") or (event == "kill" and request.method != "POST"):
        ends = "" if event == "kill" else ", and DELETE ends it"
        return 405, {"error": f"POST begins a {event}{ends}; not {request.method}."}
    begins = request.method == "POST"
    given = _event_parameters(event, content)
    caller = Caller(given.pop("account", DEFAULT_ACCOUNT), given.pop("region", DEFAULT_REGION))
    manager = cloud.endpoints
    try:
        if event == "kill":
            killed = await manager.kill_containers(caller, name, given.get("variant"), given.get("count"))
            return 200, {"killed": killed}
        if event == "system-update":
            await (manager.begin_system_update if begins else manager.end_system_update)(caller, name)
        else:
            await (manager.take_out_of_service if begins else manager.bring_back_into_service)(caller, name)
    except AwsError as error:
        return 409, {"error": error.message}
    return 200, {}


def _event_parameters(event: str, content: Any) -> dict[str, Any]:
    known: dict[str, type] = {"account": str, "region": str}
    if event == "kill":
        known |= {"variant": str, "count": int}
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise FaultError(f"{event} takes an object with {', '.join(known)}, or nothing.")
    given = {key: value for key, value in content.items() if value is not None}
    for key, value in given.items():
        if key not in known:
            raise FaultError(f'{event} takes no "{key}"; it takes {", ".join(known)}.')
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise FaultError(f"{key} is {'a text' if known[key] is str else 'a whole number'}, not {value!r}.")
    if "account" in given and not re.fullmatch(r"\d{12}", given["account"]):
        raise FaultError(f'account is a number of 12 digits, not "{given["account"]}".')
    if given.get("count", 1) < 1:
        raise FaultError("count is a whole number from 1.")
    return given


def _parsed(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FaultError(f"The body is not JSON: {error}.") from None
