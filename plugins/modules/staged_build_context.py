#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a build context, with a model in it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: staged_build_context
version_added: 0.2.0
short_description: Copy an image's build context to where it is built from, with the model that goes into the image
description:
  - Copies the files of a build context, less what its C(.dockerignore) names, and puts a model's files beside them under
    C(model/). Docker, buildx and AWS CodeBuild all take the result as it is.
  - Times and modes are the same on every machine, so that they cannot make one image differ from another.
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
      - The Dockerfile inside the context.
    type: str
    required: true
  model:
    description:
      - The directory of a model to put into the context. Without it there is none.
    type: path
  dest:
    description:
      - The directory of the copy. Name it after the digest of the context, since one that exists is taken as it is.
    type: path
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows no diff.
    support: none
  idempotent:
    description: A copy that exists is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Copy the build context with the model in it
  modelhost.sagemaker.staged_build_context:
    path: files/docker
    dockerfile: Dockerfile.serve
    model: build/packages/0a1b2c3d4e5f6071
    dest: build/images/7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
"""

RETURN = r"""
path:
  description: The directory of the copy.
  returned: success
  type: str
  sample: build/images/7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import (
    ContextError,
    read_context,
    stage_context,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "dockerfile": {"type": "str", "required": True},
            "model": {"type": "path"},
            "dest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    root, target, model = Path(module.params["path"]), Path(module.params["dest"]), module.params["model"]
    changed = not target.is_dir()
    try:
        files = read_context(root, dockerfile=module.params["dockerfile"])
        if changed and not module.check_mode:
            stage_context(root, files, Path(model) if model else None, target)
    except ContextError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=str(target))


if __name__ == "__main__":
    main()
