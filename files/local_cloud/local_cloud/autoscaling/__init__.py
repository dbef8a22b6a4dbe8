# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling."""

from __future__ import annotations
