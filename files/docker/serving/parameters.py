# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller may say under "parameters": one check for each, with a sentence where a value does not fit."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from serving.errors import InputError

# Takes the parameter's name and value, gives the value to use, raises InputError.
Check = Callable[[str, Any], Any]


def check_parameters(parameters: Mapping[str, Any], known: Mapping[str, Check]) -> dict[str, Any]:
    """Check every parameter of a request.

    Raises:
        InputError: a name that the task does not know, or a value of the wrong kind.
    """
    for name in parameters:
        if name not in known:
            # The name is the caller's text and may be anything; those that are known say enough.
            raise InputError(f"An unknown parameter was given; known are {', '.join(sorted(known))}.")
    return {name: known[name](name, value) for name, value in parameters.items()}


def frozen(value: Any) -> Hashable:
    """A hashable copy of a JSON value, so that requests with the same parameters can share a batch.

    True and 1 are equal in Python and not in JSON, so scalars carry their type.
    """
    if isinstance(value, Mapping):
        return tuple(sorted((name, frozen(entry)) for name, entry in value.items()))
    if isinstance(value, list | tuple):
        return tuple(frozen(entry) for entry in value)
    return (type(value).__name__, value)


def whole(low: int, high: int, *, or_null: bool = False) -> Check:
    """A whole number between two, both included."""

    def check(name: str, value: Any) -> int | None:
        if value is None and or_null:
            return None
        # bool is a kind of int in Python, not in JSON.
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InputError(f"{name} must be a whole number from {low} to {high}{', or null' if or_null else ''}.")
        return value

    return check


def number(low: float, high: float = math.inf, *, above: bool = False) -> Check:
    """A number between two, both included; with `above` the lower one is not."""

    def check(name: str, value: Any) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not fits or (above and value == low):
            least = f"above {low:g}" if above else f"of at least {low:g}"
            most = "" if math.isinf(high) else f" and at most {high:g}"
            raise InputError(f"{name} must be a number {least}{most}.")
        return float(value)

    return check


def boolean(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false.")
    return value


def one_of(*choices: Any) -> Check:
    """One of a few values."""

    def check(name: str, value: Any) -> Any:
        # `in` would take 1 for true.
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise InputError(f"{name} must be one of {', '.join(_shown(choice) for choice in choices)}.")
        return value

    return check


def text(name: str, value: Any) -> str:
    """A text that a tokenizer can read: half of a surrogate pair is none."""
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{name} is not valid text: character {error.start} is half a surrogate pair.") from None
    return value


def texts(most: int, *, empty: bool = False) -> Check:
    """A list of texts; one text counts as a list of one."""

    def check(name: str, value: Any) -> list[str]:
        entries = [value] if isinstance(value, str) else value
        if not isinstance(entries, list) or not (entries or empty) or len(entries) > most:
            raise InputError(f"{name} must be a text or a list of {0 if empty else 1} to {most} texts.")
        return [text(name, entry) for entry in entries]

    return check


def template(name: str, value: Any) -> str:
    """A text with {} where a label goes, and with nothing else that Python's str.format would act on."""
    wanted = text(name, value)
    try:
        fields = [part[1:] for part in string.Formatter().parse(wanted) if part[1] is not None]
    except ValueError:
        fields = []
    # A format specification may ask for a gigabyte of spaces, and a field name may reach into objects.
    if not fields or any(field not in (("", "", None), ("0", "", None)) for field in fields):
        raise InputError(f"{name} must be a text with {{}} in the place of the label.")
    return wanted


def numbers(count: int, low: float) -> Check:
    """A number, or a list of so many."""

    def check(name: str, value: Any) -> Any:
        single = number(low)
        if not isinstance(value, list):
            return single(name, value)
        if len(value) != count:
            raise InputError(f"{name} must be a number or a list of {count} numbers.")
        return [single(name, entry) for entry in value]

    return check


def _shown(choice: Any) -> str:
    return {True: "true", False: "false", None: "null"}.get(choice, f'"{choice}"') if choice != 1 else "true"
