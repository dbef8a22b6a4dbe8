# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch's alarms: ministack keeps them and their metrics, and this package decides which state they are in."""

from __future__ import annotations
