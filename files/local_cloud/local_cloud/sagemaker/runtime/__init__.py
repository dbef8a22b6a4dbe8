# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's runtime: requests handed to containers and their answers back, and what is kept of both."""

from __future__ import annotations

from .service import SageMakerRuntime

__all__ = ["SageMakerRuntime"]
