# SPDX-License-Identifier: GPL-3.0-or-later
"""ECR as a whole: its API, its registry, and the clearing up behind them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from ..aws.caller import Caller
from ..aws.json_protocol import Response
from ..ministack_backend import Ministack
from ..settings import Settings
from .operations import EcrOperations
from .registry import EcrRegistry
from .repositories import Repositories
from .tokens import Tokens
from .uploads import Uploads

_CLEAR_UP_SECONDS = 600.0

logger = logging.getLogger("local_cloud.ecr")


class Ecr:
    """operations answers the API calls that are ours, registry what Docker asks, tokens reads who Docker is."""

    def __init__(self, settings: Settings, ministack: Ministack) -> None:
        self._store = ministack.images
        self._uploads = Uploads(self._store)
        repositories = Repositories(ministack, self._store)
        self.tokens = Tokens(settings.ecr_dir)
        self.operations = EcrOperations(settings, repositories, self._store, self._uploads, self.tokens)
        self.registry = EcrRegistry(repositories, self._store, self._uploads, self.tokens)
        self._clearing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to remove layers that nothing needs."""
        self._clearing = asyncio.create_task(self._clear_up_now_and_then())

    def close(self) -> None:
        if self._clearing is not None:
            self._clearing.cancel()
        self._store.close()

    async def handle(self, caller: Caller, operation: str, body: bytes, *, access_key: str | None = None) -> Response:
        """Answer one of `routing.OUR_ECR_OPERATIONS`."""
        return await self.operations.handle(caller, operation, body, access_key=access_key)

    async def _clear_up_now_and_then(self) -> None:
        while True:
            try:
                self._uploads.expire()
                await asyncio.to_thread(_delete, self._store.collect_garbage())
            except Exception:
                logger.exception("what no image needs could not be removed")
            await asyncio.sleep(_CLEAR_UP_SECONDS)


def _delete(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
