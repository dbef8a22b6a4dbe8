# SPDX-License-Identifier: GPL-3.0-or-later
"""The error this package raises on purpose."""

from __future__ import annotations

INSTEAD = "Set image_runtime: toolkit to serve it with torch instead."


class CompileError(Exception):
    """The model cannot be compiled. The message says what was wrong, where, and what would be right."""
