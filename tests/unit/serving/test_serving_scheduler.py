# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests on their way through the threads: together where it helps, apart where one is at fault."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from serving.errors import InputError, RequestError
from serving.handler import RawAnswer, Request, Row
from serving.jobs import Job
from serving.metrics import Metrics
from serving.scheduler import Scheduler
from serving.settings import Settings
from serving_process import PATIENCE

Test = Callable[[Scheduler], Coroutine[Any, Any, None]]


class Upper:
    """Answers each text in capitals; a text that begins with "!" has a meaning of its own."""

    content_types: Sequence[str] = ()

    def __init__(self, concurrent: bool = False) -> None:
        self.concurrent = concurrent
        self.batches: list[tuple[list[str], int]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.broken = False

    def initialize(self, context: Settings) -> None: ...

    def example(self) -> Request:
        return Request(["example"])

    def preprocess(self, request: Request) -> Sequence[Row]:
        return [
            Row(text, max(8, len(text)), text.partition(":")[0] if ":" in text else None) for text in request.inputs
        ]

    def inference(self, rows: Sequence[Row], threads: int) -> Sequence[Any]:
        texts = [row.payload for row in rows]
        if texts != ["example"]:
            self.batches.append((texts, threads))
        if self.broken:
            raise RuntimeError("broken")
        if "!wait" in texts:
            self.entered.release()
            assert self.gate.wait(PATIENCE)
        if "!raise" in texts:
            raise KeyError("the whole batch fails")
        if "!refuse" in texts:
            raise InputError("Not this one.")
        if "!short" in texts:
            return []
        return [OSError("this row fails") if text == "!row" else text.upper() for text in texts]

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> list[Any] | RawAnswer:
        if "!post" in request.inputs:
            raise ValueError("no answer")
        return list(outputs)

    async def has_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=PATIENCE)


def run(
    handler: Upper,
    test: Callable[[Scheduler], Coroutine[Any, Any, None]],
    metrics: Metrics | None = None,
    **options: Any,
) -> None:
    """Start a scheduler, wait until it is healthy, and run the test on an event loop."""
    settings = Settings(**{"threads": 2, "batch_wait_ms": 0.0, **options})
    scheduler = Scheduler(lambda: handler, settings, metrics or Metrics(), on_start_failed=lambda: None)

    async def main() -> None:
        scheduler.start()
        await until(lambda: scheduler.health().healthy)
        await test(scheduler)

    try:
        asyncio.run(asyncio.wait_for(main(), PATIENCE))
    finally:
        handler.gate.set()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def send(scheduler: Scheduler, *texts: str) -> Job:
    request = Request(list(texts))
    return scheduler.submit(request, scheduler.handler.preprocess(request))


async def answer(scheduler: Scheduler, job: Job) -> Any:
    """The predictions; for an error its status."""
    try:
        found = await job.answer
    except RequestError as error:
        return error.status
    finally:
        scheduler.finish(job)
    assert isinstance(found, bytes)
    return json.loads(found)["predictions"]


def test_requests_that_wait_run_together_and_each_gets_its_own_answers_in_order() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        jobs = [send(scheduler, f"a{number}", f"b{number}") for number in range(8)]
        handler.gate.set()
        assert [await answer(scheduler, job) for job in jobs] == [[f"A{n}", f"B{n}"] for n in range(8)]
        assert await answer(scheduler, blocker) == ["!WAIT"]
        assert [len(texts) for texts, _ in handler.batches] == [1, 16]
        assert scheduler.in_progress == 0

    run(handler, test)


def test_rows_of_different_groups_never_run_together() -> None:
    handler = Upper(concurrent=True)

    async def test(scheduler: Scheduler) -> None:
        jobs = [send(scheduler, "x:1", "y:1", "x:2") for _ in range(20)]
        assert [await answer(scheduler, job) for job in jobs] == [["X:1", "Y:1", "X:2"]] * 20
        for texts, _ in handler.batches:
            assert len({text[0] for text in texts}) == 1

    run(handler, test)


def test_a_lone_batch_gets_all_threads_and_batches_beside_each_other_one_each() -> None:
    handler = Upper(concurrent=True)

    async def test(scheduler: Scheduler) -> None:
        assert await answer(scheduler, send(scheduler, "alone")) == ["ALONE"]
        first = send(scheduler, "!wait")
        await handler.has_entered()
        second = send(scheduler, "beside")
        assert await answer(scheduler, second) == ["BESIDE"]
        handler.gate.set()
        await answer(scheduler, first)
        assert handler.batches == [(["alone"], 2), (["!wait"], 2), (["beside"], 1)]

    run(handler, test)


def test_a_handler_that_is_not_concurrent_is_never_called_twice_at_a_time() -> None:
    handler = Upper(concurrent=False)

    async def test(scheduler: Scheduler) -> None:
        first = send(scheduler, "!wait")
        await handler.has_entered()
        second = send(scheduler, "behind")
        assert handler.batches == [(["!wait"], 2)]
        handler.gate.set()
        assert await answer(scheduler, second) == ["BEHIND"]
        await answer(scheduler, first)

    run(handler, test)


@pytest.mark.parametrize(("text", "status"), [("!raise", 500), ("!short", 500), ("!refuse", 400), ("!row", 500)])
def test_only_the_request_at_fault_fails_and_its_batch_mates_are_answered(text: str, status: int) -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        good = [send(scheduler, f"good{number}") for number in range(3)]
        bad = send(scheduler, "fine", text)
        handler.gate.set()
        assert [await answer(scheduler, job) for job in good] == [[f"GOOD{number}"] for number in range(3)]
        assert await answer(scheduler, bad) == status
        assert len(handler.batches[1][0]) == 5, "they were not in one batch"
        await answer(scheduler, blocker)
        assert scheduler.health().healthy

    run(handler, test)


