# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the rotation share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sagemaker_simulator import SimulatedSageMaker


@pytest.fixture
def sagemaker() -> SimulatedSageMaker:
    return SimulatedSageMaker()
