# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without JavaScript, and a local cloud with something in it to look at."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "local_cloud"))

from browser_scene import Scene, set_up
from local_cloud_process import LocalCloud, free_port

# Names of a browser that Playwright's Chromium driver can drive; CHROMIUM names another.
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FOREIGN_HOST = "rebound.example"

# Milliseconds that a condition has to come true: a busy machine must not fail a test.
expect.set_options(timeout=30_000)

View = Callable[..., Page]


def browser_command() -> str:
    command = os.environ.get("CHROMIUM") or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if command is None:
        pytest.fail("These tests need a browser: apt install chromium, or CHROMIUM=/path/to/one.", pytrace=False)
    return command


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # A name that leads to this machine, as one that was rebound would.
    options = [f"--host-resolver-rules=MAP {FOREIGN_HOST} 127.0.0.1"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium has no sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_command(), args=options)
        yield browser
        browser.close()


@pytest.fixture
def view(browser: Browser, scene: Scene) -> Iterator[View]:
    """Opens a page of the cloud in a window of its own, without JavaScript."""
    contexts = []

    def open_page(path: str = "/", *, width: int = 1280, touch: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            has_touch=touch,
            java_script_enabled=False,
        )
        contexts.append(context)
        page = context.new_page()
        answer = page.goto(scene.cloud.url + path)
        assert answer is not None
        assert answer.ok, answer.status
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A cloud with an endpoint in every kind of state that lasts."""
    root = tmp_path_factory.mktemp("cloud")
    # AWS's own pace, so that what waits for ten minutes is still waiting when it is looked at.
    options = ("--time-scale", "1")
    cloud = LocalCloud(root / "home", root / "venvs", free_port(), startup_timeout=300, options=options)
    cloud.start()
    try:
        yield set_up(cloud)
    finally:
        cloud.stop()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of every page go: a temporary directory, or the one that SCREENSHOTS names."""
    if wanted := os.environ.get("SCREENSHOTS"):
        directory = Path(wanted)
        directory.mkdir(parents=True, exist_ok=True)
        return directory
    return tmp_path_factory.mktemp("screenshots")
