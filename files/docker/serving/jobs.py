# SPDX-License-Identifier: GPL-3.0-or-later
"""One request on its way through a handler: from rows to outputs to an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from serving import log
from serving.batching import Waiting
from serving.errors import RequestError
from serving.handler import Handler, RawAnswer, Request, Row
from serving.protocol import encode_predictions

# What is sent: the encoded predictions, or what the handler made itself.
Answer = bytes | RawAnswer


class Job:
    """One request on its way through the model."""

    __slots__ = ("answer", "arrived", "failed", "missing", "outputs", "places", "queued", "request", "rows", "started")

    def __init__(self, request: Request, rows: Sequence[Row], answer: asyncio.Future[Answer], now: float) -> None:
        self.request = request
        self.rows = rows
        self.answer = answer
        self.arrived = now
        self.outputs: list[Any] = [None] * len(rows)
        # How many outputs are still to come, and how many rows still wait.
        self.missing = self.queued = len(rows)
        self.places: list[Waiting[tuple[Job, int]]] = []
        # When its first row was taken out of the queue.
        self.started: float | None = None
        self.failed = False


Place = Waiting[tuple[Job, int]]
Result = tuple[Job, Answer | BaseException]


def row_of(place: Place) -> Row:
    """The row that stands at a place in the queue."""
    job, index = place.item
    return job.rows[index]


def infer(handler: Handler, rows: Sequence[Row], threads: int) -> Sequence[Any]:
    """Run one batch. Raises what the handler raises, and ValueError where outputs are missing or too many."""
    outputs = handler.inference(rows, threads)
    if len(outputs) != len(rows):
        raise ValueError(f"inference() gave {len(outputs)} outputs for {len(rows)} rows")
    return outputs


def answer(handler: Handler, job: Job) -> Answer | BaseException:
    """The answer of a request whose outputs are all there, or why there is none."""
    try:
        for output in job.outputs:
            if isinstance(output, BaseException):
                raise output
        return _encoded(handler.postprocess(job.request, job.rows, job.outputs))
    except BaseException as error:
        return told(error)


def answer_example(handler: Handler, threads: int) -> None:
    """Send the handler's example through all of the handler. Raises whatever goes wrong."""
    request = handler.example()
    if request is None:
        return
    rows = handler.preprocess(request)
    outputs: list[Any] = [None] * len(rows)
    for group in dict.fromkeys(row.group for row in rows):
        indices = [index for index, row in enumerate(rows) if row.group == group]
        found = infer(handler, [rows[index] for index in indices], threads)
        for index, output in zip(indices, found, strict=True):
            if isinstance(output, BaseException):
                raise output
            outputs[index] = output
    made = _encoded(handler.postprocess(request, rows, outputs))
    if isinstance(made, RawAnswer) and made.chunks is not None:
        next(made.chunks)
        getattr(made.chunks, "close", lambda: None)()


def told(error: BaseException) -> BaseException:
    """What a caller is told of an error. One that is not meant for callers is logged."""
    if not isinstance(error, RequestError):
        log.error("inference_failed", **log.describe(error))
    return error


def _encoded(made: list[Any] | RawAnswer) -> Answer:
    return made if isinstance(made, RawAnswer) else encode_predictions(made)
