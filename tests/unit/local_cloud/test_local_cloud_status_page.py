# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.json_protocol import Response
from local_cloud.status_page import is_for_page, is_local_host, paths
from local_cloud.status_page.activity import calls_page
from local_cloud.status_page.advice import advise
from local_cloud.status_page.endpoint_view import endpoint_page, endpoints_page, urgency
from local_cloud.status_page.layout import Page, respond
from local_cloud.status_page.log_page import log_page
from local_cloud.status_page.markup import Markup, element, join, text
from local_cloud.status_page.overview_page import CARDS, overview_page
from local_cloud.status_page.page_data import LogTail, OlderLog
from local_cloud.status_page.resources import curl, models_page
from local_cloud.status_page.wording import ago, duration, milliseconds, short_digest, size

sys.path.insert(0, str(Path(__file__).parent))

import local_cloud_page_samples as samples
from local_cloud_page_samples import NOW, container, detail, endpoint, facts, overview, variant

EVIL = "<script>alert(1)</script>\"'&"
BROWSER = {"host": "127.0.0.1:4566", "accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def html_of(page: Page) -> str:
    return respond(page, facts()).body.decode()


def words_of(markup: str) -> str:
    """What a reader sees, without the tags."""
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", markup, flags=re.DOTALL))


PAGES: list[Callable[[], Page]] = [
    lambda: overview_page(overview(), False),
    lambda: overview_page(
        overview(
            endpoints=(), configs=(), models=(), routes=(), targets=(), faults=(), requests=(), calls=(), log=None
        ),
        True,
    ),
    lambda: endpoint_page(detail(), False),
    lambda: endpoint_page(detail(endpoint=samples.FAILED, older_logs=(OlderLog("i-1", NOW - 9),)), False),
    lambda: endpoints_page(overview(), False),
    lambda: models_page(overview(), False),
    lambda: calls_page(samples.CALLS, facts(), NOW, show="errors", find="x", older=5, refreshing=False),
    lambda: log_page(samples.LOG, paths.cloud_log(), False),
]


# Escaping.


@pytest.mark.parametrize("place", ["content", "attribute"])
def test_text_is_escaped_wherever_it_goes_into_an_element(place: str) -> None:
    made = element("p", EVIL) if place == "content" else element("p", title=EVIL)
    assert "<script" not in made
    assert '"' not in made.removeprefix('<p title="').removesuffix('"></p>')
    assert "&lt;script&gt;" in made


def test_markup_is_not_escaped_twice_and_other_text_never_passes_for_it() -> None:
    inner = element("b", "a & b")
    assert element("p", inner) == "<p><b>a &amp; b</b></p>"
    assert text(str(inner)) == "&lt;b&gt;a &amp;amp; b&lt;/b&gt;"
    assert isinstance(join([inner, "&"], "<"), Markup)
    assert join(["a", "b"], "<") == "a&lt;b"


def test_nothing_that_a_user_can_name_reaches_a_page_unescaped() -> None:
    """Names are restricted today; a page must not depend on it."""
    bad_endpoint = endpoint(
        name=EVIL,
        status=EVIL,
        config=EVIL,
        failure_reason=EVIL,
        doing=EVIL,
        tags={EVIL: EVIL, "modelhost:stage": EVIL},
        caller=Caller(EVIL, EVIL),
        variants=(variant(name=EVIL, model=EVIL, image=EVIL, kind=EVIL),),
        containers=(
            container(container_id=EVIL, variant=EVIL, state=EVIL, waiting_for=EVIL, docker_id=EVIL, pid=None),
        ),
    )
    log = LogTail(EVIL, EVIL, (EVIL,), False)
    everything = overview(
        facts=facts(home=EVIL, docker_host=EVIL),
        endpoints=(bad_endpoint, replace(bad_endpoint, status="Failed"), replace(bad_endpoint, status="Updating")),
        configs=(replace(samples.CONFIG, name=EVIL, models=(EVIL,), kinds=(EVIL,), used_by=(EVIL,)),),
        models=(replace(samples.MODEL, name=EVIL, image=EVIL, artifact=EVIL, used_by=(EVIL,)),),
        routes=(replace(samples.ROUTE, api=EVIL, method=EVIL, url=EVIL),),
        targets=(replace(samples.TARGET, endpoint=EVIL, variant=EVIL, rules=(EVIL,), last=EVIL, suspended=(EVIL,)),),
        faults=(replace(samples.FAULT, fault_id=EVIL, kind=EVIL, where=EVIL, left=EVIL, so_far=EVIL, note=EVIL),),
        requests=(replace(samples.REQUESTS[0], endpoint=EVIL, variant=EVIL, kind=EVIL, status=500, error=EVIL),),
        calls=(replace(samples.CALLS[2], service=EVIL, operation=EVIL, error=EVIL, who=EVIL, fault=EVIL),),
        log=log,
    )
    calls = tuple(replace(call, resource=EVIL) for call in everything.calls)
    pages = [
        overview_page(everything, False),
        endpoints_page(everything, False),
        models_page(everything, False),
        endpoint_page(detail(endpoint=bad_endpoint, logs=(log,), older_logs=(OlderLog(EVIL, NOW),)), False),
        calls_page(calls, facts(), NOW, show="all", find=EVIL, older=None, refreshing=False),
        log_page(log, EVIL, False, (EVIL, EVIL)),
    ]
    for page in pages:
        html = html_of(page)
        assert "<script" not in html.lower()
        assert "&lt;script&gt;" in html


# The frame.


class Outline(HTMLParser):
    """Notes what a page is made of, and that every element is closed where it should be."""

    VOID = frozenset({"meta", "link", "br", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.mark.parametrize("make", PAGES)
def test_a_page_is_well_formed_and_accessible(make: Callable[[], Page]) -> None:
    outline = Outline(html_of(make()))
    assert outline.open == []
    assert len(outline.of("h1")) == 1
    assert len(outline.of("main")) == 1
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert all(header.get("scope") in ("col", "row") for header in outline.of("th"))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert outline.of("html")[0]["lang"] == "en"
    controls = sum(tag in ("input", "select") for tag, _ in outline.tags)
    assert len(outline.of("label")) == controls


@pytest.mark.parametrize("make", PAGES)
def test_a_page_needs_no_script_no_inline_style_and_nothing_from_elsewhere(make: Callable[[], Page]) -> None:
    outline = Outline(html_of(make()))
    assert not outline.of("script", "iframe", "img", "object")
    for tag, attributes in outline.tags:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        address = attributes.get("href") or attributes.get("src") or attributes.get("action") or "/"
        allowed = address.startswith(("/", "#main", "data:image/svg+xml"))
        assert allowed, f"<{tag}> leads to {address}"
        assert not address.startswith("//")


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else() -> None:
    answer = respond(overview_page(overview(), False), facts())
    style = re.search(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


def test_a_page_is_not_kept_sniffed_or_framed() -> None:
    answer: Response = respond(overview_page(overview(), False), facts())
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_page_is_loaded_again_only_for_those_who_ask_for_it() -> None:
    assert 'http-equiv="refresh"' not in html_of(overview_page(overview(), False))
    assert '<meta http-equiv="refresh" content="5">' in html_of(overview_page(overview(), True))


# What it says.


def test_the_front_page_shows_every_part_of_the_cloud() -> None:
    words = words_of(html_of(overview_page(overview(), False)))
    for expected in (
        "http://127.0.0.1:4566",
        "/srv/modelhost/.local_cloud/4566",
        "2 h 3 min",
        "58 MiB",
        "none: process images only",
        "× 0.01",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "modelhost-local InService",
        "pid 48214",
        "serverless, 2048 MB, 20 at a time",
        "0a1b2c3d4e5f",
        "modelhost / local",
        "http://127.0.0.1:4566/_aws/execute-api/3b9d1f22/demo",
        "1 fault armed",
        "424 ModelError",
        "400 ValidationException",
        "fault error-1",
        "no answer",
        "not in use",
        "4 endpoints (1 InService, 1 Failed, 1 Creating, 1 Updating), 6 containers",
    ):
        assert expected in words, expected


def test_an_empty_cloud_says_what_to_do() -> None:
    empty = overview(
        endpoints=(), configs=(), models=(), routes=(), targets=(), faults=(), requests=(), calls=(), log=None
    )
    words = words_of(html_of(overview_page(empty, False)))
    assert "No endpoint yet: make deploy" in words
    assert "No HTTP API yet: make deploy" in words
    assert "armed" not in words


def test_what_needs_to_be_looked_at_comes_first() -> None:
    order = sorted(overview().endpoints, key=urgency)
    assert [one.status for one in order] == ["Failed", "Creating", "Updating", "InService"]
    assert overview_page(overview(), False).title.startswith("1 failed")


def test_many_endpoints_are_cards_first_and_rows_then() -> None:
    many = tuple(endpoint(name=f"endpoint-{number:02d}", modified=NOW - number) for number in range(CARDS + 5))
    html = html_of(overview_page(overview(endpoints=many), False))
    assert html.count("<article") == CARDS
    assert all(f">endpoint-{number:02d}</a>" in html for number in range(CARDS + 5))


def test_a_thousand_of_anything_is_cut_short_and_the_rest_is_counted() -> None:
    many = overview(
        endpoints=tuple(endpoint(name=f"endpoint-{number}") for number in range(1000)),
        models=tuple(replace(samples.MODEL, name=f"model-{number}") for number in range(1000)),
        configs=(replace(samples.CONFIG, used_by=tuple(f"endpoint-{number}" for number in range(1000))),),
    )
    listed = words_of(html_of(endpoints_page(many, False)))
    assert "800 more: aws sagemaker list-endpoints lists them all." in listed
    models = words_of(html_of(models_page(many, False)))
    assert "800 more: aws sagemaker list-models" in models
    assert "endpoint-4 , 995 more" in models
    assert len(html_of(overview_page(many, False))) < 100_000


def test_the_page_of_a_failed_endpoint_gives_its_reason_in_full_and_the_way_out() -> None:
    words = words_of(html_of(endpoint_page(detail(endpoint=samples.FAILED), False)))
    assert samples.REASON in words
    assert "aws sagemaker delete-endpoint --endpoint-name modelhost-qa" in words


def test_an_update_shows_both_fleets_and_how_they_share_the_traffic() -> None:
    html = html_of(endpoint_page(detail(), False))
    assert "Updating to modelhost-prod-like-bbbb2222 for 20 s" in html
    assert "Baking for 600 seconds" in html
    assert "(12 s so far)" in html
    assert '<rect class="blue-share" width="90" height="1">' in html
    assert "90 % of the traffic" in html


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (endpoint(status="Creating", containers=()), "No container has started yet"),
        (samples.CREATING, "Waiting for 1 container to answer GET /ping with 200. So far: /ping answers 503."),
        (samples.CREATING, "Each has 3 min for that."),
        (
            endpoint(status="InService", failure_reason="the reason"),
            "What serves is modelhost-local-77ab01de, as before",
        ),
        (
            endpoint(variants=(variant(serverless=False, desired=2, current=0),), containers=()),
            "One that ended is started again",
        ),
        (
            endpoint(
                variants=(variant(serverless=False, desired=1),),
                containers=(container(state="starting", waiting_for="/ping answers 503"),),
            ),
            "Requests wait for one up to 30 seconds. Waiting for 1 container to answer GET /ping with 200.",
        ),
        (endpoint(status="OutOfService"), "It answers no requests"),
        (endpoint(status="UpdateRollbackFailed", failure_reason="r"), "Old and new containers may both be serving"),
    ],
)
def test_a_state_comes_with_what_it_means(one: samples.EndpointFacts, expected: str) -> None:
    advice = advise(one, NOW)
    assert advice is not None
    assert expected in advice.sentence


def test_an_endpoint_that_serves_needs_no_advice() -> None:
    assert advise(endpoint(), NOW) is None


def test_a_cold_serverless_endpoint_says_so() -> None:
    words = words_of(html_of(overview_page(overview(endpoints=(endpoint(containers=()),)), False)))
    assert "It is cold: the next request starts a container." in words


def test_a_route_comes_with_a_line_that_tries_it() -> None:
    assert curl(samples.ROUTE).startswith("curl -sS -X POST 'http://127.0.0.1:4566/_aws/execute-api/3b9d1f22/demo'")
    assert curl(replace(samples.ROUTE, method="GET")) == f"curl -sS '{samples.ROUTE.url}'"


# Addresses.


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/", paths.PageOf("overview")),
        ("/_local_cloud/ui/", paths.PageOf("overview")),
        (paths.endpoints(), paths.PageOf("endpoints")),
        (paths.models(), paths.PageOf("models")),
        (paths.calls(), paths.PageOf("calls")),
        (paths.cloud_log(), paths.PageOf("cloud log")),
        (paths.endpoint(samples.THERE, "Demo-1"), paths.PageOfEndpoint(samples.THERE, "Demo-1")),
        (paths.container_log(samples.HERE, "demo", "i-1"), paths.PageOfLog(samples.HERE, "demo", "i-1")),
        ("/_local_cloud/ui/nothing", None),
        ("/_local_cloud/ui/endpoints/1/2", None),
    ],
)
def test_an_address_that_is_written_is_the_one_that_is_read(address: str, page: object) -> None:
    assert paths.read(address) == page


