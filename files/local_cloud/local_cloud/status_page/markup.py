# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML that cannot forget to escape: whatever is not Markup already is escaped on its way into an element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"br", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML already. Only this module, and files that the package ships, make it from a plain string."""

    __slots__ = ()


NOTHING = Markup("")


def text(content: Markup | str | int | None) -> Markup:
    """`content` as HTML: escaped, unless it is markup."""
    if content is None:
        return NOTHING
    return content if isinstance(content, Markup) else Markup(escape(str(content)))


def join(parts: Iterable[Markup | str | int | None], separator: Markup | str = "") -> Markup:
    """The parts one after another, escaped where they are not markup, as the separator is."""
    return Markup(str(text(separator)).join(text(part) for part in parts))


def element(
    name: str, /, *content: Markup | str | int | None, class_: str | None = None, **attributes: str | bool | int | None
) -> Markup:
    """One HTML element.

    attributes: an underscore in a name stands for a hyphen, and one at its end for nothing (`for_`). True is an
    attribute without a value; False and None leave it out.
    """
    given = {"class": class_, **{key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}}
    inside = "".join(
        f" {key}" if value is True else f' {key}="{escape(str(value))}"'
        for key, value in given.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{inside}>")
    return Markup(f"<{name}{inside}>{join(content)}</{name}>")
