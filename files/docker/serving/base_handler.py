# SPDX-License-Identifier: GPL-3.0-or-later
"""A handler for a model of one's own: two methods, one request at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from serving.errors import InputError
from serving.handler import RawAnswer, Request, Row
from serving.settings import Settings


class BaseHandler:
    """Write `load` and `predict`, and give an `EXAMPLE`.

    Requests are not batched, since only the model's author knows what may go together: one request is one row. A model
    that gains from batches is a `serving.handler.Handler` of its own.
    """

    # A request that the model must answer before /ping turns 200, such as {"inputs": ["some text"]}.
    EXAMPLE: ClassVar[Mapping[str, Any] | None] = None

    content_types: Sequence[str] = ()

    # True where `predict` may be called in several threads at a time.
    concurrent = False

    def load(self, context: Settings) -> None:
        """Load the model. `context.model_dir` is where its files are; the rest is in settings.py."""

    def predict(self, inputs: Any, parameters: Mapping[str, Any]) -> list[Any] | RawAnswer:
        """Answer one request with a list: one entry for each input, in their order.

        Raises:
            InputError: the caller's mistake, in a sentence; answered with 400. Anything else raised is answered with
                500, and its text is kept from the caller.
        """
        raise NotImplementedError

    # What the server calls.

    def initialize(self, context: Settings) -> None:
        self.load(context)

    def example(self) -> Request | None:
        if self.EXAMPLE is None:
            return None
        return Request(self.EXAMPLE["inputs"], self.EXAMPLE.get("parameters", {}))

    def preprocess(self, request: Request) -> Sequence[Row]:
        # A group that no other row has.
        return [Row(request, group=object())]

    def inference(self, rows: Sequence[Row], threads: int) -> Sequence[Any]:
        return [self.predict(row.payload.inputs, row.payload.parameters) for row in rows]

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> list[Any] | RawAnswer:
        answer: list[Any] | RawAnswer = outputs[0]
        return answer


__all__ = ["BaseHandler", "InputError", "RawAnswer"]
