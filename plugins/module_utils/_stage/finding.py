# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule says about a stage's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One mistake: the key, its value (None where there is none to show), and a sentence that says what is allowed.

    ``within`` is the place inside the value, such as ``.NAME`` for an entry of a map.
    """

    key: str
    value: Any
    problem: str
    within: str = ""
