# SPDX-License-Identifier: GPL-3.0-or-later
"""Stateful sessions: which container a session's requests go to.

"SageMaker AI routes the request to the same instance that supports the session", InvokeEndpoint's SessionId. The
session itself is the model's: it makes the id and its expiry, and tells both in a header.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from .requests import RuntimeRequest

_REMEMBERED = 10_000

_Key = tuple[str, str, str, str]


class Sessions:
    """Open sessions and their containers. The oldest are forgotten first, and then go to any container."""

    def __init__(self) -> None:
        self._containers: OrderedDict[_Key, str] = OrderedDict()

    def container_of(self, request: RuntimeRequest) -> str | None:
        """The container that has the request's session, if it belongs to one that is known."""
        session = request.parameters.get("SessionId")
        return self._containers.get(_key(request, session)) if session else None

    def follow(self, request: RuntimeRequest, headers: Mapping[str, str], container_id: str | None) -> None:
        """Learn from an answer which session was opened or closed. headers: the container's, in lower case."""
        opened = headers.get("x-amzn-sagemaker-new-session-id", "").partition(";")[0].strip()
        if opened and container_id:
            self._containers[_key(request, opened)] = container_id
            if len(self._containers) > _REMEMBERED:
                self._containers.popitem(last=False)
        if closed := headers.get("x-amzn-sagemaker-closed-session-id", "").strip():
            self._containers.pop(_key(request, closed), None)


def _key(request: RuntimeRequest, session: str) -> _Key:
    return request.caller.account, request.caller.region, request.endpoint_name, session
