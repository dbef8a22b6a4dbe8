# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers: the serving processes and what they are made of."""

from __future__ import annotations
