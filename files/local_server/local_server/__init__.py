# SPDX-License-Identifier: GPL-3.0-or-later
"""`make serve`: the image's server alone on this machine, replaced whenever its code changes."""

from __future__ import annotations
