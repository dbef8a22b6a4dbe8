# SPDX-License-Identifier: GPL-3.0-or-later
"""Ratios, verdicts and trends say what was measured, and no more."""

from __future__ import annotations

import math
import random

import pytest
from benchmark_load import percentile, read_times
from benchmark_report import BEGIN, END, compare, insert, render, verdicts
from benchmark_requirements import FP32, INT8, TOOLKIT, TUNED, Requirement, Verdict, requirements
from benchmark_rounds import summary
from benchmark_soak import trend
from benchmark_statistics import Ratio, ratio, slope


def test_a_ratio_is_that_of_the_medians_with_the_extremes_of_the_rounds() -> None:
    assert ratio([30, 100, 20], [10, 10, 10], smaller_is_better=False) == Ratio(3, 2, 10, 3)


def test_a_smaller_time_is_the_better_one() -> None:
    assert ratio([1, 2, 4], [10, 10, 10], smaller_is_better=True) == Ratio(5, 2.5, 10, 3)


@pytest.mark.parametrize(("ours", "peer"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([math.nan], [1.0])])
def test_figures_that_cannot_be_compared_give_no_ratio(ours: list[float], peer: list[float]) -> None:
    with pytest.raises(ValueError, match=r"round|above zero"):
        ratio(ours, peer, smaller_is_better=False)


def test_a_percentile_is_a_time_that_was_measured() -> None:
    times = [float(number) for number in range(1, 101)]
    random.Random(1).shuffle(times)
    assert (percentile(times, 50), percentile(times, 99), percentile(times, 100)) == (50, 99, 100)
    assert percentile([7.0], 99) == 7
    assert math.isnan(percentile([], 99))


def test_steady_growth_is_found_in_noise() -> None:
    chosen = random.Random(3)
    seconds = [2.0 * number for number in range(300)]
    found = slope(seconds, [1000 + 5 * at + chosen.gauss(0, 50) for at in seconds])
    assert found.low < 5 < found.high
    assert found.low > 4


def test_noise_alone_is_no_growth() -> None:
    chosen = random.Random(4)
    samples = [(2.0 * number, int(200e6 + chosen.gauss(0, 1e6))) for number in range(300)]
    assert trend(samples, 600)["flat"]


def test_a_leak_is_not_called_flat() -> None:
    # A kilobyte a second: 3.6 MB an hour is within 5 % of 200 MB, thirty times that is not.
    chosen = random.Random(5)
    leaking = [(2.0 * number, int(200e6 + 30_000 * 2 * number + chosen.gauss(0, 1e5))) for number in range(300)]
    assert not trend(leaking, 600)["flat"]


def test_a_trend_of_two_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        slope([0, 1, 30, 31], [1, 1, 1, 1])


@pytest.mark.parametrize(
    ("measured", "word", "certain"),
    [
        (Ratio(15, 15, 16, 5), "reached", True),
        (Ratio(15.1, 14, 16, 5), "reached", False),
        (Ratio(14.9, 14, 16, 5), "not reached", False),
        (Ratio(9, 8, 10, 5), "not reached", True),
        (None, "not measured", False),
        (Ratio(math.nan, math.nan, math.nan, 1), "not measured", False),
    ],
)
def test_a_verdict_says_whether_the_requirement_is_reached_and_whether_every_round_agrees(
    measured: Ratio | None, word: str, certain: bool
) -> None:
    verdict = Verdict(Requirement("short-32", "rps", INT8, TOOLKIT, 15), measured)
    assert (verdict.word, verdict.certain) == (word, certain)


def test_no_row_is_required_twice() -> None:
    rows = [(row.cell, row.figure, row.ours, row.peer) for row in requirements()]
    assert len(rows) == len(set(rows))


def test_no_99th_percentile_of_any_load_may_be_worse() -> None:
    for ours, factor in ((INT8, 2), (FP32, 1)):
        rows = {row.cell: row for row in requirements() if (row.figure, row.ours, row.peer) == ("p99", ours, TOOLKIT)}
        assert set(rows) == {"short-1", "short-8", "short-32", "mixed-1", "mixed-8", "mixed-32"}
        assert all(row.factor >= factor for row in rows.values())


def results() -> dict[str, object]:
    """As a run writes them, of one cell."""

    def figures(rps: float) -> dict[str, object]:
        times = {"p50": [1000 / rps] * 2, "p99": [2000 / rps] * 2}
        return {"rps": [rps, rps * 1.1], **times, "pooled": {"p50": 1000 / rps, "p99": 3000 / rps}}

    servers = {INT8: figures(160), FP32: figures(40), TOOLKIT: figures(10)}
    return {
        "started": "2026-11-24T00:00:00+00:00",
        "servers": [INT8, FP32, TOOLKIT],
        "cells": {"short-32": {"servers": servers, "failed": {TUNED: "It answered nothing."}}},
        "start": {INT8: {"seconds": [0.5], "pss": [200]}, TOOLKIT: {"seconds": [12.0], "pss": [1000]}},
        "failed": {},
    }


def test_each_requirement_finds_its_figures() -> None:
    words = {(v.requirement.cell, v.requirement.figure, v.requirement.ours): v.word for v in verdicts(results())[:4]}
    assert words[("short-32", "rps", INT8)] == "reached"
    assert words[("short-32", "rps", FP32)] == "not reached"
    assert words[("short-32", "p99", INT8)] == "reached"
    assert words[("short-1", "p50", INT8)] == "not measured"


def test_percentiles_are_compared_over_all_rounds_together() -> None:
    found = compare(results(), "short-32", "p99", INT8, TOOLKIT)
    assert found is not None
    assert found.value == pytest.approx(16)


def test_start_and_memory_are_compared_like_times() -> None:
    found = {where: compare(results(), where, "", INT8, TOOLKIT) for where in ("start", "memory")}
    assert {where: entry.value for where, entry in found.items() if entry} == {"start": 24, "memory": 5}


def test_the_page_shows_what_is_not_reached_in_bold() -> None:
    made = render(results())
    assert "| two short sentences, 32 callers | requests/s | compiled, fp32 |" in made
    line = next(line for line in made.splitlines() if "compiled, fp32" in line and "requests/s" in line)
    assert "**not reached**" in line


def test_the_made_part_of_the_page_replaces_only_itself() -> None:
    page = f"Before\n\n{BEGIN}\nold\n{END}\n\nAfter\n"
    made = insert(insert(page, "new"), "newer")
    assert made == f"Before\n\n{BEGIN}\n\nnewer\n\n{END}\n\nAfter\n"
    with pytest.raises(ValueError, match="must have the lines"):
        insert("a page without them", "new")


def test_what_the_load_generator_wrote_is_read_back() -> None:
    load = read_times("2000000 3 429 0 0 0 1\n0 1500\n7 2500\n", 0.1)
    assert (load.seconds, load.which, load.milliseconds) == (2.0, (0, 7), (1.5, 2.5))
    assert (load.errors, load.first_error, load.requests_per_second) == (4, "status 429", 1.0)
    assert load.tokens_per_second([10, 0, 0, 0, 0, 0, 0, 90]) == 50


def test_a_cell_keeps_rates_by_round_and_percentiles_over_all_answers() -> None:
    loads = [read_times(f"1000000 0 0 0 0 0 0\n0 {taken}000\n0 {taken}000\n", 0.5) for taken in (1, 2, 9)]
    found = summary(loads)
    assert (found["rps"], found["pooled"]["p99"], found["answers"], found["errors"]) == ([2.0] * 3, 9.0, 6, 0)
