# SPDX-License-Identifier: GPL-3.0-or-later
"""Where every test can run, a skipped one is a failure: nobody would notice that it stopped testing."""

from __future__ import annotations

import os

import pytest


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        reporter.write_line("A test was skipped, and with CI set none may be.", red=True)
        session.exitstatus = 1
