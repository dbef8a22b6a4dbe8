# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request means, one file for each task that the compiled runtime does."""

from __future__ import annotations
