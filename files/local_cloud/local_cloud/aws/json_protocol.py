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
    """The parameters of a call. Raises SerializationException for anything but a JSON object."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        raise AwsError("SerializationException", "The request body is not JSON.") from None
    if not isinstance(parameters, dict):
        raise AwsError("SerializationException", "The request body is not a JSON object.")
    return parameters


def success(shape: Shape | None, result: dict[str, Any]) -> Response:
    """The answer to a call: `result` cut down to `shape`'s members."""
    body = json.dumps(shaped(shape, result) if shape is not None else {}).encode()
    return Response(200, body, {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())})


def failure(error: AwsError) -> Response:
    """The answer to a refused call."""
    body = json.dumps({"__type": error.code, "message": error.message, **error.fields}).encode()
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
