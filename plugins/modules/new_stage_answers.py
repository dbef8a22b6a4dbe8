#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: new_stage_answers
version_added: 0.1.0
short_description: Ask the questions that make a stage
description:
  - Asks for the settings of a new stage one after the other, checks each answer as AWS would, and asks again where it is wrong.
  - An answer given with C(-e) is not asked for. Where nobody is there to answer, the default is taken.
author:
  - modelhost contributors (@modelhost)
options:
  inventories:
    description:
      - The directory that holds the stages, to see whether the name is taken.
    type: path
    required: true
  project:
    description:
      - The project's name, which becomes part of every name on AWS.
    type: str
    required: true
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
- name: Ask what makes the stage
  modelhost.sagemaker.new_stage_answers:
    inventories: inventories
    project: modelhost
  register: asked
"""

RETURN = r"""
answers:
  description: The settings of the new stage, by their names.
  returned: success
  type: dict
  sample:
    stage_name: prod
    model_serving_endpoint_type: serverless
"""
