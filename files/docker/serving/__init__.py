# SPDX-License-Identifier: GPL-3.0-or-later
"""The model server that runs in the SageMaker container and, as a process, on the local stage."""

from __future__ import annotations
