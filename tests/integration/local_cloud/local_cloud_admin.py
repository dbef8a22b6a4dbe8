# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to a local cloud's own pages: arms faults, and makes things happen to endpoints."""

from __future__ import annotations

import http.client
import json
from typing import Any

from local_cloud_process import LocalCloud


def tell(cloud: LocalCloud, method: str, page: str, content: Any = None) -> Any:
    """Send JSON to a page below /_local_cloud/ and return its answer, which must be a good one."""
    status, answer = ask(cloud, method, page, content)
    assert status == 200, answer
    return answer


def ask(cloud: LocalCloud, method: str, page: str, content: Any = None) -> tuple[int, Any]:
    """The same, with whatever status it has."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    body = None if content is None else json.dumps(content)
    connection.request(method, f"/_local_cloud/{page}", body, {"content-type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def arm(cloud: LocalCloud, kind: str, endpoint: str, **more: Any) -> None:
    """Arm a fault that strikes the endpoint once."""
    tell(cloud, "POST", "faults", {"kind": kind, "resource": endpoint, **more})
