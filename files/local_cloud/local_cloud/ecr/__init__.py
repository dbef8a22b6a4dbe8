# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer half of the ECR API, which ministack only pretends to have."""

from __future__ import annotations
