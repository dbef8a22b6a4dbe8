#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make or remove an ECR repository."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repository
version_added: 0.1.0
short_description: Make or remove an Amazon ECR repository
description:
  - Makes a private repository with its scan setting, lifecycle policy and tags, or removes it with all its images.
  - M(community.aws.ecs_ecr) sets no tags, so nobody could tell by them whose repository it is.
author:
  - modelhost contributors (@modelhost)
options:
  name:
    description:
      - The name of the repository.
    type: str
    required: true
  state:
    description:
      - Whether the repository is to be there.
    type: str
    choices: [present, absent]
    default: present
  scan_on_push:
    description:
      - Whether ECR scans each image for known weaknesses when it is pushed.
    type: bool
    default: true
  lifecycle_policy:
    description:
      - The lifecycle policy's document. Needed where O(state=present).
    type: dict
  tags:
    description:
      - All tags of the repository. Others are removed, except those of AWS itself.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the repository before and after.
    support: full
  idempotent:
    description: A second run changes nothing and makes reading calls alone.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Make the repository of a stage
  modelhost.sagemaker.ecr_repository:
    name: modelhost-prod
    lifecycle_policy:
      rules:
        - rulePriority: 1
          selection:
            tagStatus: untagged
            countType: sinceImagePushed
            countUnit: days
            countNumber: 14
          action:
            type: expire
    tags:
      modelhost:stage: prod
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each step.
  returned: success
  type: list
  elements: str
  sample: [create repository modelhost-prod, set the lifecycle policy of modelhost-prod]
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import ecr
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.repository import (
    Repository,
    plan_absent,
    plan_present,
)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "scan_on_push": {"type": "bool", "default": True},
            "lifecycle_policy": {"type": "dict"},
            "tags": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ["lifecycle_policy"])],
        supports_check_mode=True,
    )
    params = module.params
    wanted = None
    if params["state"] == "present":
        wanted = Repository(params["name"], params["scan_on_push"], params["lifecycle_policy"], params["tags"])
    client = _aws.client(module, "ecr")
    try:
        found = ecr.repository(client, params["name"])
        steps = plan_present(wanted, found) if wanted else plan_absent(found)
        _aws.run(module, steps, lambda step, arguments: ecr.call(client, step, arguments))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot read repository {params['name']}")
    diff = {"before": found.document() if found else {}, "after": wanted.document() if wanted else {}}
    module.exit_json(changed=bool(steps), plan=[step.sentence for step in steps], **({"diff": diff} if steps else {}))


if __name__ == "__main__":
    main()
