# SPDX-License-Identifier: GPL-3.0-or-later
"""An endpoint as people see it: on the front page as a card, on its own page with its logs and requests. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..sagemaker.lifecycle import ANSWERING
from . import paths
from .activity import calls_table, requests_table
from .advice import advise
from .components import (
    Cell,
    badge,
    code,
    command,
    definitions,
    empty,
    link,
    listed,
    log,
    muted,
    notice,
    place,
    section,
    stage_of,
    table,
    when,
)
from .layout import Page
from .markup import NOTHING, Markup, element, join
from .page_data import CloudFacts, ContainerFacts, EndpointDetail, EndpointFacts, Overview, UpdateFacts, VariantFacts
from .resources import faults_table, targets_table
from .wording import number, short_digest, size

# Trouble first, then what is on its way, then what just serves.
_URGENCY = ("Failed", "UpdateRollbackFailed", "RollingBack", "Creating", "Updating", "SystemUpdating", "Deleting")


def urgency(endpoint: EndpointFacts) -> tuple[int, float]:
    """A sort key: what needs to be looked at first, and the latest change first among equals."""
    rank = _URGENCY.index(endpoint.status) if endpoint.status in _URGENCY else len(_URGENCY)
    return rank, -endpoint.modified


def card(endpoint: EndpointFacts, facts: CloudFacts, now: float) -> Markup:
    """The endpoint on the front page."""
    address = paths.endpoint(endpoint.caller, endpoint.name)
    return element(
        "article",
        element(
            "div",
            element("h3", link(address, endpoint.name)),
            badge(endpoint.status),
            place(endpoint.caller, facts.caller),
            link(address, "Logs and requests"),
            class_="title",
        ),
        _summary(endpoint, now),
        advice_notice(endpoint, now),
        traffic_split(endpoint.update),
        variants_table(endpoint),
        containers_table(endpoint, now),
        class_="panel endpoint",
    )


def endpoints_table(endpoints: Sequence[EndpointFacts], facts: CloudFacts, now: float) -> Markup:
    """Endpoints, a row each."""
    rows: list[list[Cell]] = [
        [
            link(paths.endpoint(endpoint.caller, endpoint.name), endpoint.name),
            badge(endpoint.status),
            code(endpoint.config),
            stage_of(endpoint.tags),
            f"{sum(container.state == 'healthy' for container in endpoint.containers)}",
            when(endpoint.modified, now),
            place(endpoint.caller, facts.caller) or muted("default"),
        ]
        for endpoint in endpoints
    ]
    columns = ("Endpoint", "State", "Config", "Stage", "#Healthy", "Changed", "Account · region")
    return table("Endpoints", columns, rows)


def endpoint_page(detail: EndpointDetail, refreshing: bool) -> Page:
    """The page of one endpoint."""
    endpoint, facts, now = detail.endpoint, detail.facts, detail.now
    logs = [element("div", log(tail), class_="panel") for tail in detail.logs]
    nothing_logged = empty("No container of this endpoint has started yet, so there is no log. ", _cloud_log_hint())
    serving = [
        part
        for part in (
            traffic_split(endpoint.update),
            variants_table(endpoint),
            containers_table(endpoint, now),
        )
        if part
    ]
    main = join(
        [
            element("div", element("h1", endpoint.name), badge(endpoint.status), class_="title"),
            _summary(endpoint, now),
            advice_notice(endpoint, now),
            section("serving", "What serves", element("div", *serving, class_="panel endpoint"))
            if serving
            else NOTHING,
            section("logs", "Container logs", *logs or [nothing_logged], _older_logs(detail)),
            element(
                "div",
                section("requests", "Latest requests", requests_table(detail.requests, facts, now, of_one=True)),
                section("calls", "Latest writes", calls_table(detail.calls, facts, now)),
                class_="columns",
            ),
            section("faults", "Active faults", faults_table(detail.faults)) if detail.faults else NOTHING,
            section("scaling", "Scalable targets", targets_table(detail.targets, facts)) if detail.targets else NOTHING,
            section("invoke", "Send it a request", command(_invoke(endpoint.name)))
            if endpoint.status in ANSWERING
            else NOTHING,
            section("about", "About", element("div", _about(endpoint), class_="panel")),
        ]
    )
    title = f"{endpoint.name}: {endpoint.status}"
    return Page(title, paths.endpoint(endpoint.caller, endpoint.name), main, refreshing)


def endpoints_page(overview: Overview, refreshing: bool) -> Page:
    """The page of every endpoint, a row each."""
    facts, found = overview.facts, overview.endpoints
    none = empty("No endpoint yet: ", code("make deploy"), " makes one.")
    shown, more = listed(sorted(found, key=urgency), "aws sagemaker list-endpoints")
    main = join(
        [
            element("div", element("h1", "Endpoints"), class_="title"),
            element("p", "Of every account and region; what needs to be looked at comes first.", class_="lead"),
            element(
                "section", endpoints_table(shown, facts, overview.now) if found else none, more, aria_label="Endpoints"
            ),
        ]
    )
    return Page("Endpoints", paths.endpoints(), main, refreshing)


def advice_notice(endpoint: EndpointFacts, now: float) -> Markup:
    """What the endpoint's state means, where it means more than that all is well."""
    advice = advise(endpoint, now)
    if advice is None:
        return NOTHING
    return notice(
        advice.tone,
        advice.title,
        element("p", advice.quoted, class_="reason") if advice.quoted else NOTHING,
        element("p", advice.sentence) if advice.sentence else NOTHING,
        command(advice.command) if advice.command else NOTHING,
    )


