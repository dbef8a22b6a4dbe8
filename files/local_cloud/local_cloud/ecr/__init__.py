# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon ECR: its images, through its API and through the registry that Docker speaks to.

ministack has the repositories, with their tags and policies. It would keep layers in memory, and its API accepts layers
and forgets them; so images and layers are ours, and on disk.
"""

from __future__ import annotations
