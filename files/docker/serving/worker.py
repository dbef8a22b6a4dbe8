# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that owns the model, the bounded queue in front of it, and the truth about its health.

Micro-batching belongs here: `_answer` takes one request at a time, and a handler's `inference` takes lists already.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from serving import log
from serving.errors import ModelLoadError, RequestError
from serving.protocol import InvocationRequest, encode_predictions
from serving.settings import Settings


class Handler(Protocol):
    """What `model_handler.ModelHandler` offers."""

    EXAMPLE: ClassVar[dict[str, Any]]

    def initialize(self, context: Settings) -> None: ...

    def inference(self, inputs: Any, parameters: dict[str, Any]) -> list[Any]: ...


@dataclass(frozen=True)
class Health:
    """Whether the model answers, and if not, why: a code for programs and a sentence for people."""

    healthy: bool
    code: str = ""
    reason: str = ""


LOADING = Health(False, "ModelNotReady", "The model is loading; it has not answered its first request yet.")
HEALTHY = Health(True)


@dataclass
class _Job:
    request: InvocationRequest
    answer: Future[bytes] = field(default_factory=Future)


class Worker:
    """Runs a handler in one thread. Requests wait in a queue of limited length and are answered in order."""

    def __init__(self, handler: Callable[[], Handler], settings: Settings, on_start_failed: Callable[[], None]) -> None:
        """Make the worker; `start` starts it.

        Args:
            handler: makes the handler. It is called in the worker's thread, since importing one may take seconds.
            settings: handed to the handler as its context.
            on_start_failed: called in the worker's thread, after the reason was logged.
        """
        self._make_handler = handler
        self._settings = settings
        self._on_start_failed = on_start_failed
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Those that are being read, wait or run. Only the event loop changes it, so it needs no lock.
        self.requests_in_progress = 0
        self._health = LOADING
        self._busy_since: float | None = None
        self._checking = False
        # True where the thread ended because the model could not be loaded.
        self.failed_to_start = False
        # A daemon: an inference that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start to load the model; `health` tells when it has answered its example request."""
        self._thread.start()

    def health(self) -> Health:
        """Whether the model answers now. Where it failed, asks it again, so that a passing fault mends itself."""
        busy_since, limit = self._busy_since, self._settings.request_timeout
        if busy_since is not None and time.monotonic() - busy_since > limit:
            return Health(False, "ModelNotResponding", f"The model has been at one request for over {limit:g} seconds.")
        if self._health is not LOADING and not self._health.healthy and not self._checking:
            self._checking = True
            self._jobs.put(None)
        return self._health

    def admit(self) -> None:
        """Take one of the places for requests, or refuse. Whoever takes one gives it back with `release`.

        Raises:
            RequestError: 503 where the model is not ready, 429 where the queue is full.
        """
        health = self.health()
        if not health.healthy:
            raise RequestError(503, health.code, health.reason, (("retry-after", "1"),))
        # One more than the queue holds: the request that runs does not wait.
        if self.requests_in_progress > self._settings.queue_size:
            raise RequestError(
                429,
                "TooManyRequests",
                f"{self._settings.queue_size} requests are waiting already; try again in a moment.",
                (("retry-after", "1"),),
            )
        self.requests_in_progress += 1

    def release(self) -> None:
        """Give a place back."""
        self.requests_in_progress -= 1

    async def answer(self, request: InvocationRequest) -> bytes:
        """Have the model answer a request, in its turn. Cancelled while it waits, it is never run.

        Returns:
            The body of the answer.

        Raises:
            RequestError: the caller's mistake (400), or the model's (500).
        """
        job = _Job(request)
        self._jobs.put(job)
        return await asyncio.wrap_future(job.answer)

    def _run(self) -> None:
        started = time.monotonic()
        try:
            handler = self._make_handler()
            handler.initialize(self._settings)
            loaded = time.monotonic()
            self._answer_example(handler)
        except BaseException as error:
            # BaseException: a library that calls sys.exit() must not leave a server that waits for ever.
            reason = str(error) if isinstance(error, ModelLoadError) else f"{type(error).__name__}: {error}"
            # The text may be told here: no caller has sent anything yet.
            details = {} if isinstance(error, ModelLoadError) else log.describe(error)
            log.error("model_load_failed", message=" ".join(reason.split()), **details)
            self._health = Health(False, "ModelNotReady", "The model could not be loaded; the log has the reason.")
            self.failed_to_start = True
            self._on_start_failed()
            return
        self._health = HEALTHY
        log.info(
            "model_ready",
            load_seconds=round(loaded - started, 3),
            first_answer_seconds=round(time.monotonic() - loaded, 3),
        )
        while True:
            job = self._jobs.get()
            self._busy_since = time.monotonic()
            if job is None:
                self._check(handler)
            elif job.answer.set_running_or_notify_cancel():
                self._answer(handler, job)
            self._busy_since = None

    def _answer(self, handler: Handler, job: _Job) -> None:
        try:
            predictions = handler.inference(job.request.inputs, job.request.parameters)
            job.answer.set_result(encode_predictions(predictions))
        except RequestError as error:
            job.answer.set_exception(error)
        except BaseException as error:
            log.error("inference_failed", **log.describe(error))
            # Asked before the caller is told, so that /ping knows by then whether it was this request or the model.
            self._check(handler)
            job.answer.set_exception(
                RequestError(500, "ModelError", "The model failed at this request; the log has the reason.")
            )

    def _check(self, handler: Handler) -> None:
        """Ask the model for its example again, and set health by whether it answers."""
        before = self._health
        try:
            self._answer_example(handler)
            self._health = HEALTHY
        except BaseException as error:
            self._health = Health(
                False, "ModelFailed", f"The model no longer answers its example request ({type(error).__name__})."
            )
        finally:
            self._checking = False
        if before.healthy != self._health.healthy:
            log.warning("health_changed", healthy=self._health.healthy, reason=self._health.reason)

    def _answer_example(self, handler: Handler) -> None:
        example = handler.EXAMPLE
        encode_predictions(handler.inference(example["inputs"], example.get("parameters", {})))
