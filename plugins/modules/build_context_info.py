#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digest of a build context."""

from __future__ import annotations

DOCUMENTATION = r"""
module: build_context_info
version_added: 0.1.0
short_description: Compute the digest of an image's build context
description:
  - Reads the files of a build context, less what its C(.dockerignore) names, and gives one digest over their contents.
  - File times do not count, so a fresh clone has the digest of the checkout it came from.
author:
  - modelhost contributors (@modelhost)
requirements:
  - docker (the Python SDK, which knows the rules of C(.dockerignore); no Docker engine is needed)
options:
  path:
    description:
      - The build context.
    type: path
    required: true
  dockerfile:
    description:
      - The Dockerfile inside the context. It counts, whether C(.dockerignore) names it or not.
    type: str
  inputs:
    description:
      - What else decides the image, such as build arguments and the platform. Part of the digest.
    type: dict
    default: {}
  ignored:
    description:
      - Patterns of files to leave out, next to those of C(.dockerignore) and in its syntax.
    type: list
    elements: str
    default: []
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
- name: Compute the digest of the serving image's context
  modelhost.sagemaker.build_context_info:
    path: files/docker
    dockerfile: Dockerfile.serve
    inputs:
      platform: linux/amd64
      runtime: compiled
"""

RETURN = r"""
digest:
  description: 64 hexadecimal digits.
  returned: success
  type: str
  sample: 7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e5f60718293a4b5c6d7e8f90123456789
tag:
  description: The tag under which ECR keeps the image of this context.
  returned: success
  type: str
  sample: context-7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
files:
  description: The files of the context.
  returned: success
  type: list
  elements: str
  sample: [Dockerfile.serve, serving/server.py]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import (
    ContextError,
    context_digest,
    context_tag,
    read_context,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "dockerfile": {"type": "str"},
            "inputs": {"type": "dict", "default": {}},
            "ignored": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        files = read_context(Path(module.params["path"]), tuple(module.params["ignored"]), module.params["dockerfile"])
    except ContextError as error:
        module.fail_json(msg=str(error))
    digest = context_digest(files, {key: str(value) for key, value in module.params["inputs"].items()})
    module.exit_json(changed=False, digest=digest, tag=context_tag(digest), files=[file.path for file in files])


if __name__ == "__main__":
    main()