def traffic_split(update: UpdateFacts | None) -> Markup:
    """How an update shares the traffic between the old fleet and the new one."""
    if update is None:
        return NOTHING
    green = round(update.green_percent)
    return element(
        "div",
        element(
            "div",
            element("span", _fleet("blue"), f" {100 - green} % of the traffic"),
            element("span", _fleet("green"), f" {green} %"),
            class_="between",
        ),
        element(
            "svg",
            element("rect", width=100, height=1, class_="green-share"),
            element("rect", width=100 - green, height=1, class_="blue-share"),
            viewBox="0 0 100 1",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        class_="split",
    )


def variants_table(endpoint: EndpointFacts) -> Markup:
    """The variants, in each fleet that has them."""
    if not endpoint.variants:
        return NOTHING
    rows = [_variant(variant, endpoint) for variant in endpoint.variants]
    columns = ("Variant", "Model", "Image", "Capacity", "#Current / desired", "#Weight")
    return table(f"Variants of {endpoint.name}", columns, rows)


def containers_table(endpoint: EndpointFacts, now: float) -> Markup:
    """The containers, healthy or not."""
    if not endpoint.containers:
        return NOTHING if endpoint.status != "InService" else empty(_no_containers(endpoint))
    rows = [_container(container, endpoint, now) for container in endpoint.containers]
    columns = ("Container", "Variant", "State", "Process", "#Port", "#In flight", "#Memory", "Started", "Output")
    return table(f"Containers of {endpoint.name}", columns, rows)


def _variant(variant: VariantFacts, endpoint: EndpointFacts) -> list[Cell]:
    count = "on demand" if variant.serverless and not variant.desired else f"{variant.current} / {variant.desired}"
    return [
        join([variant.name, " ", _fleet(variant.fleet)]) if _has_fleets(endpoint) else variant.name,
        code(variant.model),
        element("code", short_digest(variant.image), title=variant.image, class_="digest")
        if variant.image
        else muted("not found yet"),
        variant.kind,
        count,
        number(variant.weight),
    ]


def _container(container: ContainerFacts, endpoint: EndpointFacts, now: float) -> list[Cell]:
    process = f"pid {container.pid}" if container.pid else (container.docker_id or "")[:12] or muted("–")
    return [
        code(container.container_id),
        join([container.variant, " ", _fleet(container.fleet)]) if _has_fleets(endpoint) else container.variant,
        element("span", badge(container.state), muted(f" {container.waiting_for}") if container.waiting_for else None),
        process,
        container.port if container.port else muted("–"),
        container.in_flight,
        size(container.memory),
        when(container.started, now),
        link(paths.container_log(endpoint.caller, endpoint.name, container.container_id), "log"),
    ]


def _has_fleets(endpoint: EndpointFacts) -> bool:
    """Whether there is more than the one fleet that serves: an update's, a shadow, or what a failed rollback left."""
    fleets = {variant.fleet for variant in endpoint.variants} | {container.fleet for container in endpoint.containers}
    return len(fleets) > 1


def _fleet(name: str) -> Markup:
    return element("span", name, class_=name) if name else NOTHING


def _summary(endpoint: EndpointFacts, now: float) -> Markup:
    parts: list[Markup] = [
        element("span", "config ", code(endpoint.config)),
        element("span", "created ", when(endpoint.created, now)),
        element("span", "changed ", when(endpoint.modified, now)),
    ]
    if endpoint.tags:
        parts.append(element("span", "stage ", stage_of(endpoint.tags)))
    return element("p", *parts, class_="between muted")


def _about(endpoint: EndpointFacts) -> Markup:
    tags = join((code(f"{key}={value}") for key, value in sorted(endpoint.tags.items())), element("br"))
    arn = endpoint.caller.arn("sagemaker", f"endpoint/{endpoint.name.lower()}")
    pairs: list[tuple[str, Cell]] = [
        ("Account", endpoint.caller.account),
        ("Region", endpoint.caller.region),
    ]
    log_group = code(f"/aws/sagemaker/Endpoints/{endpoint.name}")
    return definitions(pairs, [("ARN", code(arn)), ("Log group", log_group), ("Tags", tags or muted("none"))])


def _older_logs(detail: EndpointDetail) -> Markup:
    if not detail.older_logs:
        return NOTHING
    endpoint = detail.endpoint
    items = [
        element(
            "li",
            link(paths.container_log(endpoint.caller, endpoint.name, older.container_id), code(older.container_id)),
            muted(" last written to ", when(older.ended, detail.now)),
        )
        for older in detail.older_logs
    ]
    return element(
        "details", element("summary", f"Logs of containers that are gone ({len(items)})"), element("ul", *items)
    )


def _no_containers(endpoint: EndpointFacts) -> str:
    if all(variant.serverless for variant in endpoint.variants):
        return "It is cold: the next request starts a container."
    return "No container runs at the moment."


def _cloud_log_hint() -> Markup:
    return join(["What the cloud says about it is in ", link(paths.cloud_log(), "its own log"), "."])


def _invoke(name: str) -> str:
    body = json.dumps({"inputs": ["I love this."]})
    return (
        f"aws sagemaker-runtime invoke-endpoint --endpoint-name {name} --content-type application/json "
        f"--cli-binary-format raw-in-base64-out --body '{body}' /dev/stdout"
    )
