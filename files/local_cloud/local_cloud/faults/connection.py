# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP protocol whose application can close the connection without an answer, for which ASGI has no word."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .extensions import CLOSE, STOPPING


class DroppableHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with two more things in a scope's "extensions".

    "local_cloud.close"() sends what is written so far and closes the connection. "local_cloud.stopping" is an
    asyncio.Event that is set when the server is told to stop.
    """

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stopping = asyncio.Event()
        extensions: Any = {CLOSE: self.transport.close, STOPPING: self._stopping}
        self.scope["extensions"] = extensions

    def shutdown(self) -> None:
        if self.scope is not None:
            self._stopping.set()
        super().shutdown()
