# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests import the modules of files/model, as train.py and evaluate.py do."""

from __future__ import annotations

import sys
from pathlib import Path

MODEL_SOURCES = Path(__file__).resolve().parents[3] / "files" / "model"

if str(MODEL_SOURCES) not in sys.path:
    sys.path.insert(0, str(MODEL_SOURCES))
