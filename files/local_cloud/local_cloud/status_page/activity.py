# SPDX-License-Identifier: GPL-3.0-or-later
"""What has happened lately: requests to endpoints, and calls to every service. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from . import paths
from .components import Cell, clock, code, empty, link, muted, table
from .layout import Page
from .markup import Markup, element, join
from .page_data import CallFacts, CloudFacts, RequestFacts
from .wording import milliseconds

# What the page of calls can be told to show, with the words for it.
SHOWN = {
    "all": "everything",
    "writes": "changes",
    "errors": "refusals and errors",
    "data": "requests to what is deployed",
}


def requests_table(requests: Sequence[RequestFacts], facts: CloudFacts, now: float, of_one: bool = False) -> Markup:
    """Requests, the latest first. of_one: whether all are of the endpoint whose page this is."""
    if not requests:
        return empty("No request has come yet.")
    rows: list[list[Cell]] = []
    for request in requests:
        row: list[Cell] = [
            clock(request.time, facts.zone, now),
            link(paths.endpoint(request.caller, request.endpoint), request.endpoint),
            join([request.variant or "–", "" if request.kind == "invoke" else f" ({request.kind})"]),
            status(request.status, request.error),
            milliseconds(request.ms),
        ]
        rows.append(row[:1] + row[2:] if of_one else row)
    columns = ["Time", "Endpoint", "Variant", "Answer", "#ms"]
    return table("Latest requests", columns[:1] + columns[2:] if of_one else columns, rows)


def calls_table(calls: Sequence[CallFacts], facts: CloudFacts, now: float, full: bool = False) -> Markup:
    """Calls, the latest first. full: with the caller and the time taken, for a page of their own."""
    if not calls:
        return empty("No such call yet. ", code(f"export AWS_ENDPOINT_URL={facts.url}"), " points a client here.")
    rows: list[list[Cell]] = []
    for call in calls:
        row: list[Cell] = [clock(call.time, facts.zone, now), muted(call.service), _operation(call)]
        answer = status(call.status, call.error, call.fault)
        if full:
            resource = code(call.resource) if call.resource else muted("–")
            rows.append([*row, resource, answer, code(call.who), milliseconds(call.ms), call.n])
        else:
            rows.append([*row, answer])
    columns = ["Time", "Service", "Operation"]
    if full:
        columns = [*columns, "Resource", "Answer", "Caller", "#ms", "#n"]
    return table("Latest calls", columns if full else [*columns, "Answer"], rows)


def status(number: int, error: str | None, fault: str | None = None) -> Markup:
    """An HTTP status, marked where it is an error, and as a fault's doing where it is that."""
    if number == 0:
        shown = element("span", "no answer", class_="bad word")
    elif number < 400:
        shown = element("span", number, class_="muted")
    else:
        shown = element("span", f"{number} {error or ''}".rstrip(), class_="bad word")
    return join([shown, muted(f" fault {fault}")]) if fault else shown


def calls_page(
    calls: Sequence[CallFacts],
    facts: CloudFacts,
    now: float,
    *,
    show: str,
    find: str,
    older: int | None,
    refreshing: bool,
) -> Page:
    """The page of calls. older: the number of the call to go on before, where there are more."""
    options = [element("option", words, value=key, selected=key == show) for key, words in SHOWN.items()]
    form = element(
        "form",
        element("label", "Show", element("select", *options, name="show")),
        element(
            "label",
            "Service or operation contains",
            element("input", name="find", value=find, type="search", autocomplete="off"),
        ),
        element("button", "Show", type="submit"),
        method="get",
        action=paths.calls(),
    )
    further = element("p", link(paths.calls(show=show, find=find, before=older), "Older calls")) if older else None
    main = join(
        [
            element("div", element("h1", "Calls"), class_="title"),
            element(
                "p",
                "Every call that the local cloud answered, the latest first. All of them are in ",
                code(f"{facts.home}/calls.jsonl"),
                ".",
                class_="lead",
            ),
            form,
            element("section", calls_table(calls, facts, now, full=True), aria_label="Calls"),
            further,
        ]
    )
    return Page("Calls", paths.calls(), main, refreshing)


def _operation(call: CallFacts) -> Markup:
    return element("span", call.operation, class_="operation write" if call.access == "write" else "operation")
