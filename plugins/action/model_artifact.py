# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows how far the module of the same name has come while it works."""

from __future__ import annotations

from ansible_collections.modelhost.sagemaker.plugins.plugin_utils._progress_lines import ProgressAction


class ActionModule(ProgressAction):
    """Everything that is decided and done is the module's."""
