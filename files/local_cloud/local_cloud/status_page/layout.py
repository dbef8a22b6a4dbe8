# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame around every page: head, navigation, footer, and the headers that keep a browser from doing more. Pure."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from ..aws.json_protocol import Response
from . import paths
from .components import link
from .markup import NOTHING, Markup, element, join
from .page_data import CloudFacts

# Seconds between two loads of a page whose reader asked for that.
REFRESH_SECONDS = 5

_PAGES = (
    (paths.FRONT, "Overview"),
    (paths.endpoints(), "Endpoints"),
    (paths.models(), "Models"),
    (paths.calls(), "Calls"),
    (paths.cloud_log(), "Log"),
)


@dataclass(frozen=True)
class Page:
    """One page. path: its own address, without a query. refreshing: whether its reader wants it loaded again."""

    title: str
    path: str
    main: Markup
    refreshing: bool = False
    status: int = 200


def respond(page: Page, facts: CloudFacts) -> Response:
    """The HTTP answer with a page."""
    style = _style()
    html = _template().substitute(
        title=join([page.title]),
        address=join([facts.url.removeprefix("http://")]),
        refresh=element("meta", http_equiv="refresh", content=REFRESH_SECONDS) if page.refreshing else NOTHING,
        style=style,
        pages=join(link(href, name, current=href == page.path) for href, name in _PAGES),
        refreshing=_refreshing(page),
        main=page.main,
        footer=_footer(facts),
    )
    return Response(page.status, html.encode(), _headers(style))


def refuse(status: int, sentence: str) -> Response:
    """The HTTP answer to who may not see a page."""
    headers = {**_headers(_style()), "content-type": "text/plain; charset=utf-8"}
    return Response(status, (sentence + "\n").encode(), headers)


def _refreshing(page: Page) -> Markup:
    return join(
        [
            "Refresh ",
            link(page.path, "off", current=not page.refreshing),
            link(f"{page.path}?refresh={REFRESH_SECONDS}", f"every {REFRESH_SECONDS} s", current=page.refreshing),
        ]
    )


def _footer(facts: CloudFacts) -> Markup:
    return join(
        [
            f"Times are in {facts.zone}. For programs: ",
            link("/_local_cloud/health", "/_local_cloud/health"),
            " and ",
            link("/_local_cloud/calls?since=0", "/_local_cloud/calls?since=0"),
            ".",
        ]
    )


def _headers(style: str) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }


@cache
def _style() -> Markup:
    return Markup(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))


@cache
def _template() -> Template:
    return Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
