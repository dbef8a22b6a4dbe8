#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage_settings
version_added: 0.1.0
short_description: Check a stage's settings offline
description:
  - Compares every setting of the stage with the argument specs of this collection's roles and with the limits of AWS.
  - Reports all mistakes at once, each with file, line, key, value and what is allowed. Asks AWS nothing.
author:
  - modelhost contributors (@modelhost)
options:
  settings:
    description:
      - Settings to check in place of those of the stage, for answers that are not yet written to a file.
    type: dict
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Has nothing to show in diff mode, because it changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Check the settings of this stage
  modelhost.sagemaker.stage_settings:

- name: Check an answer before it is written down
  modelhost.sagemaker.stage_settings:
    settings:
      model_serving_serverless_memory_size_mb: 2048
"""

RETURN = r"""
msg:
  description: One line for each mistake, with its place and what would be right.
  returned: failure
  type: str
  sample: |-
    One setting is wrong. Nothing was changed.
      inventories/prod/group_vars/stage.yml:9: model_serving_serverless_memory_size_mb = 1500: allowed: 1024, 2048, 3072, 4096, 5120, 6144.
"""
