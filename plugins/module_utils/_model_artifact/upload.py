# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads a file to S3: what an earlier, broken off upload has brought over is not sent again."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.multipart import (
    PART,
    Part,
    Upload,
    is_there,
    parts_of,
    to_abort,
    to_resume,
)
from botocore.exceptions import ClientError

#: Parts on their way at a time. Each holds its bytes in memory: 64 MB in all, however large the file is.
_AT_ONCE = 4

Advance = Callable[[int], None]


class UploadError(Exception):
    """S3 has something else than what was sent; the message says what."""


def upload_file(client: Any, path: Path, bucket: str, key: str, advance: Advance = lambda count: None) -> int:
    """Uploads the file and returns how many bytes of it were there already.

    S3 compares every byte with a SHA-256 made here and refuses what differs. A file of more than one part goes by a
    multipart upload; one of the same key that was broken off is gone on with. ``advance`` is told how many bytes have
    arrived, those that were there included; it is called in several threads, one at a time.

    Raises ClientError and BotoCoreError as boto3 does, and UploadError.
    """
    size = path.stat().st_size
    if size <= PART:
        content = path.read_bytes()
        client.put_object(Bucket=bucket, Key=key, Body=content, ChecksumSHA256=_sha256(content))
        advance(size)
        return 0
    there = 0
    try:
        there = _upload_parts(client, path, bucket, key, _one_at_a_time(advance))
    except ClientError as error:
        # Whoever uploads the same model at the same time goes on with the same upload, and has completed it.
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
    arrived = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
    if arrived != size:
        raise UploadError(f"s3://{bucket}/{key} has {arrived} bytes, but {path} has {size}. Deploy again.")
    return there


def _upload_parts(client: Any, path: Path, bucket: str, key: str, advance: Advance) -> int:
    upload = _begin(client, bucket, key)
    place = {"Bucket": bucket, "Key": key, "UploadId": upload}
    found = {part["PartNumber"]: part for part in _listed_parts(client, place)}

    def send(part: Part) -> tuple[dict[str, Any], int]:
        with path.open("rb") as file:
            file.seek(part.start)
            content = file.read(part.size)
        sha256 = _sha256(content)
        there = is_there(part, sha256, found)
        if there:
            etag = found[part.number]["ETag"]
        else:
            etag = client.upload_part(**place, PartNumber=part.number, Body=content, ChecksumSHA256=sha256)["ETag"]
        advance(part.size)
        return {"PartNumber": part.number, "ETag": etag, "ChecksumSHA256": sha256}, part.size if there else 0

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        pending = [threads.submit(send, part) for part in parts_of(path.stat().st_size)]
        try:
            sent = [future.result() for future in pending]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    client.complete_multipart_upload(**place, MultipartUpload={"Parts": [part for part, _there in sent]})
    return sum(there for _part, there in sent)


def _begin(client: Any, bucket: str, key: str) -> str:
    """The id of the upload to send parts to; stale ones of the bucket are ended."""
    uploads = list(_listed_uploads(client, bucket))
    resumed = to_resume(uploads, key)
    for stale in to_abort(uploads, datetime.now(UTC), resumed):
        abort(client, bucket, stale)
    if resumed:
        return resumed.upload_id
    answer = client.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")
    return str(answer["UploadId"])


def abort(client: Any, bucket: str, upload: Upload) -> None:
    """Ends an upload and frees its parts; one that has ended already is left so."""
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=upload.key, UploadId=upload.upload_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise


def open_uploads(client: Any, bucket: str) -> list[Upload]:
    """All multipart uploads of the bucket that have not ended."""
    return list(_listed_uploads(client, bucket))


def _listed_uploads(client: Any, bucket: str) -> Iterator[Upload]:
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            sums = upload.get("ChecksumAlgorithm") in (None, "SHA256")
            yield Upload(upload["Key"], upload["UploadId"], upload["Initiated"], sums)


def _listed_parts(client: Any, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_parts").paginate(**place):
        yield from page.get("Parts", [])


def _sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _one_at_a_time(advance: Advance) -> Advance:
    lock = threading.Lock()

    def locked(count: int) -> None:
        with lock:
            advance(count)

    return locked
