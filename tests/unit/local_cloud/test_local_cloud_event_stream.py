# SPDX-License-Identifier: GPL-3.0-or-later
"""The event stream encoding, read back by botocore's own decoder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from botocore.eventstream import EventStreamBuffer
from local_cloud.aws.caller import Caller
from local_cloud.containers.container_client import Broken, TimedOut
from local_cloud.sagemaker.runtime.event_stream import exception, payload_part
from local_cloud.sagemaker.runtime.exchange import Exchange
from local_cloud.sagemaker.runtime.stream import events


def decoded(raw: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(raw)
    return [(event.headers, event.payload) for event in buffer]


def test_a_payload_part_is_an_event_with_the_bytes_as_they_are() -> None:
    content = bytes(range(256)) * 300
    assert decoded(payload_part(content)) == [
        (
            {
                ":message-type": "event",
                ":event-type": "PayloadPart",
                ":content-type": "application/octet-stream",
            },
            content,
        )
    ]


def test_messages_can_follow_each_other_and_be_empty() -> None:
    assert [payload for _, payload in decoded(payload_part(b"a") + payload_part(b"") + payload_part(b"b"))] == [
        b"a",
        b"",
        b"b",
    ]


def test_an_exception_carries_its_members_as_json() -> None:
    [(headers, payload)] = decoded(exception("ModelStreamError", "broken", ErrorCode="StreamBroken"))
    assert (headers[":message-type"], headers[":exception-type"]) == ("exception", "ModelStreamError")
    assert json.loads(payload) == {"Message": "broken", "ErrorCode": "StreamBroken"}


def answered(*chunks: bytes, ending: Exception | None = None) -> tuple[list[tuple[dict[str, str], bytes]], Exchange]:
    """The events of a container's answer, and what was noted of it."""
    exchange = Exchange(Caller("000000000000", "us-east-1"), "demo", "stream", 0)

    async def container() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if ending is not None:
            raise ending

    async def read() -> bytes:
        return b"".join([event async for event in events(container(), exchange)])

    return decoded(asyncio.run(read())), exchange


def test_each_chunk_is_a_part() -> None:
    found, exchange = answered(b"one", b"", b"two")
    assert [payload for _, payload in found] == [b"one", b"two"]
    assert (exchange.bytes_out, exchange.broke_mid_stream) == (6, False)
    assert exchange.first_chunk_ms is not None


@pytest.mark.parametrize(
    ("ending", "kind", "code"),
    [
        (TimedOut("slow"), "ModelStreamError", "ModelInvocationTimeExceeded"),
        (Broken("gone"), "ModelStreamError", "StreamBroken"),
        (RuntimeError("ours"), "InternalStreamFailure", None),
    ],
)
def test_a_stream_that_ends_early_says_why(ending: Exception, kind: str, code: str | None) -> None:
    found, exchange = answered(b"one", ending=ending)
    (headers, payload) = found[-1]
    assert [found[0][1], headers[":message-type"], headers[":exception-type"]] == [b"one", "exception", kind]
    assert json.loads(payload).get("ErrorCode") == code
    assert exchange.broke_mid_stream
