#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lambda_function
short_description: Manage a Lambda function that is published behind an alias
version_added: 0.1.0
author:
  - modelhost contributors (@modelhost)
description:
  - Packs a directory into a zip, makes the function from it, publishes a version and points an alias at that version.
  - The zip depends on the names and contents of the files only, so that the same source is never published twice.
  - A version is published where the source or the configuration differs from the version behind the alias. The alias
    is moved when the new version can be called, so calls in flight finish on the version before.
  - M(amazon.aws.lambda) publishes a version when the code changes but not when the configuration does, which would
    leave the alias with the settings of before. It also does not wait for a fresh role, and knows no reserved
    concurrency.
options:
  name:
    description:
      - The name of the function.
    type: str
    required: true
  state:
    description:
      - With V(present) the function is made and kept as described. With V(absent) it is removed with all its versions
        and aliases.
    type: str
    choices: [present, absent]
    default: present
  source:
    description:
      - The directory on the host of the task that holds the source. Hidden files and byte code are left out.
      - Needed where O(state=present).
    type: path
  runtime:
    description:
      - The runtime of the function, like V(python3.13). Needed where O(state=present).
    type: str
  handler:
    description:
      - What Lambda calls, as module and function. Needed where O(state=present).
    type: str
  role_arn:
    description:
      - The ARN of the execution role. Needed where O(state=present).
      - A role that was made only just now is waited for.
    type: str
  alias:
    description:
      - The alias that callers use.
    type: str
    default: live
  description:
    description:
      - What the function is for, shown in the AWS console.
    type: str
    default: ""
  timeout:
    description:
      - How long one call may take, in seconds, from 1 to 900.
    type: int
    default: 3
  memory_size:
    description:
      - The memory of one execution, in MB, from 128 to 10240. The share of CPU grows with it.
    type: int
    default: 128
  environment_variables:
    description:
      - Environment variables of the function. They can be read by whoever may read the function, so they are no place
        for secrets.
    type: dict
    default: {}
  reserved_concurrent_executions:
    description:
      - How many executions at once are set aside for the function, and are also the most it gets. Where it is not
        given, there is no such reservation.
    type: int
  tags:
    description:
      - Tags of the function. Other tags are removed, except those of AWS itself.
    type: dict
    aliases: [resource_tags]
attributes:
  check_mode:
    description: Can run in check mode and tell what would be done, without a call that writes.
    support: full
  diff_mode:
    description: Returns the function as its alias serves it and as it is wanted.
    support: full
  idempotent:
    description: Run again with the same options and source, it reports no change and makes no call that writes.
    support: full
seealso:
  - module: modelhost.sagemaker.http_api
  - module: amazon.aws.lambda
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Publish the function
  modelhost.sagemaker.lambda_function:
    name: modelhost-serverless-demo
    source: files/lambda
    runtime: python3.13
    handler: demo.handler
    role_arn: arn:aws:iam::123456789012:role/modelhost-serverless-demo
    timeout: 29
    memory_size: 256
    environment_variables:
      ENDPOINT_NAME: modelhost-serverless
    tags:
      modelhost:project: modelhost
      modelhost:stage: serverless

- name: Remove the function
  modelhost.sagemaker.lambda_function:
    name: modelhost-serverless-demo
    state: absent
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each call that writes.
  returned: always
  type: list
  elements: str
  sample:
    - Upload the source of modelhost-serverless-demo
    - Publish a version of modelhost-serverless-demo
    - Move the alias live to that version
function:
  description: The function after the run, or as it is in check mode. Not returned where there is none.
  returned: when the function exists
  type: dict
  contains:
    function_arn:
      description: The ARN of the function, without a version.
      type: str
      returned: always
      sample: arn:aws:lambda:eu-central-1:123456789012:function:modelhost-serverless-demo
    alias_arn:
      description: The ARN that callers use, or null where the alias does not exist yet.
      type: str
      returned: always
      sample: arn:aws:lambda:eu-central-1:123456789012:function:modelhost-serverless-demo:live
    version:
      description: The version behind the alias, or null where the alias does not exist yet.
      type: str
      returned: always
      sample: "7"
    code_sha256:
      description: The digest of the zip behind the alias, SHA-256 in base64.
      type: str
      returned: always
      sample: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

# AnsibleAWSModule says what is missing.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.aws import LambdaFunctionClient
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.model import (
    FoundFunction,
    InvalidFunction,
    wanted_function,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.package import (
    InvalidPackage,
    build_package,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.plan import (
    describe_found,
    describe_wanted,
    plan_absent,
    plan_present,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import StepFailed

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "source": {"type": "path"},
    "runtime": {"type": "str"},
    "handler": {"type": "str"},
    "role_arn": {"type": "str"},
    "alias": {"type": "str", "default": "live"},
    "description": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 3},
    "memory_size": {"type": "int", "default": 128},
    "environment_variables": {"type": "dict", "default": {}},
    "reserved_concurrent_executions": {"type": "int"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


def manage(module: AnsibleAWSModule) -> dict[str, Any]:
    """Read, plan, apply unless in check mode, and return the result of the module."""
    params = module.params
    name, alias = params["name"], params["alias"]
    wanted = wanted_function(params, build_package(Path(params["source"]))) if params["state"] == "present" else None
    client = LambdaFunctionClient(module)

    found = client.find(name, alias)
    steps = plan_present(wanted, found) if wanted else plan_absent(name, found)

    diff = {"before": describe_found(found), "after": describe_wanted(wanted) if wanted else {}}
    if steps and not module.check_mode:
        client.apply(steps)
        found = client.find(name, alias)

    output: dict[str, Any] = {"changed": bool(steps), "plan": [step.sentence for step in steps], "diff": diff}
    if found:
        output["function"] = result(found)
    return output


def result(found: FoundFunction) -> dict[str, Any]:
    """Return what the module gives back as ``function``."""
    return {
        "function_arn": found.function_arn,
        "alias_arn": found.alias.alias_arn if found.alias else None,
        "version": found.alias.version if found.alias else None,
        "code_sha256": (found.published or found.latest).code_sha256,
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["source", "runtime", "handler", "role_arn"])],
        supports_check_mode=True,
    )
    try:
        output = manage(module)
    except (InvalidFunction, InvalidPackage) as error:
        module.fail_json(msg=str(error))
    except StepFailed as error:
        module.fail_json_aws(error.error, msg=str(error), plan_done=[step.sentence for step in error.done])
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"The function {module.params['name']} could not be read")
    module.exit_json(**output)


if __name__ == "__main__":
    main()
