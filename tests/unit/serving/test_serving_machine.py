# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container was given counts, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from serving.machine import usable_cpus, usable_memory
from serving.runtimes.graph import has_two_sessions

MB = 1024 * 1024
EVERYTHING = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("quota", ["max 100000", "", "nonsense", "100000000 100000"])
def test_without_a_quota_all_processors_count(tmp_path: Path, quota: str) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))


def test_a_part_of_a_processor_is_one(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("25000 100000\n")
    assert usable_cpus(tmp_path) == 1


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_containers_limit_counts_in_both_versions_of_cgroups(tmp_path: Path, name: str) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(f"{64 * MB}\n")
    assert usable_memory(tmp_path) == 64 * MB


@pytest.mark.parametrize("limit", ["max", "9223372036854771712", "nonsense"])
def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path, limit: str) -> None:
    assert usable_memory(tmp_path) == EVERYTHING
    (tmp_path / "memory.max").write_text(limit)
    assert usable_memory(tmp_path) == EVERYTHING


@pytest.mark.parametrize(
    ("megabytes", "threads", "memory", "two"),
    [
        (71, 2, 1024, True),  # DistilBERT in int8 on the smallest sensible serverless endpoint
        (71, 1, 1024, False),  # one processor has nothing to choose from
        (268, 2, 1024, False),
        (268, 2, 4096, True),  # in fp32 on ml.c5.large
        (440, 2, 2048, False),
        (1340, 8, 16384, True),
    ],
)
def test_a_second_session_is_for_graphs_that_leave_memory_for_it(
    megabytes: int, threads: int, memory: int, two: bool
) -> None:
    assert has_two_sessions(megabytes * MB, threads, memory * MB) is two
