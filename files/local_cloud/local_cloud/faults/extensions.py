# SPDX-License-Identifier: GPL-3.0-or-later
"""What our HTTP server adds to ASGI's scope["extensions"]; see connection.py."""

from __future__ import annotations

CLOSE = "local_cloud.close"
STOPPING = "local_cloud.stopping"
