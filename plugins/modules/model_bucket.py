#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make or remove the bucket of a stage's model artifacts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_bucket
version_added: 0.1.0
short_description: Make or remove the S3 bucket of a stage's model artifacts
description:
  - Makes a private, tagged bucket, or removes it with all it holds.
  - A bucket that carries other tags than those of the stage is neither changed nor removed.
  - M(amazon.aws.s3_bucket) has no check mode, so a check could not tell what a deploy would do.
author:
  - modelhost contributors (@modelhost)
options:
  name:
    description:
      - The name of the bucket.
    type: str
    required: true
  state:
    description:
      - Whether the bucket is to be there.
    type: str
    choices: [present, absent]
    default: present
  tags:
    description:
      - All tags of the bucket.
    type: dict
    default: {}
  owner_tags:
    description:
      - Those of the tags that say whose bucket it is.
    type: dict
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the bucket before and after.
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
- name: Make the bucket of a stage
  modelhost.sagemaker.model_bucket:
    name: modelhost-prod-123456789012-eu-central-1
    owner_tags:
      modelhost:project: modelhost
      modelhost:stage: prod
    tags:
      modelhost:project: modelhost
      modelhost:stage: prod
      team: search
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each step.
  returned: success
  type: list
  elements: str
  sample: [create bucket modelhost-prod-123456789012-eu-central-1]
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact import s3
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.bucket import (
    Bucket,
    plan_absent,
    plan_present,
    refusal,
)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "tags": {"type": "dict", "default": {}},
            "owner_tags": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted = Bucket(params["name"], params["tags"]) if params["state"] == "present" else None
    client = _aws.client(module, "s3")
    try:
        found = s3.bucket(client, params["name"])
        refused = refusal(found, params["owner_tags"])
        if refused:
            module.fail_json(msg=refused)
        steps = plan_present(wanted, found, client.meta.region_name) if wanted else plan_absent(found)
        _aws.run(module, steps, lambda step, arguments: s3.call(client, step, arguments))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot read bucket {params['name']}")
    diff = {"before": found.document() if found else {}, "after": wanted.document() if wanted else {}}
    module.exit_json(changed=bool(steps), plan=[step.sentence for step in steps], **({"diff": diff} if steps else {}))


if __name__ == "__main__":
    main()
