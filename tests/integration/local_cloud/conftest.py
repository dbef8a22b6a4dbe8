# SPDX-License-Identifier: GPL-3.0-or-later
"""Local clouds for the tests of this directory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from local_cloud_process import LocalCloud, free_port
from local_cloud_workbench import Workbench, furnish


@pytest.fixture(scope="module")
def new_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LocalCloud]]:
    """Makes clouds that are stopped at the module's end."""
    made: list[LocalCloud] = []

    def make(**options: Any) -> LocalCloud:
        root = tmp_path_factory.mktemp("cloud")
        cloud = LocalCloud(root / "home", root / "venvs", free_port(), **options)
        made.append(cloud)
        return cloud

    yield make
    for cloud in made:
        cloud.stop()


@pytest.fixture(scope="module")
def workbench(new_cloud: Callable[..., LocalCloud]) -> Workbench:
    """A running, furnished cloud. Containers have five seconds to become healthy."""
    cloud = new_cloud(startup_timeout=5)
    cloud.start()
    return furnish(cloud)
