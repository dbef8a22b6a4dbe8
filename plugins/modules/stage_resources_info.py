#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for everything a stage has on AWS."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage_resources_info
version_added: 0.1.0
short_description: Look for everything a stage has on AWS
description:
  - Looks for each thing the roles make by its name, and for anything else by its tags.
  - What teardown proves its work with.
author:
  - modelhost contributors (@modelhost)
options:
  names:
    description:
      - The names to look for.
    type: dict
    required: true
    suboptions:
      endpoint:
        description: The endpoint. Its Models and EndpointConfigs are found by it too.
        type: str
        required: true
      repository:
        description: The ECR repository.
        type: str
        required: true
      bucket:
        description: The S3 bucket.
        type: str
        required: true
      execution_role:
        description: The endpoint's IAM role.
        type: str
        required: true
      endpoint_log_group:
        description: The log group of the endpoint's containers.
        type: str
        required: true
      api:
        description: The HTTP API.
        type: str
        required: true
      function:
        description: The Lambda function.
        type: str
        required: true
      function_role:
        description: The function's IAM role.
        type: str
        required: true
      function_log_group:
        description: The function's log group.
        type: str
        required: true
      build_project:
        description: The CodeBuild project.
        type: str
        required: true
      build_role:
        description: The builds' IAM role.
        type: str
        required: true
      build_log_group:
        description: The builds' log group.
        type: str
        required: true
  tags:
    description:
      - The tags that everything of the stage carries.
    type: dict
    required: true
extends_documentation_fragment:
  - modelhost.sagemaker.sagemaker.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Look for everything the stage has
  modelhost.sagemaker.stage_resources_info:
    names:
      endpoint: modelhost-prod
      repository: modelhost-prod
      bucket: modelhost-prod-123456789012-eu-central-1
      execution_role: modelhost-prod-execution
      endpoint_log_group: /aws/sagemaker/Endpoints/modelhost-prod
      api: modelhost-prod-demo
      function: modelhost-prod-demo
      function_role: modelhost-prod-demo
      function_log_group: /aws/lambda/modelhost-prod-demo
      build_project: modelhost-prod
      build_role: modelhost-prod-build
      build_log_group: /aws/codebuild/modelhost-prod
    tags:
      modelhost:project: modelhost
      modelhost:stage: prod
"""

RETURN = r"""
looked_for:
  description: Everything that was looked for.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: What kind of thing.
      returned: success
      type: str
      sample: endpoint
    looked_for:
      description: Its name. A C(*) at the end means that any name that starts so was looked for.
      returned: success
      type: str
      sample: modelhost-prod
    found:
      description: What was found.
      returned: success
      type: list
      elements: str
      sample: []
left:
  description: What was found in all, one line for each thing.
  returned: success
  type: list
  elements: str
  sample: ["endpoint modelhost-prod"]
"""

from dataclasses import asdict
from functools import partial

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.resources import look_up

_NAMES = (
    "endpoint",
    "repository",
    "bucket",
    "execution_role",
    "endpoint_log_group",
    "api",
    "function",
    "function_role",
    "function_log_group",
    "build_project",
    "build_role",
    "build_log_group",
)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "names": {
                "type": "dict",
                "required": True,
                "options": {name: {"type": "str", "required": True} for name in _NAMES},
            },
            "tags": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        look_ups = look_up(
            partial(_aws.client, module),
            module.params["names"],
            module.params["tags"],
        )
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="Cannot look for what the stage has on AWS")
    module.exit_json(
        changed=False,
        looked_for=[asdict(found) for found in look_ups],
        left=[f"{found.kind} {name}" for found in look_ups for name in found.found],
    )


if __name__ == "__main__":
    main()
