# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud for each module of tests, with something to serve in it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import endpoint

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local_cloud"), str(HERE.parent / "stages")]

from local_cloud_process import LocalCloud, free_port  # noqa: E402
from local_cloud_workbench import furnish  # noqa: E402
from reliability_operator import Account, Operator  # noqa: E402
from reliability_stage import Stage  # noqa: E402


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A running cloud whose waits take a thousandth of AWS's; containers have ten seconds to become healthy."""
    root = tmp_path_factory.mktemp("cloud")
    options = ("--time-scale", "0.001")
    cloud = LocalCloud(root / "home", root / "venvs", free_port(), startup_timeout=10, options=options)
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def stage_of(cloud: LocalCloud) -> Callable[[str], Stage]:
    """Makes endpoints that no other test shares."""
    workbench = furnish(cloud)
    return lambda name: Stage(cloud, workbench.image, workbench.role_arn, name)


@pytest.fixture
def stage(stage_of: Callable[[str], Stage], request: pytest.FixtureRequest) -> Stage:
    return stage_of(f"t-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]}")


@pytest.fixture
def account(cloud: LocalCloud) -> Account:
    return Account(cloud)


@pytest.fixture
def operator(cloud: LocalCloud) -> Operator:
    return Operator(cloud)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between a client's tries, a hundredth as long."""
    really: Callable[[float], Any] = endpoint.time.sleep
    clock = type("Clock", (), {"time": staticmethod(endpoint.time.time), "sleep": lambda s: really(s / 100)})
    monkeypatch.setattr(endpoint, "time", clock)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that tests recorded: they are what docs/reliability.md tells."""
    figures = [
        (name, value)
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and "/reliability/" in report.nodeid
        for name, value in report.user_properties
    ]
    if figures:
        terminalreporter.section("reliability in figures")
    for name, value in sorted(figures, key=lambda figure: figure[0]):
        terminalreporter.write_line(f"{name}: {value}")
