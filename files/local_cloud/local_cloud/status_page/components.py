# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces that every page is made of: tables, badges, times, commands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TypeVar

from ..aws.caller import Caller
from .markup import NOTHING, Markup, element, join
from .page_data import LogTail, Tags
from .wording import ago, plural

Cell = Markup | str | int | None
T = TypeVar("T")

# A state's colour. The word always stands next to it.
_TONES = {
    "InService": "good",
    "healthy": "good",
    "Creating": "busy",
    "Updating": "busy",
    "SystemUpdating": "busy",
    "starting": "busy",
    "draining": "busy",
    "RollingBack": "warn",
    "Deleting": "warn",
    "unhealthy": "warn",
    "Failed": "bad",
    "UpdateRollbackFailed": "bad",
}
# A page longer than this is slow to make and of no use to read.
MOST_ROWS = 200
_PROJECT_TAG, _STAGE_TAG = "modelhost:project", "modelhost:stage"


def badge(state: str) -> Markup:
    """A state, with its colour and its word."""
    return element("span", state, class_=f"badge {_TONES.get(state, 'off')}")


def code(content: str) -> Markup:
    return element("code", content)


def muted(*content: Cell) -> Markup:
    return element("span", *content, class_="muted")


def link(href: str, *content: Cell, current: bool = False) -> Markup:
    return element("a", *content, href=href, aria_current="page" if current else None)


def command(content: str) -> Markup:
    """A command or a value to copy: one click selects all of it."""
    return element("pre", element("code", content), class_="command")


def when(then: float | None, now: float) -> Markup:
    """How long ago, with the full time for those who point at it."""
    if then is None:
        return muted("–")
    moment = datetime.fromtimestamp(then, UTC).isoformat(timespec="seconds")
    return element("time", ago(then, now), datetime=moment, title=moment)


def clock(then: float, zone: tzinfo, now: float) -> Markup:
    """The time of day, to the millisecond as logs have it; with the day where it is another than today's."""
    moment, today = datetime.fromtimestamp(then, zone), datetime.fromtimestamp(now, zone).date()
    shown = moment.strftime("%H:%M:%S") if moment.date() == today else moment.strftime("%d %b %H:%M:%S")
    fraction = element("span", f".{moment.microsecond // 1000:03d}", class_="fraction")
    return element("time", shown, fraction, datetime=moment.isoformat(timespec="milliseconds"))


def place(caller: Caller, default: Caller) -> Markup:
    """Account and region, where they are not the default ones."""
    return NOTHING if caller == default else muted(f"{caller.account} · {caller.region}")


def stage_of(tags: Tags) -> Cell:
    """The project and the stage that made something, from its tags."""
    known = [tags[key] for key in (_PROJECT_TAG, _STAGE_TAG) if key in tags]
    others = "\n".join(f"{key}={value}" for key, value in tags.items() if key not in (_PROJECT_TAG, _STAGE_TAG))
    if not known:
        return element("span", plural(len(tags), "tag"), title=others) if tags else muted("–")
    return element("span", " / ".join(known), title=others or None)


def definitions(pairs: Iterable[tuple[str, Cell]], wide: Iterable[tuple[str, Cell]] = ()) -> Markup:
    """Names and values, side by side, and below them those of `wide`, a line each."""
    short = [element("div", element("dt", name), element("dd", value)) for name, value in pairs]
    long = [element("div", element("dt", name), element("dd", value), class_="wide") for name, value in wide]
    return element("dl", *short, *long, class_="facts")


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], class_: str = "") -> Markup:
    """A table whose first column names the row. A column whose name starts with "#" holds numbers.

    The roles are spelled out because a narrow screen shows each row as a block, which takes a table's meaning from it.
    """
    names = [name.removeprefix("#") for name in columns]
    kinds = ["number" if name.startswith("#") else None for name in columns]
    head = [
        element("th", name, scope="col", role="columnheader", class_=kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    body = [
        element(
            "tr",
            element("th", row[0], scope="row", role="rowheader", data_label=names[0], class_=kinds[0]),
            *(
                element("td", cell, role="cell", data_label=name, class_=kind)
                for cell, name, kind in zip(row[1:], names[1:], kinds[1:], strict=True)
            ),
            role="row",
        )
        for row in rows
    ]
    return element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", element("tr", *head, role="row"), role="rowgroup"),
        element("tbody", *body, role="rowgroup"),
        role="table",
        class_=class_ or None,
    )


def section(anchor: str, title: str, *content: Cell, count: int | None = None, more: Markup = NOTHING) -> Markup:
    """A part of a page, under a heading. count: how many there are of it. more: a link beside the heading."""
    heading = element("h2", title, NOTHING if count is None else element("span", count, class_="count"), id=anchor)
    return element("section", element("div", heading, more, class_="heading"), *content, aria_labelledby=anchor)


def empty(*content: Cell) -> Markup:
    """What stands where nothing is yet, and says what to do about it."""
    return element("p", *content, class_="empty")


def listed(rows: Sequence[T], how: str) -> tuple[Sequence[T], Markup]:
    """The first of many, and a word on the others: `how` lists them all."""
    others = len(rows) - MOST_ROWS
    if others <= 0:
        return rows, NOTHING
    return rows[:MOST_ROWS], empty(f"{others} more: ", code(how), " lists them all.")


def notice(tone: str, title: str, *content: Cell) -> Markup:
    """Something that needs to be read: tone is "bad", "warn", "busy" or "off"."""
    return element("div", element("strong", title), *content, class_=f"notice {tone}")


def log(tail: LogTail, lines: int | None = None) -> Markup:
    """The end of a log, at most its last `lines` lines."""
    if not tail.lines:
        return empty("Nothing has been written to ", code(tail.path), " yet.")
    shown = tail.lines if lines is None else tail.lines[-lines:]
    cut = len(shown) < len(tail.lines) or not tail.whole
    return join(
        [
            element("p", "The end of " if cut else "", code(tail.path), class_="muted log-path"),
            # Inside an element that lays out from its end, the last lines are the ones in sight.
            element("pre", code("\n".join(shown)), class_="log", tabindex="0", role="region", aria_label=tail.title),
        ]
    )
