# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

# The stages of the integration tests serve here as well.
sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "stages"))
