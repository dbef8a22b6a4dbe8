#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the images that retained Models refer to, delete the others."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image_retention
version_added: 0.1.0
short_description: Keep the images of a repository that are in use, and delete the others
description:
  - ECR's lifecycle policies know nothing of SageMaker. This module gives every image in use a tag that never moves, so a
    policy that expires untagged images cannot reach it, and deletes the images of this project that nothing refers to.
  - The SBOM of an image, which M(modelhost.sagemaker.ecr_image_sbom) pushes, is deleted with its image.
  - Images that carry none of this project's tags are never deleted.
author:
  - modelhost contributors (@modelhost)
options:
  repository:
    description:
      - The name of the repository.
    type: str
    required: true
  keep:
    description:
      - The images in use, by digest (C(sha256:…)) or as image URIs that end in one.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the tags and digests before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep the images of the retained generations
  modelhost.sagemaker.ecr_image_retention:
    repository: modelhost-prod
    keep:
      - sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each step.
  returned: success
  type: list
  elements: str
  sample:
    - "delete image sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef: no retained Model refers to it"
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import ecr
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.retention import plan_retention


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "keep": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    repository = module.params["repository"]
    keep = {reference.rsplit("@", 1)[-1] for reference in module.params["keep"]}
    client = _aws.client(module, "ecr")
    try:
        plan = plan_retention(ecr.images(client, repository), keep)
        if not module.check_mode:
            for digest, tag in plan.protect:
                ecr.add_tag(client, repository, digest, tag)
            for digests in (plan.delete_sboms, plan.delete):
                ecr.delete(client, repository, list(digests))
    except ecr.RegistryError as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the images of repository {repository} in order")
    sentences = plan.sentences()
    diff = {"before": "", "after": "".join(f"{sentence}\n" for sentence in sentences)}
    module.exit_json(changed=bool(sentences), plan=sentences, **({"diff": diff} if sentences else {}))


if __name__ == "__main__":
    main()
