# SPDX-License-Identifier: GPL-3.0-or-later
"""How a large archive is cut into parts, and which broken off upload is gone on with."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.multipart import (
    MEBIBYTE,
    MOST_PARTS,
    PART,
    SMALLEST_PART,
    Part,
    Upload,
    is_there,
    parts_of,
    to_abort,
    to_resume,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def upload(key: str = "model/a", upload_id: str = "1", hours: float = 1, sums: bool = True) -> Upload:
    return Upload(key, upload_id, NOW - timedelta(hours=hours), sums)


@pytest.mark.parametrize("size", [1, PART, PART + 1, 3 * PART, 1_000_000_007, 200 << 30, 5 << 40])
def test_the_parts_are_the_whole_file_and_keep_s3s_limits(size: int) -> None:
    parts = parts_of(size)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert sum(part.size for part in parts) == size
    assert all(part.start + part.size == after.start for part, after in itertools.pairwise(parts))
    assert len(parts) <= MOST_PARTS
    assert all(part.size >= SMALLEST_PART for part in parts[:-1])


def test_a_gigabyte_has_some_sixty_parts() -> None:
    assert len(parts_of(1 << 30)) == 64
    assert parts_of(1 << 30)[1] == Part(2, 16 * MEBIBYTE, 16 * MEBIBYTE)


def test_the_latest_upload_of_the_same_content_is_gone_on_with() -> None:
    ours = upload(upload_id="new", hours=1)
    assert to_resume([upload(upload_id="old", hours=5), ours, upload("model/b", hours=0.1)], "model/a") == ours


def test_an_upload_whose_parts_have_other_sums_is_not_gone_on_with() -> None:
    assert to_resume([upload(sums=False)], "model/a") is None


def test_uploads_that_nobody_ended_for_a_day_are_ended_but_for_the_one_in_use() -> None:
    kept = upload(hours=30)
    stale, fresh = upload("model/b", "2", hours=25), upload("model/c", "3", hours=23)
    assert to_abort([kept, stale, fresh], NOW, kept) == [stale]


def test_a_part_is_there_if_size_and_sum_are() -> None:
    part = Part(2, PART, 10)
    assert is_there(part, "sum", {2: {"Size": 10, "ChecksumSHA256": "sum"}})
    assert not is_there(part, "sum", {2: {"Size": 10, "ChecksumSHA256": "another"}})
    assert not is_there(part, "sum", {2: {"Size": 9, "ChecksumSHA256": "sum"}})
    assert not is_there(part, "sum", {2: {"Size": 10}})
    assert not is_there(part, "sum", {1: {"Size": 10, "ChecksumSHA256": "sum"}})
