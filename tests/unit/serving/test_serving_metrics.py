# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re

import pytest
from serving.health import HealthMonitor
from serving.metrics import Histogram, Metrics, Summary


def test_a_histogram_counts_a_value_in_every_bucket_that_it_fits() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 99.0):
        histogram.add(value)
    assert histogram.text("x") == [
        'x_bucket{le="1"} 2',
        'x_bucket{le="2"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 102",
        "x_count 4",
    ]


def test_the_page_is_prometheus_text() -> None:
    metrics = Metrics()
    metrics.request(200, 0.02)
    metrics.request(429, 0.001)
    metrics.batch([10, 6], seconds=0.02, waited=0.001)
    page = metrics.text({"serving_rows_waiting": ("Rows that wait.", 3.0)}).decode()
    for line in page.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]+"\})? [0-9.e+-]+', line), line
    for line in (
        'serving_requests_total{status="429"} 1',
        "serving_request_seconds_count 2",
        'serving_batch_rows_bucket{le="2"} 1',
        "serving_tokens_total 16",
        "serving_padding_tokens_total 4",
        "# TYPE serving_rows_waiting gauge",
        "serving_rows_waiting 3",
    ):
        assert line in page.splitlines()


def test_a_batch_that_runs_too_long_is_told_and_is_forgiven_when_it_ends() -> None:
    monitor = HealthMonitor(longest_run=10.0)
    assert monitor.health(0.0).code == "ModelNotReady"
    monitor.answered()
    monitor.run_started(100.0)
    assert monitor.health(110.0).healthy
    assert monitor.health(110.1).code == "ModelNotResponding"
    monitor.run_ended()
    assert monitor.health(110.1).healthy


def test_a_model_that_fails_its_example_is_unhealthy_until_it_answers_it() -> None:
    monitor = HealthMonitor(longest_run=10.0)
    monitor.answered()
    monitor.failed(KeyError("what a caller sent"))
    assert (monitor.has_failed, monitor.health(0.0).code) == (True, "ModelFailed")
    assert "caller" not in monitor.health(0.0).reason
    monitor.answered()
    assert monitor.health(0.0).healthy


def test_the_summary_tells_what_happened_since_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics()
    metrics.request(200, 1.0)
    summary = Summary(metrics)
    metrics.request(200, 0.02)
    metrics.request(500, 0.04)
    metrics.batch([10, 6], seconds=0.02, waited=0.001)
    summary.write()
    line = json.loads(capsys.readouterr().out)
    del line["time"]
    assert line == {
        "level": "info",
        "event": "summary",
        "requests": 2,
        "errors": 1,
        "mean_milliseconds": 30.0,
        "rows_per_batch": 2.0,
        "padding_share": 0.2,
        "tokens": 16,
    }
