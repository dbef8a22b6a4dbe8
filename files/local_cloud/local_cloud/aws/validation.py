# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a call's parameters by botocore's shapes, and complains in the words AWS's own validator uses.

Two things can be wrong. JSON that is not of the shape's types is a SerializationException; its words were measured on
a service of the same framework and protocol (athena-local, changes of 2026-09-23). Values that break a constraint of
the shape are a ValidationException that lists all of them.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from .errors import AwsError, validation
from .patterns import compiled

__all__ = ["compiled", "validate"]

_LIST_HERE = "Start of list found where not expected"
_MAP_HERE = "Start of structure or map found where not expected."
_TARGETS = {
    "string": "a String",
    "blob": "a Blob",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "boolean": "an Boolean",  # sic
    "timestamp": "milliseconds since epoch",
}
_WHOLE_NUMBERS = {"integer": 2**31 - 1, "long": 2**63 - 1}
_NUMBERS = frozenset({"integer", "long", "float", "double"})
# Years 1 to 9999: what a date can be made of.
_TIMESTAMPS = (-62135596800.0, 253402300799.0)


def validate(shape: StructureShape | None, parameters: dict[str, Any]) -> None:
    """Make `parameters` what AWS reads them as, or raise what AWS answers.

    Members that the shape does not have, and nulls, are as good as absent on AWS, and removed here; decimals where
    whole numbers are due are cut off. Raises SerializationException for a value of the wrong JSON type, and
    ValidationException listing every constraint of `shape` that is broken.
    """
    if shape is None:
        parameters.clear()
        return
    problems: list[str] = []
    read = _structure(shape, parameters, "", problems)
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise validation(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")
    parameters.clear()
    parameters.update(read)


def _read(shape: Shape, value: Any, path: str, problems: list[str]) -> Any:
    if isinstance(shape, StructureShape):
        # A document is whatever JSON the caller likes.
        return value if shape.is_document_type else _structure(shape, value, path, problems)
    if isinstance(shape, ListShape):
        return _list(shape, value, path, problems)
    if isinstance(shape, MapShape):
        return _map(shape, value, path, problems)
    value = _scalar(shape, value)
    problems.extend(_complaint(f"'{value}'", path, broken) for broken in _broken(shape, value))
    return value


def _structure(shape: StructureShape, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if isinstance(value, list):
        raise _serialization(_LIST_HERE)
    if not isinstance(value, dict):
        raise _serialization("Expected null")
    read = {}
    for name, member in shape.members.items():
        given = value.get(name)
        if given is not None:
            read[name] = _read(member, given, _member(path, name), problems)
        elif name in shape.required_members:
            problems.append(_complaint("null", _member(path, name), "Member must not be null"))
    if getattr(shape, "is_tagged_union", False) and len(read) != 1:
        raise _serialization("")
    return read


def _list(shape: ListShape, value: Any, path: str, problems: list[str]) -> list[Any]:
    if isinstance(value, dict):
        raise _serialization(_MAP_HERE)
    if not isinstance(value, list):
        raise _serialization("Expected list or null")
    present = [item for item in value if item is not None]
    problems.extend(_complaint(f"'[{len(present)} members]'", path, broken) for broken in _broken_size(shape, present))
    return [
        _read(shape.member, item, f"{path}.{index}.member", problems) for index, item in enumerate(present, start=1)
    ]


def _map(shape: MapShape, value: Any, path: str, problems: list[str]) -> dict[str, Any]:
    if isinstance(value, list):
        raise _serialization(_LIST_HERE)
    if not isinstance(value, dict):
        raise _serialization("Expected null")
    # AWS repeats the whole map here. An environment may hold what belongs in no error message, so only keys are shown.
    shown = f"'{{{', '.join(value)}}}'"
    problems.extend(_complaint(shown, path, broken) for broken in _broken_size(shape, value))
    read: dict[str, Any] = {}
    wrong: dict[str, Shape] = {}
    for key, item in value.items():
        if _broken(shape.key, key):
            wrong["Map keys"] = shape.key
        if shape.value.type_name not in _TARGETS:
            if item is not None:
                read[key] = _read(shape.value, item, path, problems)
            continue
        read[key] = None if item is None else _scalar(shape.value, item)
        if item is None or _broken(shape.value, read[key]):
            wrong["Map value"] = shape.value
    for noun in sorted(wrong):
        # Once for all keys and once for all values, and with every constraint that they have.
        constraints = ", ".join(_constraints(wrong[noun]).values())
        problems.append(_complaint(shown, path, f"{noun} must satisfy constraint: [{constraints}]"))
    return read


def _scalar(shape: Shape, value: Any) -> Any:
    """The value as the shape's type. Raises SerializationException where it is of another."""
    kind = shape.type_name
    if isinstance(value, list):
        raise _serialization(_LIST_HERE)
    if isinstance(value, dict):
        raise _serialization(_MAP_HERE)
    if isinstance(value, bool):
        if kind != "boolean":
            raise _not_convertible("TRUE_VALUE" if value else "FALSE_VALUE", kind)
    elif isinstance(value, str):
        if kind not in ("string", "blob"):
            raise _not_convertible("STRING_VALUE", kind)
        _check_text(shape, value)
    elif kind in _NUMBERS or kind == "timestamp":
        return _number(kind, value)
    else:
        raise _not_convertible("NUMBER_VALUE", kind)
    return value


def _number(kind: str, value: int | float) -> int | float:
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > 2**63:
        raise _serialization("")
    if kind == "timestamp":
        if not _TIMESTAMPS[0] <= value <= _TIMESTAMPS[1]:
            raise _serialization("")
        return value
    if kind in _WHOLE_NUMBERS:
        value = int(value)
        if abs(value) > _WHOLE_NUMBERS[kind]:
            raise _serialization("")
    return value


def _check_text(shape: Shape, value: str) -> None:
    if shape.type_name == "blob":
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise _serialization("") from None
    elif shape.serialization.get("jsonvalue"):
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            raise _serialization("") from None


def _broken(shape: Shape, value: Any) -> list[str]:
    """The constraints of a scalar's shape that `value` breaks."""
    if shape.type_name == "string":
        return _broken_by_string(shape, value)
    if shape.type_name in _NUMBERS:
        return _broken_by_number(shape, value)
    return []


def _broken_by_string(shape: Shape, value: str) -> list[str]:
    constraints, metadata = _constraints(shape), shape.metadata
    is_broken = {
        "max": lambda: len(value) > metadata["max"],
        "min": lambda: len(value) < metadata["min"],
        "pattern": lambda: not compiled(metadata["pattern"]).fullmatch(value),
        "enum": lambda: value not in metadata["enum"],
    }
    # The order: aws-samples/sagemaker-ml-workflow-with-apache-airflow #3 quotes a name that is too long and misspelt.
    return [constraints[kind] for kind, broken in is_broken.items() if kind in constraints and broken()]


def _broken_by_number(shape: Shape, value: int | float) -> list[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    broken = []
    if high is not None and value > high:
        broken.append(f"Member must have value less than or equal to {high}")
    if low is not None and value < low:
        broken.append(f"Member must have value greater than or equal to {low}")
    return broken


def _broken_size(shape: Shape, value: list[Any] | dict[str, Any]) -> list[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    broken = []
    if high is not None and len(value) > high:
        broken.append(f"Member must have length less than or equal to {high}")
    if low is not None and len(value) < low:
        broken.append(f"Member must have length greater than or equal to {low}")
    return broken


def _constraints(shape: Shape) -> dict[str, str]:
    """Every constraint of a string's shape by its name in the service model, in AWS's words."""
    words = {
        "max": "Member must have length less than or equal to {}",
        "min": "Member must have length greater than or equal to {}",
        "pattern": "Member must satisfy regular expression pattern: {}",
        "enum": "Member must satisfy enum value set: [{}]",
    }
    metadata = {**shape.metadata}
    if metadata.get("enum"):
        metadata["enum"] = ", ".join(metadata["enum"])
    return {
        kind: text.replace("{}", str(metadata[kind]))
        for kind, text in words.items()
        if metadata.get(kind) not in (None, "")
    }


def _member(path: str, name: str) -> str:
    lowered = name[0].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _complaint(shown: str, path: str, constraint: str) -> str:
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _not_convertible(found: str, kind: str) -> AwsError:
    return _serialization(f"{found} can not be converted to {_TARGETS[kind]}")


def _serialization(message: str) -> AwsError:
    return AwsError("SerializationException", message)
