# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a log's end. Pure."""

from __future__ import annotations

from .components import link, log
from .layout import Page
from .markup import Markup, element, join
from .page_data import LogTail


def log_page(tail: LogTail, path: str, refreshing: bool, back: tuple[str, str] | None = None) -> Page:
    """A log, as much of its end as was read. back: where it belongs to, as an address and a name."""
    heading: list[Markup] = [element("h1", tail.title)]
    if back:
        heading.append(link(back[0], back[1]))
    body = log(tail)
    return Page(
        tail.title,
        path,
        join([element("div", *heading, class_="title"), element("section", body, class_="full")]),
        refreshing,
    )