def test_the_address_of_older_calls_keeps_what_was_chosen() -> None:
    assert paths.calls(show="errors", find="a&b", before=7) == "/_local_cloud/ui/calls?show=errors&find=a%26b&before=7"
    assert paths.calls(show="", find="", before=0) == "/_local_cloud/ui/calls"


# Who may read it.


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "LOCALHOST", "127.0.0.1", "[::1]:4566"])
def test_the_page_is_for_this_machine(host: str) -> None:
    assert is_local_host({"host": host})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:4566",
        "127.0.0.1.evil.example",
        "127.0.0.1:4566@evil.example",
        "bucket.s3.localhost:4566",
        ":80",
    ],
)
def test_a_page_that_a_foreign_name_leads_to_is_refused(host: str) -> None:
    assert not is_local_host({"host": host})
    assert not is_for_page("GET", "/", "", {**BROWSER, "host": host})
    assert is_for_page("GET", "/_local_cloud/ui/calls", "", {"host": host}), "it is the page that refuses it"


def test_a_browser_gets_the_page_and_an_aws_client_gets_s3() -> None:
    assert is_for_page("GET", "/", "", BROWSER)
    assert is_for_page("HEAD", "/", "refresh=5", BROWSER)
    assert not is_for_page("GET", "/", "", {"host": "127.0.0.1:4566", "accept": "*/*"})
    assert not is_for_page("GET", "/", "", {"host": "127.0.0.1:4566"})
    assert not is_for_page("GET", "/", "", {**BROWSER, "authorization": "AWS4-HMAC-SHA256 Credential=…"})
    assert not is_for_page("GET", "/", "X-Amz-Credential=a&X-Amz-Signature=b", BROWSER)
    assert not is_for_page("POST", "/", "", BROWSER)
    assert not is_for_page("GET", "/bucket", "", BROWSER)
    assert not is_for_page("GET", "/_local_cloud/uix", "", BROWSER)


