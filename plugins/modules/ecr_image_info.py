#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up an image in ECR by tag."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image_info
version_added: 0.1.0
short_description: Look up an image in Amazon ECR by its tag
description:
  - Gives the digest of the image that carries a tag, which is the only name under which a deployed image cannot move.
author:
  - modelhost contributors (@modelhost)
options:
  repository:
    description:
      - The name of the repository.
    type: str
    required: true
  tag:
    description:
      - The tag to look for.
    type: str
    required: true
extends_documentation_fragment:
  - modelhost.sagemaker.sagemaker.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: See whether this build context has an image already
  modelhost.sagemaker.ecr_image_info:
    repository: modelhost-prod
    tag: context-7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
"""

RETURN = r"""
image:
  description: The image, or null where the repository has no image of this tag, or where there is no repository.
  returned: success
  type: dict
  contains:
    digest:
      description: The digest of the image's manifest.
      returned: success
      type: str
      sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    tags:
      description: All tags of the image.
      returned: success
      type: list
      elements: str
      sample: [context-7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e, latest]
"""

from dataclasses import asdict

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import ecr


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={"repository": {"type": "str", "required": True}, "tag": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    client = _aws.client(module, "ecr")
    try:
        image = ecr.image_by_tag(client, module.params["repository"], module.params["tag"])
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot look up images of repository {module.params['repository']}")
    module.exit_json(changed=False, image=asdict(image) if image else None)


if __name__ == "__main__":
    main()
