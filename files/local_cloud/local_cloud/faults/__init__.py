# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: what of AWS shall fail, when and for whom; an API and a command to arm them; and how they strike."""

from __future__ import annotations
