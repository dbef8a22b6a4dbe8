# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of the SageMaker modules shares."""

from __future__ import annotations


class ModuleDocFragment:
    """C(modelhost.sagemaker.sagemaker) for modules that change AWS, C(.sagemaker.info) for those that only look."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changed status without changing anything.
  diff_mode:
    description: Returns what is changed, or would be changed in check mode, when in diff mode.
  idempotent:
    description: A second run with the same options, outside check mode, changes nothing.
  action_group:
    description: Use C(group/modelhost.sagemaker.aws) in C(module_defaults) to set region and credentials once.
    support: full
    membership:
      - modelhost.sagemaker.aws
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changed status without changing anything.
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    description: Returns what is changed, or would be changed in check mode, when in diff mode.
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    description: A second run with the same options, outside check mode, changes nothing.
    support: full
    details:
      - This module changes nothing.
  action_group:
    description: Use C(group/modelhost.sagemaker.aws) in C(module_defaults) to set region and credentials once.
    support: full
    membership:
      - modelhost.sagemaker.aws
"""
