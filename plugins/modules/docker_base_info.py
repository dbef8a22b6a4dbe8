#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a base image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_base_info
version_added: 0.2.0
short_description: Learn which image a base image's name stands for now
description:
  - Gives the digest of an image by its name, as its registry has it now, or else as the local Docker engine has it.
author:
  - modelhost contributors (@modelhost)
requirements:
  - docker (the Python SDK) and a Docker engine
options:
  name:
    description:
      - The name of the image, with a tag or a digest.
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
- name: Learn the digest of the base image
  modelhost.sagemaker.docker_base_info:
    name: python:3.11-slim
"""

RETURN = r"""
digest:
  description: The digest, or an empty string where neither the registry nor the engine tells.
  returned: success
  type: str
  sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import docker_engine


def main() -> None:
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    module.exit_json(changed=False, digest=docker_engine.base_digest(module.params["name"]))


if __name__ == "__main__":
    main()
