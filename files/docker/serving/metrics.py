# SPDX-License-Identifier: GPL-3.0-or-later
"""What GET /metrics answers: counters and histograms in Prometheus' text format.

Written out here and not with prometheus_client, because importing that takes 50 ms, a tenth of a cold start, for what
comes to these few lines. The format: "Exposition formats" in Prometheus' documentation, text format 0.0.4.
"""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from serving import log

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# How often a summary is written while there is traffic.
SUMMARY_SECONDS = 60.0

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


class Histogram:
    """Counts values by upper bounds. Not locked: one thread adds, or the caller holds a lock."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value; a bound belongs to its bucket, as Prometheus' `le` says."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        return sum(self.counts)

    def text(self, name: str) -> list[str]:
        """The lines of the text format, buckets cumulated."""
        lines, total = [], 0
        for bound, count in zip((*(f"{bound:g}" for bound in self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self.sum:.9g}", f"{name}_count {total}"]


class Metrics:
    """Everything that is counted. Requests are counted on the event loop, batches in the inference threads."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.request_seconds = Histogram(_SECONDS)
        self._lock = threading.Lock()
        self.queue_seconds = Histogram(_SECONDS)
        self.batch_seconds = Histogram(_SECONDS)
        self.batch_rows = Histogram(_ROWS)
        self.tokens = 0
        self.padding = 0

    def request(self, status: int, seconds: float) -> None:
        """One request to /invocations was answered. Called on the event loop alone."""
        self.requests[status] += 1
        self.request_seconds.add(seconds)

    def batch(self, lengths: Sequence[int], seconds: float, waited: float) -> None:
        """One batch was run, whose first row had waited for `waited` seconds."""
        tokens = sum(lengths)
        with self._lock:
            self.queue_seconds.add(waited)
            self.batch_seconds.add(seconds)
            self.batch_rows.add(len(lengths))
            self.tokens += tokens
            self.padding += max(lengths) * len(lengths) - tokens

    def text(self, gauges: dict[str, tuple[str, float]]) -> bytes:
        """The whole page. `gauges`: name → (help, value) of what is true now."""
        lines: list[str] = []

        def metric(name: str, kind: str, about: str, samples: list[str]) -> None:
            lines.extend((f"# HELP {name} {about}", f"# TYPE {name} {kind}", *samples))

        statuses = [f'serving_requests_total{{status="{status}"}} {n}' for status, n in sorted(self.requests.items())]
        metric("serving_requests_total", "counter", "Requests to /invocations, by status.", statuses)
        for name, histogram, about in (
            ("serving_request_seconds", self.request_seconds, "From a request's head to its answer."),
            ("serving_queue_seconds", self.queue_seconds, "How long the first row of a batch had waited."),
            ("serving_batch_seconds", self.batch_seconds, "How long the model took for a batch."),
            ("serving_batch_rows", self.batch_rows, "Rows in a batch."),
        ):
            metric(name, "histogram", about, histogram.text(name))
        for name, about, value in (
            ("serving_tokens_total", "Tokens that the model read, without padding.", self.tokens),
            ("serving_padding_tokens_total", "Padding that the model read.", self.padding),
        ):
            metric(name, "counter", about, [f"{name} {value}"])
        for name, (about, number) in gauges.items():
            metric(name, "gauge", about, [f"{name} {number:g}"])
        return "\n".join((*lines, "")).encode()


class Summary:
    """Writes a line to the log a minute after traffic began, and again while there is some."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._planned = False
        self._before = _Totals.of(metrics)

    def wanted(self) -> None:
        """Something was counted. Called on the event loop."""
        if not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_later(SUMMARY_SECONDS, self.write)

    def write(self) -> None:
        """Write the line: what happened since the last one."""
        self._planned = False
        before, now = self._before, _Totals.of(self._metrics)
        self._before = now
        requests, batches = now.requests - before.requests, now.batches - before.batches
        tokens, padding = now.tokens - before.tokens, now.padding - before.padding
        log.info(
            "summary",
            requests=requests,
            errors=now.errors - before.errors,
            mean_milliseconds=round(1000 * (now.seconds - before.seconds) / max(1, requests), 1),
            rows_per_batch=round((now.rows - before.rows) / max(1, batches), 1),
            padding_share=round(padding / max(1, tokens + padding), 3),
            tokens=tokens,
        )


@dataclass(frozen=True)
class _Totals:
    requests: int
    errors: int
    seconds: float
    batches: int
    rows: float
    tokens: int
    padding: int

    @classmethod
    def of(cls, metrics: Metrics) -> _Totals:
        return cls(
            requests=metrics.requests.total(),
            errors=sum(count for status, count in metrics.requests.items() if status >= 400),
            seconds=metrics.request_seconds.sum,
            batches=metrics.batch_rows.count,
            rows=metrics.batch_rows.sum,
            tokens=metrics.tokens,
            padding=metrics.padding,
        )
