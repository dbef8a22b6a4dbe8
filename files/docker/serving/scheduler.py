# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads that run the model, and the bounded queue in front of them.

A thread that is free takes the next batch itself, without a turn of the event loop between two batches. Whatever is
shared is changed under one lock, which is never held while a handler runs.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from serving import log
from serving.batching import Limits, Queue, due_times, share
from serving.errors import ModelLoadError, RequestError
from serving.handler import Handler, RawAnswer, Request, Row
from serving.health import Health, HealthMonitor
from serving.jobs import Job, Place, Result, answer, answer_example, infer, row_of, told
from serving.metrics import Metrics
from serving.settings import Settings

# Under load the event loop has little to do but must do it at once; the threads that compute can always wait.
NICENESS = 5

# Rows of one request are due this many times the time one row takes apart: another caller's row goes between them.
_STEPS_PER_ROW = 2.0


class Scheduler:
    """Runs a handler in threads: one that loads it, and as many more as may run batches beside each other."""

    def __init__(
        self,
        make_handler: Callable[[], Handler],
        settings: Settings,
        metrics: Metrics,
        on_start_failed: Callable[[], None],
    ) -> None:
        """Make the scheduler; `start` starts it.

        Args:
            make_handler: called in the first thread, since importing a handler may take seconds.
            on_start_failed: called in that thread, after the reason was logged.
        """
        self._make_handler = make_handler
        self._settings = settings
        self._metrics = metrics
        self._on_start_failed = on_start_failed
        self._monitor = HealthMonitor(settings.request_timeout)
        self._lock = threading.Lock()
        # Two things to wait for under the one lock: that there is anything to do, and that a batch fills up.
        self._changed = threading.Condition(self._lock)
        self._filled = threading.Condition(self._lock)
        self._queue: Queue[tuple[Job, int]] = Queue()
        self._limits = Limits()
        self._hold = settings.batch_wait_ms / 1000
        self._workers = 1
        self._idle = 0
        self._filling = 0
        # How many requests the last batch answered, and until when their callers' next ones are waited for.
        self._answered = 0
        self._answered_until = 0.0
        self._check_wanted = False
        self._seconds_per_row = 0.001
        # Requests of which some rows still wait, and those that are not answered.
        self._waiting = 0
        self.in_progress = 0
        self.handler: Handler
        # True where the model could not be loaded.
        self.failed_to_start = False
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Start to load the model; `health` tells when it has answered its example."""
        # Daemons: an inference that hangs must not keep the process from ending.
        threading.Thread(target=self._load_and_work, name="model-0", daemon=True).start()

    @property
    def gauges(self) -> dict[str, tuple[str, float]]:
        """What is true now, for the metrics."""
        return {
            "serving_rows_waiting": ("Rows that wait for a batch.", len(self._queue)),
            "serving_batches_running": ("Batches that run.", self._monitor.running),
            "serving_requests_in_progress": ("Requests that are not answered yet.", self.in_progress),
            "serving_healthy": ("1 where /ping says 200.", float(self.health().healthy)),
        }

    def health(self) -> Health:
        """Whether the model answers now. Where it failed, it is asked again, so that a passing fault mends itself."""
        if self._monitor.has_failed:
            with self._lock:
                self._check_wanted = True
                self._changed.notify()
        return self._monitor.health(time.monotonic())

    def check_admission(self, rows: int = 0) -> None:
        """Refuse a request that cannot be taken now.

        Raises:
            RequestError: 503 where the model is not ready, 429 where the queue is full.
        """
        health = self.health()
        if not health.healthy:
            raise RequestError(503, health.code, health.reason, (("retry-after", "1"),))
        size, most = self._settings.queue_size, self._settings.queue_rows
        if self._waiting >= size + (not self._monitor.running):
            what = f"{size} requests are waiting already"
        elif rows > most:
            raise RequestError(400, "InvalidRequest", f"The request comes to {rows} rows; at most {most} are taken.")
        elif rows and len(self._queue) + rows > most:
            what = f"{len(self._queue)} rows are waiting already"
        else:
            return
        raise RequestError(429, "TooManyRequests", f"{what}; try again in a moment.", (("retry-after", "1"),))

    def submit(self, request: Request, rows: Sequence[Row]) -> Job:
        """Let a request wait for the model; `Job.answer` will have the answer. Called on the event loop.

        Raises:
            RequestError: what check_admission says.
        """
        if not rows:
            raise ValueError("preprocess() gave no rows")
        self.check_admission(len(rows))
        self._loop = asyncio.get_running_loop()
        job = Job(request, rows, self._loop.create_future(), time.monotonic())
        step = _STEPS_PER_ROW * self._seconds_per_row
        with self._lock:
            for index, due in enumerate(due_times(job.arrived, len(rows), step)):
                row = rows[index]
                job.places.append(self._queue.add((job, index), due, row.length, row.group))
            self._waiting += 1
            self.in_progress += 1
            if self._filling:
                if self._waiting >= self._answered:
                    self._filled.notify()
            elif self._idle:
                self._changed.notify()
        return job

    def finish(self, job: Job) -> None:
        """Forget a request that was answered or given up; what still waits of it is never run."""
        with self._lock:
            self.in_progress -= 1
            if job.queued:
                self._drop(job)
            # Each place refers to its job: without this only the garbage collector would free the two, and the texts.
            job.places = []

    def _drop(self, job: Job) -> None:
        job.failed = True
        if job.queued:
            self._queue.discard(job.places)
            job.queued = 0
            self._waiting -= 1

    # In the inference threads.

    def _load_and_work(self) -> None:
        started = time.monotonic()
        try:
            self.handler = self._make_handler()
            self.handler.initialize(self._settings)
            loaded = time.monotonic()
            answer_example(self.handler, self._settings.threads)
        except BaseException as error:
            # BaseException: a library that calls sys.exit() must not leave a server that waits for ever.
            reason = str(error) if isinstance(error, ModelLoadError) else f"{type(error).__name__}: {error}"
            # The text may be told here: no caller has sent anything yet.
            details = {} if isinstance(error, ModelLoadError) else log.describe(error)
            log.error("model_load_failed", message=" ".join(reason.split()), **details)
            self._monitor.not_loaded()
            self.failed_to_start = True
            self._on_start_failed()
            return
        self._limits = _limits(self.handler, self._settings)
        self._workers = self._settings.threads if self.handler.concurrent else 1
        for number in range(1, self._workers):
            threading.Thread(target=self._work, name=f"model-{number}", daemon=True).start()
        self._monitor.answered()
        log.info(
            "model_ready",
            load_seconds=round(loaded - started, 3),
            first_answer_seconds=round(time.monotonic() - loaded, 3),
        )
        self._work()

    def _work(self) -> None:
        _be_nice()
        while True:
            try:
                batch, threads = self._next_batch()
                try:
                    if batch:
                        self._run(batch, threads)
                    else:
                        self._check()
                finally:
                    self._monitor.run_ended()
            except BaseException as error:
                # What a handler raises does not arrive here. A fault of ours must not cost a thread; /ping tells it.
                log.error("server_failed", **log.describe(error))
                self._monitor.failed(error)

    def _next_batch(self) -> tuple[list[Place], int]:
        """Wait for a batch. Returns it and the threads it may use; an empty one where the example is to be asked."""
        with self._lock:
            while not self._check_wanted:
                if not len(self._queue):
                    self._idle += 1
                    self._changed.wait()
                    self._idle -= 1
                elif (seconds := self._seconds_to_fill()) > 0:
                    self._filling += 1
                    self._filled.wait(seconds)
                    self._filling -= 1
                else:
                    break
            now = time.monotonic()
            limits = share(self._limits, self._queue.tokens, self._idle + 1)
            batch = [] if self._check_wanted else self._queue.take(limits)
            alone = not self._monitor.running and not len(self._queue)
            self._monitor.run_started(now)
            self._check_wanted = False
            for place in batch:
                job = place.item[0]
                if job.started is None:
                    job.started = now
                job.queued -= 1
                if not job.queued:
                    self._waiting -= 1
            if len(self._queue) and self._idle:
                self._changed.notify()
        return batch, self._settings.threads if alone else 1

    def _seconds_to_fill(self) -> float:
        """How long to wait for a batch to fill: while those who were just answered come back with their next request.

        Nobody waits while no other batch runs, and a lone caller's request never waits: it is as many as were answered.
        """
        if not self._monitor.running or self._waiting >= self._answered or len(self._queue) >= self._limits.rows:
            return 0.0
        return self._answered_until - time.monotonic()

    def _run(self, batch: list[Place], threads: int) -> None:
        started = time.monotonic()
        rows = [row_of(place) for place in batch]
        try:
            outputs = infer(self.handler, rows, threads)
        except BaseException as error:
            results = self._run_apart(batch, error)
        else:
            seconds = time.monotonic() - started
            self._measure(batch, threads, started, seconds)
            results = [(job, answer(self.handler, job)) for job in self._store(batch, outputs)]
        bad = [result for result in results if isinstance(result[1], BaseException)]
        if any(not isinstance(error, RequestError) for _, error in bad):
            self._deliver([result for result in results if result not in bad])
            # Asked before the callers are told, so that /ping knows by then whether it was a request or the model.
            self._check()
            results = bad
        # Before they are told, too: a lone caller's next request must find the server idle.
        self._monitor.run_ended()
        self._deliver(results)

    def _run_apart(self, batch: list[Place], error: BaseException) -> list[Result]:
        """A batch failed: run the rows of each of its requests alone, once, so that only the one at fault fails."""
        by_job: dict[Job, list[Place]] = {}
        for place in batch:
            by_job.setdefault(place.item[0], []).append(place)
        results: list[Result] = []
        for job, places in by_job.items():
            try:
                if len(by_job) == 1:
                    raise error
                self._monitor.run_started(time.monotonic())
                outputs = infer(self.handler, [row_of(place) for place in places], 1)
                results += [(job, answer(self.handler, job)) for job in self._store(places, outputs)]
            except BaseException as failure:
                with self._lock:
                    self._drop(job)
                results.append((job, told(failure)))
        return results

    def _store(self, batch: Sequence[Place], outputs: Sequence[Any]) -> list[Job]:
        """Hand outputs to their requests. Returns the requests that are complete by that and still wanted."""
        complete = []
        with self._lock:
            for place, output in zip(batch, outputs, strict=True):
                job, index = place.item
                job.outputs[index] = output
                job.missing -= 1
                if not job.missing and not job.failed:
                    complete.append(job)
        return complete

    def _deliver(self, results: list[Result]) -> None:
        if results:
            with self._lock:
                self._answered = len(results)
                self._answered_until = time.monotonic() + self._hold
            self._loop.call_soon_threadsafe(_set_results, results)

    def _measure(self, batch: list[Place], threads: int, started: float, seconds: float) -> None:
        lengths = [place.length for place in batch]
        waited = started - batch[0].item[0].arrived
        per_row = seconds / len(batch) / self._workers
        self._seconds_per_row += 0.1 * (min(1.0, max(1e-5, per_row)) - self._seconds_per_row)
        self._metrics.batch(lengths, seconds, waited)
        if log.enabled("debug"):
            log.debug(
                "batch",
                rows=len(batch),
                length=max(lengths),
                tokens=sum(lengths),
                threads=threads,
                milliseconds=round(seconds * 1000, 2),
                wait_milliseconds=round(waited * 1000, 2),
            )

    def _check(self) -> None:
        """Ask the model for its example again, and set health by whether it answers."""
        self._monitor.run_started(time.monotonic())
        try:
            answer_example(self.handler, self._settings.threads)
            self._monitor.answered()
        except BaseException as error:
            self._monitor.failed(error)


def _limits(handler: Handler, settings: Settings) -> Limits:
    """How large batches may be: as the environment says, else as the handler asks, else the defaults."""
    usual = Limits()
    tokens = settings.max_batch_tokens or getattr(handler, "batch_tokens", None) or usual.tokens
    return Limits(
        rows=settings.max_batch_size or getattr(handler, "batch_rows", None) or usual.rows,
        tokens=tokens,
        # What is busy only with many tokens, as a GPU is, loses little by padding.
        padding=max(usual.padding, tokens * usual.padding // usual.tokens),
        overtake=max(usual.overtake, tokens * usual.overtake // usual.tokens),
    )


def _set_results(results: list[Result]) -> None:
    """On the event loop: wake the requests whose answers are there."""
    for job, result in results:
        if job.answer.done():
            # Given up meanwhile. A stream that was not begun is told so.
            if isinstance(result, RawAnswer):
                getattr(result.chunks, "close", lambda: None)()
            continue
        if isinstance(result, RequestError):
            job.answer.set_exception(result)
        elif isinstance(result, BaseException):
            job.answer.set_exception(
                RequestError(500, "ModelError", "The model failed at this request; the log has the reason.")
            )
        else:
            job.answer.set_result(result)


def _be_nice() -> None:
    # On Linux the priority belongs to the thread, and threads that it starts inherit it.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
