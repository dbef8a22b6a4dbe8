# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of the status page's pages, written and read in one place. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from ..aws.caller import Caller

FRONT = "/"
PREFIX = "/_local_cloud/ui"
ICON = "/favicon.ico"


@dataclass(frozen=True)
class PageOf:
    """A page about the whole cloud: "overview", "endpoints", "models", "calls" or "cloud log"."""

    name: str


@dataclass(frozen=True)
class PageOfEndpoint:
    """The page of one endpoint."""

    caller: Caller
    endpoint: str


@dataclass(frozen=True)
class PageOfLog:
    """The page of one container's log."""

    caller: Caller
    endpoint: str
    container_id: str


def read(path: str) -> PageOf | PageOfEndpoint | PageOfLog | None:
    """The page at a path, None where there is none. path: decoded, as a server hands it over."""
    if path == FRONT or path.rstrip("/") == PREFIX:
        return PageOf("overview")
    match path.removeprefix(PREFIX + "/").rstrip("/").split("/"):
        case ["endpoints" | "models" | "calls" as name]:
            return PageOf(name)
        case ["logs"] | ["logs", "cloud"]:
            return PageOf("cloud log")
        case ["endpoints", account, region, endpoint_name]:
            return PageOfEndpoint(Caller(account, region), endpoint_name)
        case ["logs", account, region, endpoint_name, container_id]:
            return PageOfLog(Caller(account, region), endpoint_name, container_id)
    return None


def endpoints() -> str:
    return f"{PREFIX}/endpoints"


def endpoint(caller: Caller, name: str) -> str:
    return _join("endpoints", caller.account, caller.region, name)


def models() -> str:
    return f"{PREFIX}/models"


def calls(**query: str | int) -> str:
    """query: what to show; empty values are left out."""
    chosen = {key: value for key, value in query.items() if value}
    return f"{PREFIX}/calls" + (f"?{urlencode(chosen)}" if chosen else "")


def cloud_log() -> str:
    return f"{PREFIX}/logs/cloud"


def container_log(caller: Caller, name: str, container_id: str) -> str:
    return _join("logs", caller.account, caller.region, name, container_id)


def _join(*parts: str) -> str:
    return "/".join((PREFIX, *(quote(part, safe="") for part in parts)))
