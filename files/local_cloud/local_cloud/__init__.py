# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS of the local stage: SageMaker, its runtime and Application Auto Scaling in front of ministack."""

from __future__ import annotations

SERVICE_NAME = "modelhost.sagemaker local cloud"
