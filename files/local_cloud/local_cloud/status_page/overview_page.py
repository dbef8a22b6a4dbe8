# SPDX-License-Identifier: GPL-3.0-or-later
"""The front page: what this is, how to reach it, and all that goes on in it. Pure."""

from __future__ import annotations

from collections import Counter

from . import paths
from .activity import calls_table, requests_table
from .components import Cell, code, definitions, empty, link, log, notice, section
from .endpoint_view import card, endpoints_table, urgency
from .layout import Page
from .markup import NOTHING, Markup, element, join
from .page_data import Overview
from .resources import client_panel, configs_table, faults_table, models_table, routes_panel, targets_table
from .wording import duration, number, plural, size

# Endpoints in full on the front page; the others are a row each on their own page.
CARDS = 12
# Configs and models on the front page: those in use, then the newest.
LISTED = 10
LOG_LINES = 20


def overview_page(overview: Overview, refreshing: bool) -> Page:
    """The front page."""
    facts, now = overview.facts, overview.now
    endpoints = sorted(overview.endpoints, key=urgency)
    configs = sorted(overview.configs, key=lambda config: (not config.used_by, -config.created))
    models = sorted(overview.models, key=lambda model: (not model.used_by, -model.created))
    all_models = link(paths.models(), "All")
    main = join(
        [
            element("div", element("h1", "Local cloud"), class_="title"),
            element(
                "p",
                "AWS on this machine: SageMaker with real serving processes, and ministack for the other services. ",
                _counted(overview),
                class_="lead",
            ),
            _faults(overview),
            element("div", element("div", _facts(overview), class_="panel"), client_panel(facts), class_="intro"),
            section(
                "urls", "URLs of what is deployed", routes_panel(overview.routes, facts), count=len(overview.routes)
            ),
            section(
                "endpoints",
                "Endpoints",
                *(card(endpoint, facts, now) for endpoint in endpoints[:CARDS]),
                NOTHING if endpoints else empty("No endpoint yet: ", code("make deploy"), " makes one."),
                element("div", endpoints_table(endpoints[CARDS:50], facts, now), class_="panel")
                if len(endpoints) > CARDS
                else NOTHING,
                count=len(endpoints),
                more=link(paths.endpoints(), "As a list"),
            ),
            element(
                "div",
                section("requests", "Latest requests", requests_table(overview.requests, facts, now)),
                section(
                    "calls",
                    "Latest calls",
                    calls_table(overview.calls, facts, now),
                    more=link(paths.calls(), "All calls"),
                ),
                class_="columns",
            ),
            section(
                "configs",
                "Endpoint configs",
                configs_table(configs[:LISTED], facts, now),
                count=len(configs),
                more=all_models,
            ),
            section("models", "Models", models_table(models[:LISTED], facts, now), count=len(models), more=all_models),
            section("scaling", "Scalable targets", targets_table(overview.targets, facts), count=len(overview.targets)),
            section(
                "log",
                "The cloud's own log",
                log(overview.log, LOG_LINES) if overview.log else NOTHING,
                more=link(paths.cloud_log(), "More of it"),
            ),
        ]
    )
    return Page(_title(overview), paths.FRONT, main, refreshing)


def _title(overview: Overview) -> str:
    """What a browser's tab says: trouble first, so that it is seen from another tab."""
    failed = sum(endpoint.status in ("Failed", "UpdateRollbackFailed") for endpoint in overview.endpoints)
    return f"{failed} failed · Local cloud" if failed else "Local cloud"


def _counted(overview: Overview) -> str:
    states = Counter(endpoint.status for endpoint in overview.endpoints)
    if not states:
        return ""
    containers = sum(len(endpoint.containers) for endpoint in overview.endpoints)
    listed = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return f"{plural(len(overview.endpoints), 'endpoint')} ({listed}), {plural(containers, 'container')}."


def _faults(overview: Overview) -> Markup:
    if not overview.faults:
        return NOTHING
    title = f"{plural(len(overview.faults), 'fault')} armed: what fails here may be meant to"
    return notice("warn", title, faults_table(overview.faults))


def _facts(overview: Overview) -> Markup:
    facts = overview.facts
    containers = [container for endpoint in overview.endpoints for container in endpoint.containers]
    theirs = sum(container.memory or 0 for container in containers)
    pairs: list[tuple[str, Cell]] = [
        ("Address", code(facts.url)),
        ("Account", code(facts.caller.account)),
        ("Region", code(facts.caller.region)),
        ("Up for", f"{duration(overview.now - facts.started)}, pid {facts.pid}"),
        ("Memory", size(facts.memory) + (f", containers {size(theirs)}" if theirs else "")),
        ("Docker engine", facts.docker_host or "none: process images only"),
        ("Permissions", "enforced" if facts.enforce_iam else "not checked"),
        ("AWS's waits", _pace(facts.time_scale)),
        ("Startup limit", duration(facts.startup_timeout) if facts.startup_timeout else "as AWS's"),
    ]
    if facts.provisioning_seconds:
        pairs.append(("Provisioning", f"{number(facts.provisioning_seconds)} s an instance"))
    wide: list[tuple[str, Cell]] = [("Home", code(facts.home))]
    if facts.stages:
        wide.append(("Stages that use it", ", ".join(facts.stages)))
    return definitions(pairs, wide)


def _pace(time_scale: float) -> str:
    return "in full" if time_scale == 1 else f"× {number(time_scale)}"
