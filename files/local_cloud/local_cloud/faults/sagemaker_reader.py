# SPDX-License-Identifier: GPL-3.0-or-later
"""Describes SageMaker's resources for the faults, as a client would, but past every fault and policy."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ..aws.caller import Caller
from ..aws.json_protocol import Response

# Kind of a resource -> the operation that describes it, and that one's parameter.
DESCRIBES = {
    "endpoint": ("DescribeEndpoint", "EndpointName"),
    "endpointconfig": ("DescribeEndpointConfig", "EndpointConfigName"),
    "model": ("DescribeModel", "ModelName"),
}


class SageMakerReader:
    """handle: the control plane's, given a caller, an operation and a body."""

    def __init__(self, handle: Callable[[Caller, str, bytes], Awaitable[Response]]) -> None:
        self._handle = handle

    async def answer(self, caller: Caller, kind: str, name: str) -> Response:
        """What the control plane answers, a refusal included."""
        operation, parameter = DESCRIBES[kind]
        return await self._handle(caller, operation, json.dumps({parameter: name}).encode())

    async def read(self, caller: Caller, kind: str, name: str) -> dict[str, Any]:
        """The description; {} where there is no such thing."""
        response = await self.answer(caller, kind, name)
        content: dict[str, Any] = json.loads(response.body) if response.status == 200 else {}
        return content
