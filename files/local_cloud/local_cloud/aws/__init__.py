# SPDX-License-Identifier: GPL-3.0-or-later
"""What every AWS service shares: callers, errors, service models, validation, wire formats."""

from __future__ import annotations
