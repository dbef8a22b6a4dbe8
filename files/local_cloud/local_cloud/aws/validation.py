# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a call's parameters against botocore's shapes, and complains in the words AWS's own validator uses."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from .errors import AwsError, validation

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "blob": (str,),
}

# Java's classes of characters, as near as Python's re gets; what its patterns write in another way than ours.
_JAVA_CLASSES = {"L": r"\w", "N": r"\d", "Z": r"\s", "ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e"}
_JAVA_SPELLING = {r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF", r"\z": r"\Z"}
_PATTERN_TOKEN = re.compile(r"\\p\{(\w+)\}|\\.|.", re.DOTALL)


def validate(shape: StructureShape | None, parameters: dict[str, Any]) -> None:
    """Raise ValidationException listing every constraint of `shape` that `parameters` break.

    A value of the wrong JSON type is a SerializationException, as on AWS. Unknown members are ignored, as on AWS.
    """
    if shape is None:
        return
    problems: list[str] = []
    _check(shape, parameters, "", problems)
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise validation(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")


def _check(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    if not _is_of_type(shape.type_name, value):
        raise AwsError(
            "SerializationException",
            f"{path or 'The request'} can not be converted to a{'n' if shape.type_name[0] in 'aeiou' else ''} "
            f"{shape.type_name}",
        )
    if isinstance(shape, StructureShape):
        _check_structure(shape, value, path, problems)
    elif isinstance(shape, ListShape):
        _check_size(len(value), value, shape, path, problems)
        for index, item in enumerate(value, start=1):
            _check(shape.member, item, f"{path}.{index}.member", problems)
    elif isinstance(shape, MapShape):
        _check_size(len(value), value, shape, path, problems)
        for key, item in value.items():
            _check_entry(shape.key, key, "Map keys", value, path, problems)
            _check_entry(shape.value, item, "Map value", value, path, problems)
    elif shape.type_name == "string":
        problems.extend(_complaint(value, path, broken) for broken in _broken_by_string(shape, value))
    elif shape.type_name in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and value < low:
            problems.append(_complaint(value, path, f"Member must have value greater than or equal to {low}"))
        if high is not None and value > high:
            problems.append(_complaint(value, path, f"Member must have value less than or equal to {high}"))


def _is_of_type(type_name: str, value: Any) -> bool:
    expected = _TYPES[type_name]
    return isinstance(value, expected) and (not isinstance(value, bool) or bool in expected)


def _check_structure(shape: StructureShape, value: dict[str, Any], path: str, problems: list[str]) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            problems.append(_complaint("null", _member(path, name), "Member must not be null", quoted=False))
    for name, member in shape.members.items():
        if value.get(name) is not None:
            _check(member, value[name], _member(path, name), problems)


def _check_entry(shape: Shape, value: Any, what: str, whole: dict[str, Any], path: str, problems: list[str]) -> None:
    if shape.type_name != "string":
        _check(shape, value, path, problems)
        return
    if not isinstance(value, str):
        raise AwsError("SerializationException", f"{path} can not be converted to a map of strings")
    broken = list(_broken_by_string(shape, value))
    if broken:
        problems.append(_complaint(_short(whole), path, f"{what} must satisfy constraint: [{', '.join(broken)}]"))


def _check_size(size: int, value: Any, shape: Shape, path: str, problems: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        problems.append(_complaint(_short(value), path, f"Member must have length greater than or equal to {low}"))
    if high is not None and size > high:
        problems.append(_complaint(_short(value), path, f"Member must have length less than or equal to {high}"))


def _broken_by_string(shape: Shape, value: str) -> list[str]:
    broken = []
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if high is not None and len(value) > high:
        broken.append(f"Member must have length less than or equal to {high}")
    if low is not None and len(value) < low:
        broken.append(f"Member must have length greater than or equal to {low}")
    if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        broken.append(f"Member must satisfy enum value set: [{', '.join(shape.metadata['enum'])}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not compiled(pattern).fullmatch(value):
        broken.append(f"Member must satisfy regular expression pattern: {pattern}")
    return broken


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """A service model's pattern, for Python."""
    for java, python in _JAVA_SPELLING.items():
        pattern = pattern.replace(java, python)
    translated, in_set = [], False
    for token in _PATTERN_TOKEN.finditer(pattern):
        if token[1]:
            members = _JAVA_CLASSES[token[1]]
            translated.append(members if in_set else f"[{members}]")
            continue
        in_set = token[0] == "[" or (in_set and token[0] != "]")
        translated.append(token[0])
    return re.compile("".join(translated))


def _member(path: str, name: str) -> str:
    lowered = name[0].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _complaint(value: Any, path: str, constraint: str, quoted: bool = True) -> str:
    shown = f"'{value}'" if quoted else value
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _short(value: Any) -> str:
    # An environment may hold what should not be repeated in an error, so only its shape is shown.
    return f"{{{', '.join(value)}}}" if isinstance(value, dict) else f"[{len(value)} members]"
