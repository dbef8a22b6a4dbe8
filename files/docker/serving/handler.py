# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the server and a model: what a handler is asked, and what it answers.

The server knows HTTP, queues and threads. A handler knows what a request means. Between them go rows: a request is cut
into rows, rows of several requests run together as one batch, and the outputs go back to the request they came from.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from serving.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read and checked as far as the server can.

    `inputs` and `parameters` come from a JSON body. For another content type, which only some handlers take, `inputs`
    is the body's bytes and `parameters` is empty.
    """

    inputs: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)
    content_type: str = "application/json"
    accept: str = "application/json"
    # The body as it came, for handlers that decode it themselves.
    body: bytes = b""
    # True where the caller asked for the answer in pieces: `"stream": true` in the body.
    stream: bool = False

    @property
    def count(self) -> int:
        """How many inputs it holds: the length of a list, else one."""
        return len(self.inputs) if isinstance(self.inputs, list) else 1


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work for the model.

    `length` is what it costs relative to others (tokens, for text): rows of like length go together. Rows of different
    `group` never share a batch.
    """

    payload: Any
    length: int = 1
    group: Hashable = None


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer that is not `{"predictions": [...]}`: sent as it is. With `chunks` it is sent piece by piece."""

    body: bytes = b""
    content_type: str = "application/json"
    chunks: Iterator[bytes] | None = None
    # Another success than 200, such as 204. Errors are raised as a RequestError.
    status: int = 200


class Handler(Protocol):
    """What the server asks of a model. `inference` is called in several threads at once if `concurrent` says so.

    Three more attributes may be there once `initialize` has returned:
    raw (bool): True has the body given unparsed, JSON too: `Request.inputs` is None, `body` the bytes, and
        `content_type` and `accept` are the headers as sent.
    batch_rows, batch_tokens (int): how large a batch may be where the environment does not say: the most rows, and the
        most rows × longest row.
    """

    @property
    def content_types(self) -> Sequence[str]:
        """Other content types than application/json that `preprocess` takes, such as "image/png"; "*/*" takes all."""
        ...

    @property
    def concurrent(self) -> bool:
        """True where `inference` may run in several threads at a time."""
        ...

    def initialize(self, context: Settings) -> None:
        """Load the model.

        Raises:
            ModelLoadError: it cannot be served.
        """
        ...

    def example(self) -> Request | None:
        """A request that the model must answer before /ping turns 200; None where none can be made up."""
        ...

    def preprocess(self, request: Request) -> Sequence[Row]:
        """Cut a request into rows, at least one. Must be quick and thread-safe; big bodies are given to a thread.

        Raises:
            InputError: the caller's mistake.
        """
        ...

    def inference(self, rows: Sequence[Row], threads: int) -> Sequence[Any]:
        """Run one batch. All rows are of one group.

        Args:
            threads: how many processor threads this run may use: 1 while other batches run beside it.

        Returns:
            One output for each row, in order. An output that is an Exception fails the request of that row alone.
        """
        ...

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> list[Any] | RawAnswer:
        """Make the answer of a request from the outputs of its rows: a list of predictions, one for each input."""
        ...
