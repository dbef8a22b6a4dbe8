# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One table for two vocabularies: what an option is called here and what SageMaker calls it.

A specification is frozen dataclasses whose fields say where they stand in SageMaker's requests and how a person calls
them. Requests, answers, documents and differences all follow from that, so nothing is named twice.

Keys of a user's own maps (environment, tags) never come here: they pass byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def aws(
    path: str,
    label: str = "",
    *,
    unit: str = "",
    default: Any = MISSING,
    item: str = "",
    of: type | None = None,
) -> Any:
    """Return a dataclass field that stands at C(path) in SageMaker's request, dots leading into structures.

    An empty path puts the members of a nested dataclass (C(of)) beside their parent's. C(label) and C(unit) are for
    people; without a label a difference is told elsewhere. C(item): the value is a list of texts here and a list of
    structures with that one member there.
    """
    metadata = {"aws": path, "label": label, "unit": unit, "item": item, "of": of}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def _named(kind: type) -> Iterator[Field[Any]]:
    return (each for each in fields(kind) if "aws" in each.metadata)


def to_aws(value: Any) -> dict[str, Any]:
    """Return the request for a specification, without what is not set."""
    request: dict[str, Any] = dict(getattr(value, "AWS_CONSTANTS", {}))
    for each in _named(type(value)):
        held = getattr(value, each.name)
        if held is None or held == ():
            continue
        path = each.metadata["aws"]
        if each.metadata["of"]:
            held = to_aws(held)
        elif isinstance(held, tuple):
            held = [{each.metadata["item"]: text} for text in held] if each.metadata["item"] else list(held)
        if not path:
            request |= held
            continue
        *parents, last = path.split(".")
        place = request
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = held
    return request


def from_aws(kind: type[T], answer: Mapping[str, Any]) -> T | None:
    """Return what an answer says in terms of C(kind), or None where it has nothing of it."""
    found: dict[str, Any] = {}
    for each in _named(kind):
        nested, path = each.metadata["of"], each.metadata["aws"]
        place = _at(answer, path)
        if place is None:
            continue
        if nested:
            place = from_aws(nested, place)
        elif isinstance(place, list):
            place = tuple(entry[each.metadata["item"]] if each.metadata["item"] else entry for entry in place)
        if place is not None:
            found[each.name] = place
    required = (each.name for each in _named(kind) if each.default is MISSING)
    return kind(**found) if found and all(name in found for name in required) else None


def _at(answer: Mapping[str, Any], path: str) -> Any:
    place: Any = answer
    for name in path.split(".") if path else ():
        place = place.get(name) if isinstance(place, Mapping) else None
    return place


def from_options(kind: type[T], options: Mapping[str, Any]) -> T:
    """Return a module's (validated) options in terms of C(kind); options that were not given are not set."""
    given: dict[str, Any] = {}
    for each in _named(kind):
        value = options.get(each.name)
        if value is None:
            continue
        nested = each.metadata["of"]
        if nested:
            value = from_options(nested, value)
        elif isinstance(value, list):
            value = tuple(value)
        given[each.name] = value
    return kind(**given)


def document(value: Any) -> dict[str, Any]:
    """Return a specification as plain data in this module's words, without what is not set: for names and results."""
    plain: dict[str, Any] = {}
    for each in _named(type(value)):
        held = getattr(value, each.name)
        if held is None or held == ():
            continue
        if each.metadata["of"]:
            held = document(held)
        plain[each.name] = list(held) if isinstance(held, tuple) else held
    return plain


def differences(was: Any, wanted: Any) -> list[str]:
    """Return phrases such as "memory 2048 → 4096 MB" for two specifications of one kind."""
    phrases: list[str] = []
    for each in _named(type(wanted)):
        before, after = getattr(was, each.name), getattr(wanted, each.name)
        label = each.metadata["label"]
        if before == after or not (label or each.metadata["of"]):
            continue
        if each.metadata["of"]:
            if before is None or after is None:
                phrases.append(f"{label} {'added' if before is None else 'removed'}")
            else:
                phrases += differences(before, after)
            continue
        phrases.append(f"{label} {_shown(before)} → {_shown(after)}{each.metadata['unit']}")
    return phrases


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(value)
    return str(value)
