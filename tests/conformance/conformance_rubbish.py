# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs made from a service model: right ones, ones at their limits, and rubbish of every kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from hypothesis import strategies as st
from local_cloud.aws.patterns import compiled

NUMBERS: list[Any] = [0, -1, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, 1e-320]
NOT_NUMBERS: list[Any] = [float("nan"), float("inf"), float("-inf")]
TEXTS = [
    "",
    " ",
    "\x00",
    "é",
    "٣",
    "a\nb",
    "\ud800",
    "\U0010ffff",
    "a" * 64,
    "-" * 70,
    "a" + "-" * 5000,
    "x" * 70_000,
    "{}",
    "null",
    "../../etc/passwd",
    "%2F%00",
    "arn:aws:sagemaker:us-east-1:000000000000:model/none",
    "arn:aws:iam::000000000000:role/execution",
    "s3://bucket/key",
    "endpoint/none/variant/none",
    "sagemaker",
]

texts = st.one_of(
    st.sampled_from(TEXTS), st.text(max_size=20), st.text(st.characters(categories=["Cs", "Cc"]), max_size=5)
)
numbers = st.one_of(st.sampled_from(NUMBERS + NOT_NUMBERS), st.integers(), st.floats())
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


# Texts of which one fits most patterns of AWS's.
FITTING = [
    "a",
    "a-1",
    "abcdefghijklmnopqrstuvwx",
    "/a",
    "*",
    "s3://models/a",
    "https://models/a",
    "alias/a",
    "subnet-1",
    "rate(1 minute)",
    "sha256:" + "0" * 64,
    "arn:aws:iam::000000000000:role/execution",
    "arn:aws:sagemaker:us-east-1:000000000000:model/a",
    "arn:aws:sns:us-east-1:000000000000:topic",
    "arn:aws:kms:us-east-1:000000000000:key/a",
]


def parameters_of(shape: StructureShape | None, known: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Any]:
    """What an operation might be called with: right in all but a few places, or rubbish.

    known: values that get a call further, such as names of what is there, by the name of the member.
    """
    if shape is None:
        return anything
    nearly = _nearly_right(shape, known)
    return st.integers(0, 19).flatmap(lambda dice: anything if dice == 0 else nearly)


@st.composite
def _nearly_right(draw: st.DrawFn, shape: Shape, known: Mapping[str, Sequence[Any]]) -> Any:
    value = draw(_right(shape, "", known, 0))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        whole, *parts = _paths(value)
        path = draw(st.sampled_from(parts or [whole]))
        value = _replaced(value, path, draw(anything))
    return value


def _right(shape: Shape, name: str, known: Mapping[str, Sequence[Any]], depth: int) -> st.SearchStrategy[Any]:
    """Values that keep every constraint of the shape, as far as a few lines can make them."""
    if name in known and not isinstance(shape, StructureShape):
        return st.sampled_from(known[name])
    metadata = shape.metadata
    if isinstance(shape, StructureShape):
        members = {
            member: st.deferred(lambda s=inner, n=member: _right(s, n, known, depth + 1))
            for member, inner in shape.members.items()
        }
        # What is known to get far is always there; of the rest, less the deeper it is.
        wanted = [member for member in members if member in shape.required_members or member in known]
        rest = [member for member in members if member not in wanted]
        chosen = st.lists(st.sampled_from(rest), max_size=3 if depth < 2 else 1) if rest else st.just([])
        return chosen.flatmap(
            lambda more: st.fixed_dictionaries({member: members[member] for member in [*wanted, *more]})
        )
    if isinstance(shape, ListShape):
        low, high = metadata.get("min", 0), metadata.get("max", 3)
        size = {"min_size": min(low, 3), "max_size": max(min(low, 3), min(high, 2))}
        return st.lists(_right(shape.member, name, known, depth + 1), **size)
    if isinstance(shape, MapShape):
        return st.dictionaries(_right(shape.key, "", known, depth), _right(shape.value, "", known, depth), max_size=2)
    if shape.type_name == "string":
        return _fitting(shape)
    if shape.type_name == "blob":
        return st.binary(max_size=30).map(lambda raw: base64.b64encode(raw).decode())
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name == "timestamp":
        return st.integers(0, 2_000_000_000)
    low, high = metadata.get("min", 0), metadata.get("max", 1000)
    return st.one_of(st.sampled_from([low, high]), st.integers(low, high))


def _fitting(shape: Shape) -> st.SearchStrategy[str]:
    metadata = shape.metadata
    if metadata.get("enum"):
        return st.sampled_from(metadata["enum"])
    pattern, low, high = metadata.get("pattern"), metadata.get("min", 0), metadata.get("max", 10**6)
    fits = [text for text in FITTING if low <= len(text) <= high and (not pattern or compiled(pattern).fullmatch(text))]
    return st.sampled_from(fits or ["x"])


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from ((key, *rest) for rest in _paths(item))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


def nested(depth: int, closed: bool) -> bytes:
    """Lists and objects in each other."""
    return b'{"a":[' * depth + (b"]}" * depth if closed else b"")


bodies = st.one_of(
    st.binary(max_size=60),
    anything.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b"",
            b"{",
            b"}",
            b"null",
            b"[]",
            b'{"a":1,"a":2}',
            b'{"ModelName":"a","ModelName":7}',
            b'{"a":NaN}',
            b'{"a":1e999}',
            b'{"a":' + b"9" * 10_000 + b"}",
            b'{"a":"\xff\xfe"}',
            b'{"a":"\\ud800"}',
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            "{}".encode("utf-32"),
            nested(50, True),
            nested(100_000, True),
            nested(100_000, False),
            b"\x00" * 1000,
            b'{"' + b"k" * 100_000 + b'":1}',
        ]
    ),
)
