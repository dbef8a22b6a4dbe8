# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's JSON 1.1 protocol: one POST per operation, named by X-Amz-Target."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from .errors import AwsError


@dataclass(frozen=True)
class Response:
    """An HTTP answer. Header names are lower case."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def parse_body(body: bytes) -> dict[str, Any]:
    """The parameters of a call.

    Raises SerializationException for anything but a JSON object in UTF-8 whose strings are text: no NaN, no half of a
    surrogate pair, no number or nesting beyond what can be read. AWS gives most of these no message.
    """
    try:
        parameters = json.loads(body.decode(), parse_constant=_refuse)
        if b"\\ud" in body or b"\\uD" in body:
            json.dumps(parameters, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "") from None
    if isinstance(parameters, list):
        raise AwsError("SerializationException", "Start of list found where not expected")
    if not isinstance(parameters, dict):
        raise AwsError("SerializationException", "")
    return parameters


def success(shape: Shape | None, result: dict[str, Any]) -> Response:
    """The answer to a call: `result` cut down to `shape`'s members."""
    body = json.dumps(shaped(shape, result) if shape is not None else {}).encode()
    return Response(200, body, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())})


def failure(error: AwsError) -> Response:
    """The answer to a refused call. An error without words has no message at all, as on AWS."""
    words = {"message": error.message} if error.message else {}
    body = json.dumps({"__type": error.code, **words, **error.fields}).encode()
    return Response(
        error.status, body, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    )


def shaped(shape: Shape, value: Any) -> Any:
    """`value` with only the members that `shape` has, and without nulls.

    Timestamps are numbers, in seconds since 1970, and stay so.
    """
    if isinstance(shape, StructureShape):
        return {
            name: shaped(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [shaped(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: shaped(shape.value, item) for key, item in value.items()}
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
