# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's control plane and runtime."""

from __future__ import annotations
