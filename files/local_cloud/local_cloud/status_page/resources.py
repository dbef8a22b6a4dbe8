# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set up around endpoints: configs, models, URLs, scalable targets, faults. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from . import paths
from .components import Cell, code, command, empty, link, listed, muted, place, section, stage_of, table, when
from .layout import Page
from .markup import Markup, element, join
from .page_data import CloudFacts, ConfigFacts, FaultFacts, ModelFacts, Overview, RouteFacts, ScalableTargetFacts
from .wording import short_digest

# Endpoints that are named next to a config or a model that they share.
_MOST_NAMES = 5


def configs_table(configs: Sequence[ConfigFacts], facts: CloudFacts, now: float) -> Markup:
    """Endpoint configs, and which endpoints they are in use by."""
    if not configs:
        return empty("No endpoint config yet: ", code("make deploy"), " makes one.")
    rows: list[list[Cell]] = [
        [
            code(config.name),
            _names(config.used_by, config),
            join([", ".join(config.kinds)]),
            join((code(name) for name in config.models), ", "),
            stage_of(config.tags),
            when(config.created, now),
        ]
        for config in configs
    ]
    return table("Endpoint configs", ("Endpoint config", "In use by", "Capacity", "Models", "Stage", "Created"), rows)


def models_table(models: Sequence[ModelFacts], facts: CloudFacts, now: float) -> Markup:
    """Models, and which endpoints they serve."""
    if not models:
        return empty("No model yet: ", code("make deploy"), " makes one.")
    rows: list[list[Cell]] = [
        [
            code(model.name),
            _names(model.used_by, model),
            element("code", short_digest(model.image), title=model.image, class_="digest"),
            code(model.artifact) if model.artifact else muted("none"),
            stage_of(model.tags),
            when(model.created, now),
        ]
        for model in models
    ]
    return table("Models", ("Model", "In use by", "Image", "Artifact", "Stage", "Created"), rows)


def routes_panel(routes: Sequence[RouteFacts], facts: CloudFacts) -> Markup:
    """The URLs that people use, each with a line to try it."""
    if not routes:
        return empty("No HTTP API yet: ", code("make deploy"), " makes one and prints its URL.")
    return join(
        element(
            "div",
            element(
                "div",
                element("strong", f"{route.method} ", code(route.url)),
                element("span", muted("API "), route.api),
                element("span", muted("stage "), stage_of(route.tags)) if route.tags else None,
                place(route.caller, facts.caller),
                class_="between",
            ),
            command(curl(route)),
            class_="panel route",
        )
        for route in routes
    )


def curl(route: RouteFacts) -> str:
    """A command line that sends a request to a route."""
    if route.method in ("GET", "HEAD"):
        return f"curl -sS '{route.url}'"
    method = "POST" if route.method == "ANY" else route.method
    return (
        f"curl -sS -X {method} '{route.url}' -H 'content-type: application/json' "
        """-d '{"inputs": ["I love this.", "It broke."]}'"""
    )


def targets_table(targets: Sequence[ScalableTargetFacts], facts: CloudFacts) -> Markup:
    """Scalable targets with their policies."""
    if not targets:
        return empty("Nothing scales by itself: no variant is registered as a scalable target.")
    rows: list[list[Cell]] = [
        [
            join([link(paths.endpoint(target.caller, target.endpoint), target.endpoint), " ", target.variant]),
            target.dimension,
            f"{target.minimum} to {target.maximum}",
            _lines(target.rules, "none"),
            target.last or muted("nothing yet"),
            _lines(target.suspended, "nothing"),
        ]
        for target in targets
    ]
    return table(
        "Scalable targets",
        ("Variant", "Scales", "Between", "Policies and scheduled actions", "Latest activity", "Suspended"),
        rows,
    )


def faults_table(faults: Sequence[FaultFacts]) -> Markup:
    """Faults that are armed."""
    rows: list[list[Cell]] = [
        [
            code(fault.fault_id),
            fault.kind,
            fault.where,
            fault.left,
            fault.so_far or muted("–"),
            fault.note or muted("–"),
        ]
        for fault in faults
    ]
    return table("Active faults", ("Fault", "Kind", "Strikes", "Left", "So far", "Details"), rows)


def models_page(overview: Overview, refreshing: bool) -> Page:
    """The page of everything that endpoints are made of."""
    facts, now = overview.facts, overview.now
    configs, more_configs = listed(
        sorted(overview.configs, key=lambda config: -config.created), "aws sagemaker list-endpoint-configs"
    )
    models, more_models = listed(sorted(overview.models, key=lambda model: -model.created), "aws sagemaker list-models")
    main = join(
        [
            element("div", element("h1", "Models and endpoint configs"), class_="title"),
            element("p", "What endpoints are made of, the newest first. A deploy makes new ones.", class_="lead"),
            section(
                "configs",
                "Endpoint configs",
                configs_table(configs, facts, now),
                more_configs,
                count=len(overview.configs),
            ),
            section("models", "Models", models_table(models, facts, now), more_models, count=len(overview.models)),
        ]
    )
    return Page("Models and endpoint configs", paths.models(), main, refreshing)


def client_panel(facts: CloudFacts) -> Markup:
    """How any AWS client is pointed at this cloud."""
    lines = {
        "AWS_ENDPOINT_URL": facts.url,
        "AWS_ACCESS_KEY_ID": facts.caller.account,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": facts.caller.region,
        "AWS_DEFAULT_REGION": facts.caller.region,
    }
    if facts.enforce_iam:
        lines["AWS_ACCESS_KEY_ID"], lines["AWS_SECRET_ACCESS_KEY"] = "…", "…"
        hint = "Permissions are enforced: use an access key that this cloud's IAM has made."
    else:
        hint = "An access key of 12 digits is the account; the secret is not looked at."
    return element(
        "div",
        element("h2", "Point a client at it"),
        command("\n".join(f"export {name}={value}" for name, value in lines.items())),
        element("p", hint, " A stage's own lines: ", code('eval "$(make -s env)"'), class_="muted"),
        class_="panel route",
    )


def _names(names: Sequence[str], owner: ConfigFacts | ModelFacts) -> Markup:
    if not names:
        return muted("not in use")
    shown = [link(paths.endpoint(owner.caller, name), name) for name in names[:_MOST_NAMES]]
    if others := len(names) - len(shown):
        shown.append(muted(f"{others} more"))
    return join(shown, ", ")


def _lines(sentences: Sequence[str], nothing: str) -> Markup:
    return join(sentences, element("br")) if sentences else muted(nothing)
