# SPDX-License-Identifier: GPL-3.0-or-later
"""A model without code of its own, through transformers' pipeline of its task, in batches across requests."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving import log
from serving.errors import InputError, RequestError
from serving.handler import RawAnswer, Request, Row
from serving.settings import Settings
from serving.toolkit.settings import batch_limits


class PipelineHandler:
    """Serves what a pipeline serves.

    On a processor several batches may run at once, one thread each: with DistilBERT-base on two cores that others use
    too, two batches of one thread gave 1.6 to 20 times the rows of one batch of two threads, because OpenMP's threads
    wait for each other. On a GPU one batch at a time is given to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._streams = itertools.count()

    def initialize(self, context: Settings) -> None:
        """Load the model.

        Raises:
            ModelLoadError: see `tasks.load_task`.
        """
        from serving.toolkit.tasks import load_task
        from serving.toolkit.tasks.generation import GenerationTask, TextGeneration

        self._settings = context
        self.task = load_task(self._path, context)
        on_gpu = self.task.loaded.on_gpu
        limits = batch_limits(on_gpu, isinstance(self.task, GenerationTask))
        self.batch_rows, self.batch_tokens = limits.rows, limits.tokens
        self.concurrent = not on_gpu and not context.torch_compile
        self.content_types: Sequence[str] = self.task.content_types
        self._can_stream = isinstance(self.task, TextGeneration)
        self._places = _Places(context.max_streams)

    def example(self) -> Request | None:
        """A request that the model must answer."""
        return self.task.example()

    def preprocess(self, request: Request) -> list[Row]:
        """Cut a request into rows.

        Raises:
            InputError: the caller's mistake.
        """
        if not request.stream:
            return self.task.rows(request)
        if not self._can_stream:
            raise InputError("stream is for the task text-generation only.")
        rows = self.task.rows(request)
        if len(rows) != 1:
            raise InputError(f"A stream has one input; there are {len(rows)}.")
        for name, most in (("num_beams", 1), ("num_return_sequences", 1)):
            if rows[0].payload.parameters.get(name, most) > most:
                raise InputError(f"{name} must be {most} for a stream.")
        return [Row(rows[0].payload, rows[0].length, ("stream", next(self._streams)))]

    def inference(self, rows: Sequence[Row], threads: int) -> list[Any]:
        """Run a batch. What does not fit into memory is split; a row that the model fails at fails alone."""
        group = rows[0].group
        if isinstance(group, tuple) and group[0] == "stream":
            # A stream is generated while it is read: see postprocess.
            return [None]
        self._use_threads(threads)
        return self._run(rows)

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> list[Any] | RawAnswer:
        """The predictions of a request; a stream where it asks for one.

        Raises:
            RequestError: 429 where SERVING_MAX_STREAMS run already.
        """
        return self._stream(rows[0]) if request.stream else list(outputs)

    def _run(self, rows: Sequence[Row]) -> list[Any]:
        try:
            return self.task.answer(self._pipeline(), rows)
        except Exception as error:
            failure = error.with_traceback(None) if is_out_of_memory(error) else error
        # Outside the except clause, so that the tensors of the batch that failed can be freed.
        if len(rows) == 1:
            return [self._explained(rows[0], failure)]
        if is_out_of_memory(failure):
            self._free_memory(len(rows))
            middle = len(rows) // 2
            return self._run(rows[:middle]) + self._run(rows[middle:])
        return [self._run([row])[0] for row in rows]

    def _explained(self, row: Row, error: Exception) -> Exception:
        """What to answer where the model failed at a row alone."""
        if isinstance(error, RequestError):
            return error
        if is_out_of_memory(error):
            log.error("out_of_memory", length=row.length)
            return InputError("This input is too large for the memory of the endpoint.")
        given = row.payload.parameters
        if given and isinstance(error, ValueError | TypeError | KeyError | AssertionError):
            # transformers checks many combinations itself, and raises these.
            log.warning("parameters_refused", **log.describe(error))
            return InputError("The model does not take these parameters, or not together; the log has the reason.")
        return error

    def _stream(self, row: Row) -> RawAnswer:
        from serving.toolkit.streaming import CONTENT_TYPE, TextStream

        if not self._places.take():
            raise RequestError(
                429,
                "TooManyRequests",
                f"{self._settings.max_streams} streams are being generated; try again in a moment.",
                (("retry-after", "1"),),
            )
        pipeline = self._copy()
        work = row.payload

        def generate(streamer: Any, stop: Any) -> None:
            from transformers import StoppingCriteriaList

            self._use_threads(self._settings.threads if self._places.taken == 1 else 1)
            arguments = {"streamer": streamer, "stopping_criteria": StoppingCriteriaList([stop])}
            self.task.run(pipeline, [work], {**work.parameters, **arguments})

        clean_up = work.parameters.get("clean_up_tokenization_spaces", True)
        stream = TextStream(generate, pipeline.tokenizer, work.item[1], clean_up, on_end=self._places.release)
        return RawAnswer(content_type=CONTENT_TYPE, chunks=stream)

    def _pipeline(self) -> Any:
        """The calling thread's pipeline: fast tokenizers refuse to be used by two threads at once."""
        pipeline = getattr(self._own, "pipeline", None)
        if pipeline is None:
            pipeline = self._own.pipeline = self._copy()
        return pipeline

    def _copy(self) -> Any:
        """A pipeline with a tokenizer of its own. The model's weights are shared."""
        original = self.task.loaded.pipeline
        pipeline = copy.copy(original)
        pipeline.tokenizer = copy.deepcopy(original.tokenizer)
        return pipeline

    def _use_threads(self, threads: int) -> None:
        """Bound the processor threads of what this thread runs; OpenMP keeps the number for each thread."""
        import torch

        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    def _free_memory(self, rows: int) -> None:
        import torch

        log.warning("out_of_memory_split", rows=rows)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class _Places:
    """How many streams are generated, and how many may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> bool:
        """Take a place; False where there is none."""
        with self._lock:
            if self.taken >= self._most:
                return False
            self.taken += 1
            return True

    def release(self) -> None:
        """Give a place back."""
        with self._lock:
            self.taken -= 1


def is_out_of_memory(error: Exception) -> bool:
    """True where an allocation failed, on a GPU or in the process."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The processor's allocator has no exception of its own.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)
