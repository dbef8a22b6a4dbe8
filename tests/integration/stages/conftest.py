# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stage_project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh copy of this checkout, whose local cloud listens on a port of its own and is stopped in the end."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.new_stage("stopper")
    yield project
    project.play("stop", "stopper")
