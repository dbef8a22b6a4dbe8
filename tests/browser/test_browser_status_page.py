# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cloud's status page, as a browser without JavaScript shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from browser_scene import UI, Scene
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

View = Callable[..., Page]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = ("overview", "endpoints", "serving", "failed", "creating", "updating", "models", "calls", "log")

# The contrast of every piece of text with what is behind it, by WCAG 2.2's formula; 0 where it cannot be told.
CONTRASTS = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] !== 0) return null;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), ink = parse(style.color), ground = behind(element);
    let ratio = 0;
    if (ground && ink.length === 3 && style.opacity === '1') {
      const [a, b] = [light(ink), light(ground)];
      ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }
    found.push([ratio, node.data.trim().slice(0, 60)]);
  }
  return found;
}"""

# Elements whose content sticks out of the window, or out of themselves without a way to scroll there.
OVERFLOWS = """() => [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.unseen, thead, .skip'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map(e => e.outerHTML.slice(0, 120))"""

FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  return [element.textContent.trim() || element.tagName, style.outlineStyle, parseFloat(style.outlineWidth)];
}"""


# What it shows.


def test_a_deployed_endpoint_is_shown_in_service_with_its_process_and_its_latest_request(
    view: View, scene: Scene
) -> None:
    page = view()
    endpoint = page.get_by_role("article").filter(has=page.get_by_role("heading", name=scene.serving, exact=True))
    expect(endpoint.locator(".badge").first).to_have_text("InService")
    row = endpoint.get_by_role("table", name=f"Containers of {scene.serving}").get_by_role("row").nth(1)
    expect(row).to_contain_text("healthy")
    expect(row).to_contain_text(f"pid {scene.pid}")
    requests = page.get_by_role("table", name="Latest requests").get_by_role("row")
    expect(requests.nth(1)).to_contain_text(scene.serving)
    expect(requests.nth(1)).to_contain_text("424 ModelError")
    expect(requests.nth(2)).to_contain_text("200")


def test_a_failed_endpoint_shows_its_reason_in_full_and_the_log_of_its_container(view: View, scene: Scene) -> None:
    reason = scene.workbench.describe(scene.failed)["FailureReason"]
    page = view()
    expect(page.get_by_text(reason, exact=True)).to_be_visible()
    expect(page).to_have_title(re.compile("1 failed"))
    page.get_by_role("link", name=scene.failed, exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(scene.failed)
    expect(page.get_by_text(reason, exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Log of").first).to_contain_text("this model is broken on purpose")


def test_an_endpoint_that_is_stuck_in_creating_says_what_it_waits_for(view: View, scene: Scene) -> None:
    page = view(scene.endpoint_page(scene.creating))
    expect(page.locator(".notice")).to_contain_text("Waiting for 1 container to answer GET /ping with 200")
    expect(page.locator(".notice")).to_contain_text("/ping answers 503")
    expect(page.get_by_role("region", name="Log of")).to_contain_text("GET /ping HTTP/1.1 503")


def test_an_update_in_the_middle_of_its_canary_shows_both_fleets_and_their_traffic(view: View, scene: Scene) -> None:
    page = view(scene.endpoint_page(scene.updating))
    while page.locator(".split").count() == 0:
        assert scene.workbench.describe(scene.updating)["EndpointStatus"] == "Updating"
        page.reload()
    expect(page.get_by_role("table", name="Containers of")).to_contain_text("green")
    expect(page.get_by_role("table", name="Containers of")).to_contain_text("blue")
    expect(page.locator(".notice")).to_contain_text("Updating to")
    expect(page.locator(".split")).to_have_text(re.compile("blue 50 % of the traffic ?green 50 %"))


def test_the_url_of_what_is_deployed_comes_with_a_line_to_copy(view: View, scene: Scene) -> None:
    page = view()
    url = page.get_by_text(re.compile(rf"^{scene.cloud.url}/_aws/execute-api/\w+/demo$")).inner_text()
    line = page.get_by_text(re.compile("^curl "))
    expect(line).to_contain_text(url)
    line.click()
    assert page.evaluate("getSelection().toString()").strip() == line.inner_text().strip(), "one click selects it all"


def test_an_armed_fault_is_announced_at_the_top(view: View) -> None:
    page = view()
    expect(page.locator(".notice").first).to_contain_text("1 fault armed")
    expect(page.get_by_role("table", name="Active faults")).to_contain_text("DeleteModel nobodys-model")


def test_the_end_of_a_long_log_is_in_sight(view: View, scene: Scene) -> None:
    page = view(scene.endpoint_page(scene.creating))
    log = page.get_by_role("region", name="Log of")
    assert log.evaluate("e => e.scrollHeight > e.clientHeight"), "the log is long"
    seen = "e => e.firstElementChild.getBoundingClientRect().bottom <= e.getBoundingClientRect().bottom + 1"
    assert log.evaluate(seen)


def test_a_page_that_is_told_to_refresh_follows_what_happens(view: View, scene: Scene) -> None:
    name = scene.workbench.name("late")
    page = view(f"{UI}/models")
    page.get_by_role("link", name="every 5 s").click()
    expect(page.get_by_text(name)).to_have_count(0)
    scene.workbench.model(name)
    expect(page.get_by_text(name)).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="off", exact=True).click()
    expect(page.locator('meta[http-equiv="refresh"]')).to_have_count(0)


def test_calls_are_searched_with_a_form(view: View) -> None:
    page = view(f"{UI}/calls")
    page.get_by_label("Show").select_option("changes")
    page.get_by_label("contains").fill("createrole")
    page.get_by_role("button", name="Show").click()
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("CreateRole")
    expect(page.get_by_label("contains")).to_have_value("createrole")


def test_every_link_leads_somewhere(view: View, scene: Scene) -> None:
    page, seen, waiting = view(), set(), ["/"]
    while waiting:
        path = waiting.pop()
        answer = page.goto(scene.cloud.url + path)
        assert answer is not None
        assert answer.status == 200, path
        for link in page.locator("a[href^='/']").all():
            # Times move, so an address with a query is followed once a path.
            target = (link.get_attribute("href") or "").partition("?")[0]
            if target not in seen:
                seen.add(target)
                waiting.append(link.get_attribute("href") or "")
    assert f"{UI}/logs/cloud" in seen
    assert len(seen) > 12


# How it looks.


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_window(view: View, scene: Scene, screenshots: Path, name: str, width: int) -> None:
    page = view(scene.pages[name], width=width, touch=width < 500)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"{name}-{width}-{scheme}.png", full_page=True)
    assert page.evaluate(OVERFLOWS) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_from_what_is_behind_it(view: View, scene: Scene, name: str) -> None:
    page = view(scene.pages[name])
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 15
        assert [(scheme, round(ratio, 2), text) for ratio, text in contrasts if ratio < 4.5] == []


def test_dark_mode_is_dark(view: View) -> None:
    brightness = "() => Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    page = view()
    assert page.evaluate(brightness) > 200
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(brightness) < 50


@pytest.mark.parametrize("name", ["overview", "updating", "calls"])
def test_the_keyboard_reaches_every_link_and_shows_where_it_is(view: View, scene: Scene, name: str) -> None:
    page = view(scene.pages[name])
    reached = []
    for _ in range(page.locator("a, button, input, select, summary, [tabindex]").count()):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused is not None
        reached.append(focused)
    assert [text for text, style, width in reached if style == "none" or width < 2] == []
    assert reached[0][0] == "Skip to the content"


def test_a_table_keeps_its_meaning_on_a_telephone(view: View, scene: Scene) -> None:
    page = view(width=390)
    table = page.get_by_role("table", name=f"Containers of {scene.serving}")
    expect(table.get_by_role("rowheader")).to_have_count(1)
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table.get_by_role("columnheader")).to_have_count(9)


# Who may see it.


def test_looking_leaves_no_trace_in_the_call_log(browser: Browser, scene: Scene) -> None:
    before = scene.cloud.get("/_local_cloud/calls?since=0")["next"]
    page = browser.new_page()
    for path in ("/", "/_local_cloud/health", f"{UI}/calls"):
        page.goto(scene.cloud.url + path)
    page.close()
    assert scene.cloud.get(f"/_local_cloud/calls?since={before}")["calls"] == []


def test_a_page_is_one_request_and_breaks_no_rule_of_its_policy(browser: Browser, scene: Scene) -> None:
    """With JavaScript on, so that a script would run if there were one."""
    context = browser.new_context()
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for path in scene.pages.values():
        requests.clear()
        page.goto(scene.cloud.url + path)
        assert [url for url in requests if not url.startswith("data:")] == [scene.cloud.url + path]
    assert complaints == []
    context.close()


@pytest.mark.parametrize("path", ["/", f"{UI}/", f"{UI}/calls"])
def test_a_name_that_was_rebound_to_this_machine_sees_nothing(browser: Browser, scene: Scene, path: str) -> None:
    page = browser.new_page()
    answer = page.goto(f"http://rebound.example:{scene.cloud.port}{path}")
    assert answer is not None
    assert path == "/" or answer.status == 403
    expect(page.get_by_text("Local cloud", exact=False)).to_have_count(0)
    expect(page.get_by_text(scene.serving)).to_have_count(0)
    page.close()


def test_another_site_can_neither_frame_it_nor_read_it(browser: Browser, scene: Scene) -> None:
    page = browser.new_page()
    page.route(
        "http://rebound.example/**", lambda route: route.fulfill(body="<h1>Another site</h1>", content_type="text/html")
    )
    page.goto("http://rebound.example/")
    read = "url => fetch(url, {headers: {accept: 'text/html'}}).then(r => r.text()).catch(e => 'refused')"
    assert page.evaluate(read, scene.cloud.url + f"{UI}/calls") == "refused"
    page.evaluate(
        "url => { const f = document.createElement('iframe'); f.src = url; document.body.append(f); }",
        scene.cloud.url + "/",
    )
    frame = next(frame for frame in page.frames if frame != page.main_frame)
    frame.wait_for_load_state()
    assert "Local cloud" not in frame.content()
    page.close()
