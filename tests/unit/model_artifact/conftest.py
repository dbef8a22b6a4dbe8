# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

# The hub on loopback is the serving image's too, which fetches from it when it starts.
sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))
