# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a large file is cut into the parts of a multipart upload, and which upload is gone on with. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MEBIBYTE = 1 << 20

#: S3's limits (Amazon S3 user guide, "Amazon S3 multipart upload limits").
MOST_PARTS = 10_000
SMALLEST_PART = 5 * MEBIBYTE

#: Small enough that a slow line loses little with a broken part, large enough that a gigabyte is some 60 requests.
PART = 16 * MEBIBYTE

#: Somebody else's deploy of another model may be uploading right now; after a day nobody is.
STALE_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Part:
    """A part of a file: its number from 1, where it begins, its length in bytes."""

    number: int
    start: int
    size: int


@dataclass(frozen=True)
class Upload:
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    initiated: datetime
    sums_sha256: bool


def part_size(size: int) -> int:
    """The length of the parts of a file of ``size`` bytes: always the same, so that an upload can be gone on with."""
    smallest = math.ceil(size / MOST_PARTS / MEBIBYTE) * MEBIBYTE
    return max(PART, smallest)


def parts_of(size: int) -> list[Part]:
    """The parts of a file of ``size`` bytes."""
    step = part_size(size)
    starts = range(0, max(size, 1), step)
    return [Part(number, start, min(step, size - start)) for number, start in enumerate(starts, start=1)]


def to_resume(uploads: Iterable[Upload], key: str) -> Upload | None:
    """The upload to go on with: the latest of this key whose parts carry SHA-256 sums; None where there is none."""
    ours = [upload for upload in uploads if upload.key == key and upload.sums_sha256]
    return max(ours, key=lambda upload: (upload.initiated, upload.upload_id), default=None)


def to_abort(uploads: Iterable[Upload], now: datetime, kept: Upload | None) -> list[Upload]:
    """The uploads that nobody goes on with. S3 keeps, and bills, the parts of an upload until it is ended."""
    return [upload for upload in uploads if upload != kept and now - upload.initiated > STALE_AFTER]


def is_there(part: Part, sha256: str, found: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether S3 has this part already, by the sum (base64) that S3 itself made of what it got."""
    listed = found.get(part.number, {})
    return listed.get("Size") == part.size and listed.get("ChecksumSHA256") == sha256
