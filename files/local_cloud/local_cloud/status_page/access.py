# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read the status page: a browser on this machine that named this machine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from . import paths

_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
# What the front page understands; with any other query, GET / is a question to S3.
_FRONT_QUERY = frozenset({"refresh"})


def is_local_host(headers: Mapping[str, str]) -> bool:
    """Whether the Host header names this machine, with any port or none.

    A web page whose own host name was made to resolve to 127.0.0.1 (DNS rebinding) reads what it likes from there,
    but it cannot change the Host that its reader's browser sends. headers: names in lower case.
    """
    host = headers.get("host", "")
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and name:
        host = name
    return host.lower() in _LOCAL_HOSTS


def is_for_page(method: str, path: str, query: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is one for the status page. headers: names in lower case.

    GET / is S3's ListBuckets where it is signed, and a bucket's listing where the host name is the bucket's.
    """
    if path == paths.PREFIX or path.startswith(paths.PREFIX + "/"):
        return True
    if path == paths.ICON:
        # A browser asks for it next to whatever it shows that names no icon; in the call log it would look like a
        # bucket that is missing.
        return headers.get("sec-fetch-dest") == "image" and "authorization" not in headers
    return (
        path == paths.FRONT
        and method in ("GET", "HEAD")
        and "text/html" in headers.get("accept", "").lower()
        and "authorization" not in headers
        and set(parse_qs(query, keep_blank_values=True)) <= _FRONT_QUERY
        and is_local_host(headers)
    )
