# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns of AWS's service models, which are Java's, for Python's re."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Java's other names for classes of characters, as the inside of a set.
_POSIX_CLASSES = {"ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e", "Graph": r"\x21-\x7e", "Alnum": "0-9A-Za-z"}
# What its patterns write in another way than Python's.
_SPELLING = {r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF", r"\z": r"\Z"}
_TOKEN = re.compile(r"\\p\{(\w+)\}|\\.|.", re.DOTALL)
# No letter, mark, number or separator has been given a place beyond these planes.
_LAST_CODE_POINT = 0x33FFF


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """A service model's pattern. Raises re.error for one that Python cannot express.

    As in Java, the classes \\w, \\d and \\s are ASCII's unless a pattern names a Unicode category with \\p, and a dot
    does not match the end of a line.
    """
    for java, python in _SPELLING.items():
        pattern = pattern.replace(java, python)
    translated, in_set = [], False
    for token in _TOKEN.finditer(pattern):
        if token[1]:
            members = _members(token[1])
            translated.append(members if in_set else f"[{members}]")
        elif token[0] == "." and not in_set:
            translated.append("[^\\n\\r\\x85\\u2028\\u2029]")
        else:
            in_set = token[0] == "[" or (in_set and token[0] != "]")
            translated.append(token[0])
    return re.compile("".join(translated), re.ASCII)


def _members(name: str) -> str:
    if name in _POSIX_CLASSES:
        return _POSIX_CLASSES[name]
    return "".join(_ranges(name.removeprefix("Is")))


@lru_cache(maxsize=8)
def _ranges(category: str) -> tuple[str, ...]:
    """The characters of a Unicode category, such as "L" or "Nd", as ranges of a set."""
    return tuple(
        f"\\U{first:08x}" if first == last else f"\\U{first:08x}-\\U{last:08x}" for first, last in _runs(category)
    )


def _runs(category: str) -> Iterator[tuple[int, int]]:
    first = None
    for code_point in range(_LAST_CODE_POINT + 1):
        if unicodedata.category(chr(code_point)).startswith(category):
            first = code_point if first is None else first
        elif first is not None:
            yield first, code_point - 1
            first = None
