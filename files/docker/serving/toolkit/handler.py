# SPDX-License-Identifier: GPL-3.0-or-later
"""The handler of the runtime `toolkit`. It imports nothing heavy until it is told to load a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.handler import Handler, RawAnswer, Request, Row
from serving.hub import locate_model
from serving.settings import Settings
from serving.toolkit.requirements import install_requirements


class ToolkitHandler:
    """Serves a model directory: by the user's functions where it has `code/inference.py`, else by a pipeline."""

    def __init__(self) -> None:
        self._handler: Handler | None = None

    def initialize(self, context: Settings) -> None:
        """Find the model, install what its code needs, and load it.

        Raises:
            ModelLoadError: there is no model, pip failed, or the model cannot be served.
        """
        path = locate_model(context, weights=True).path
        install_requirements(path / "code")
        # Imported after pip ran, so that packages of the user's are the ones that are found.
        from serving.toolkit.pipelines import PipelineHandler
        from serving.toolkit.user_code import UserCodeHandler, has_user_code

        handler = UserCodeHandler(path) if has_user_code(path, context) else PipelineHandler(path)
        handler.initialize(context)
        self._handler = handler

    @property
    def content_types(self) -> Sequence[str]:
        """What the model takes beside JSON: everything where the user's functions read the body."""
        return self._loaded.content_types

    @property
    def concurrent(self) -> bool:
        """Whether batches may run beside each other: pipelines on a processor, one thread each."""
        return self._loaded.concurrent

    @property
    def batch_rows(self) -> int | None:
        """The most rows in a batch, or None for the server's own default."""
        return getattr(self._loaded, "batch_rows", None)

    @property
    def batch_tokens(self) -> int | None:
        """The most tokens in a batch, padding included, or None for the server's own default."""
        return getattr(self._loaded, "batch_tokens", None)

    @property
    def raw(self) -> bool:
        """True where the body must reach the handler as it came, JSON included."""
        return getattr(self._loaded, "raw", False)

    def example(self) -> Request | None:
        """A request that the model must answer before it counts as healthy."""
        return self._loaded.example()

    def preprocess(self, request: Request) -> Sequence[Row]:
        """See `serving.handler.Handler`."""
        return self._loaded.preprocess(request)

    def inference(self, rows: Sequence[Row], threads: int) -> Sequence[Any]:
        """See `serving.handler.Handler`."""
        return self._loaded.inference(rows, threads)

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> list[Any] | RawAnswer:
        """See `serving.handler.Handler`."""
        return self._loaded.postprocess(request, rows, outputs)

    @property
    def _loaded(self) -> Handler:
        if self._handler is None:
            raise RuntimeError("initialize() has not been called")
        return self._handler