def test_an_answer_that_cannot_be_made_fails_its_own_request_only() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        bad, good = send(scheduler, "!post"), send(scheduler, "good")
        handler.gate.set()
        assert (await answer(scheduler, bad), await answer(scheduler, good)) == (500, ["GOOD"])
        await answer(scheduler, blocker)

    run(handler, test)


def test_a_request_that_failed_early_is_not_run_to_its_end() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        job = send(scheduler, "!raise", *["more"] * 50)
        assert await answer(scheduler, job) == 500
        await until(lambda: not len(scheduler._queue))
        assert await answer(scheduler, send(scheduler, "next")) == ["NEXT"]
        assert sum(len(texts) for texts, _ in handler.batches) < 30

    run(handler, test, max_batch_size=8)


def test_a_request_that_was_given_up_is_taken_out_of_the_queue() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        unwanted = send(scheduler, "unwanted", "unwanted")
        scheduler.finish(unwanted)
        wanted = send(scheduler, "wanted")
        handler.gate.set()
        assert await answer(scheduler, wanted) == ["WANTED"]
        await answer(scheduler, blocker)
        assert [texts for texts, _ in handler.batches] == [["!wait"], ["wanted"]]
        assert scheduler.in_progress == 0

    run(handler, test)


def test_the_queue_is_bounded_by_requests_and_by_rows() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        jobs = [send(scheduler, "a"), send(scheduler, "b", "c", "d")]
        for texts, status, code in (
            (["e"] * 5, 400, "InvalidRequest"),
            (["e"], 429, "TooManyRequests"),
        ):
            with pytest.raises(RequestError) as caught:
                send(scheduler, *texts)
            assert (caught.value.status, caught.value.code) == (status, code)
        jobs.pop(0)
        scheduler.finish(jobs[0])
        handler.gate.set()
        await answer(scheduler, blocker)

    run(handler, test, queue_rows=4, queue_size=5)


def test_the_queue_takes_as_many_requests_as_it_is_set_to() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        jobs = [send(scheduler, "a") for _ in range(3)]
        with pytest.raises(RequestError) as caught:
            send(scheduler, "b")
        assert (caught.value.status, dict(caught.value.headers)) == (429, {"retry-after": "1"})
        handler.gate.set()
        assert [await answer(scheduler, job) for job in jobs] == [["A"]] * 3
        assert await answer(scheduler, send(scheduler, "b")) == ["B"]
        await answer(scheduler, blocker)

    run(handler, test, queue_size=3)


def test_a_request_of_many_rows_leaves_room_for_one_of_one_row() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        blocker = send(scheduler, "!wait")
        await handler.has_entered()
        large = send(scheduler, *["many"] * 1000)
        small = send(scheduler, "lone")
        handler.gate.set()
        assert await answer(scheduler, small) == ["LONE"]
        assert await answer(scheduler, large) == ["MANY"] * 1000
        await answer(scheduler, blocker)
        place = next(number for number, (texts, _) in enumerate(handler.batches) if "lone" in texts)
        assert place <= 2, f"batch {place} of {len(handler.batches)}"

    run(handler, test, max_batch_size=8)


def test_a_model_that_breaks_is_unhealthy_until_it_answers_its_example_again() -> None:
    handler = Upper()

    async def test(scheduler: Scheduler) -> None:
        handler.broken = True
        assert await answer(scheduler, send(scheduler, "a")) == 500
        assert scheduler.health().code == "ModelFailed"
        with pytest.raises(RequestError) as caught:
            send(scheduler, "b")
        assert caught.value.status == 503
        handler.broken = False
        await until(lambda: scheduler.health().healthy)
        assert await answer(scheduler, send(scheduler, "c")) == ["C"]

    run(handler, test)


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("wait", [0.0, 2.0])
def test_many_callers_of_every_size_all_get_their_own_answers(concurrent: bool, wait: float) -> None:
    handler = Upper(concurrent)
    metrics = Metrics()

    async def caller(scheduler: Scheduler, seed: int) -> int:
        chooser = random.Random(seed)
        sent = 0
        for _ in range(20):
            texts = [
                "".join(chooser.choices("abc", k=chooser.randrange(1, 60))) for _ in range(chooser.randrange(1, 9))
            ]
            if chooser.random() < 0.1:
                # The caller leaves.
                scheduler.finish(send(scheduler, *texts))
                continue
            fails = chooser.random() < 0.1
            found = await answer(scheduler, send(scheduler, *texts, *(["!raise"] if fails else [])))
            assert found == (500 if fails else [text.upper() for text in texts])
            sent += not fails
        return sent

    async def test(scheduler: Scheduler) -> None:
        callers: list[Awaitable[int]] = [caller(scheduler, seed) for seed in range(24)]
        assert sum(await asyncio.gather(*callers)) > 24 * 10
        assert (scheduler.in_progress, scheduler._waiting, len(scheduler._queue)) == (0, 0, 0)
        await until(lambda: not scheduler.gauges["serving_batches_running"][1])

    run(handler, test, metrics, batch_wait_ms=wait)
    assert metrics.batch_rows.sum > metrics.batch_rows.count, "nothing was ever batched"