def test_a_browser_that_looks_for_an_icon_does_not_ask_s3_for_a_bucket() -> None:
    assert is_for_page("GET", "/favicon.ico", "", {**BROWSER, "accept": "image/*", "sec-fetch-dest": "image"})
    assert not is_for_page("GET", "/favicon.ico", "", {"host": "127.0.0.1:4566", "authorization": "AWS4-HMAC-SHA256 …"})
    assert not is_for_page("GET", "/favicon.ico", "", {"host": "127.0.0.1:4566"})


# Words.


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7384, "2 h 3 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_times_sizes_and_digests_are_short() -> None:
    assert ago(NOW, NOW + 1) == "just now"
    assert ago(NOW - 200, NOW) == "3 min ago"
    assert ago(NOW + 9, NOW) == "just now"
    assert [size(None), size(900 << 10), size(58 << 20), size(3 << 29)] == ["–", "900 KiB", "58 MiB", "1.5 GiB"]
    assert [milliseconds(0.84), milliseconds(1234.5)] == ["0.8", "1234"]
    assert short_digest(samples.IMAGE) == "0a1b2c3d4e5f"
    assert short_digest("000000000000.dkr.ecr.us-east-1.amazonaws.com/demo:v1") == "v1"
    assert short_digest("demo") == "demo"
