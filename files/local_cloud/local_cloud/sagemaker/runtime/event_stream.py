# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's event stream encoding (application/vnd.amazon.eventstream), as far as a streamed answer needs it. Pure.

A message is: its length, its headers' length, their CRC, the headers, the payload, the CRC of all that. Source: the
Smithy specification's page "Amazon Event Stream".
"""

from __future__ import annotations

import json
import struct
import zlib

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def encode(headers: dict[str, str], payload: bytes) -> bytes:
    """One message."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    start = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return start + struct.pack("!I", zlib.crc32(start))


def payload_part(content: bytes) -> bytes:
    """A PayloadPart event: a piece of the container's answer."""
    headers = {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }
    return encode(headers, content)


def exception(kind: str, message: str, **members: str) -> bytes:
    """An error that ends the stream: "ModelStreamError" with an ErrorCode, or "InternalStreamFailure"."""
    headers = {":message-type": "exception", ":exception-type": kind, ":content-type": "application/json"}
    return encode(headers, json.dumps({"Message": message, **members}).encode())


def _header(name: str, value: str) -> bytes:
    raw_name, raw_value = name.encode(), value.encode()
    return struct.pack("!B", len(raw_name)) + raw_name + struct.pack("!BH", _STRING, len(raw_value)) + raw_value
