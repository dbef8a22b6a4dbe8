#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_api
short_description: Manage an Amazon API Gateway HTTP API in front of Lambda functions
version_added: 0.1.0
author:
  - modelhost contributors (@modelhost)
description:
  - Makes one HTTP API (API Gateway version 2) as a whole, that is the API, an integration with each Lambda function,
    its routes, the stage C($default) that deploys changes by itself, and the permission for each route to call its
    function.
  - The API is found by its name and by the tags C(modelhost:project) and C(modelhost:stage) among O(tags), because
    names of APIs are not unique on AWS. An API of the same name with other values of these tags belongs to someone
    else and is left alone.
  - What an interrupted run left half made is completed. Where everything is as wanted, nothing is called that writes.
  - The module owns the API it finds. Routes, integrations and permissions of the API that are not in O(routes) are
    removed.
options:
  name:
    description:
      - The name of the API.
    type: str
    required: true
  state:
    description:
      - With V(present) the API is made and kept as described. With V(absent) it is removed, together with the
        permissions of functions that name it.
    type: str
    choices: [present, absent]
    default: present
  description:
    description:
      - What the API is for, shown in the AWS console.
    type: str
    default: ""
  routes:
    description:
      - What the API answers. Needed where O(state=present).
    type: list
    elements: dict
    suboptions:
      route_key:
        description:
          - The method and the path, like V(POST /demo), or V($default) for all that no other route takes.
        type: str
        required: true
      function_arn:
        description:
          - The ARN of the Lambda function, with an alias or a version. An ARN without one means C($LATEST) and is
            refused.
        type: str
        required: true
      timeout_ms:
        description:
          - How long the API waits for the function, in milliseconds, from 50 to 30000.
        type: int
        default: 30000
  cors:
    description:
      - Which pages of other origins may call the API from a browser. Where it is not given, the API has no CORS
        configuration.
    type: dict
    suboptions:
      allow_origins:
        description:
          - Origins like V(https://www.example.com), or V(*) for all.
        type: list
        elements: str
        default: []
      allow_methods:
        description:
          - Methods that those pages may use.
        type: list
        elements: str
        default: []
      allow_headers:
        description:
          - Request headers that those pages may send.
        type: list
        elements: str
        default: []
      expose_headers:
        description:
          - Response headers that those pages may read.
        type: list
        elements: str
        default: []
      allow_credentials:
        description:
          - Whether those pages may send cookies and the like. Not possible together with the origin V(*).
        type: bool
        default: false
      max_age:
        description:
          - How long a browser may remember the answer to a preflight request, in seconds.
        type: int
        default: 0
  throttle:
    description:
      - How many requests each route takes before the API answers 429. Where it is not given, the throttling of the
        stage is left as it is.
    type: dict
    suboptions:
      rate:
        description:
          - Requests per second, on average.
        type: float
        required: true
      burst:
        description:
          - Requests at once.
        type: int
        required: true
  tags:
    description:
      - Tags of the API and its stage. Other tags are removed, except those of AWS itself.
    type: dict
    aliases: [resource_tags]
attributes:
  check_mode:
    description: Can run in check mode and tell what would be done, without a call that writes.
    support: full
  diff_mode:
    description: Returns the API as it is and as it is wanted.
    support: full
  idempotent:
    description: Run again with the same options, it reports no change and makes no call that writes.
    support: full
seealso:
  - module: modelhost.sagemaker.http_api_info
  - module: modelhost.sagemaker.lambda_function
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Answer POST /demo with a Lambda function
  modelhost.sagemaker.http_api:
    name: modelhost-serverless-demo
    routes:
      - route_key: POST /demo
        function_arn: arn:aws:lambda:eu-central-1:123456789012:function:modelhost-serverless-demo:live
    throttle:
      rate: 20
      burst: 40
    tags:
      modelhost:project: modelhost
      modelhost:stage: serverless
  register: demo_api

- name: Show where it answers
  ansible.builtin.debug:
    msg: "{{ demo_api.url }}/demo"

- name: Remove the API
  modelhost.sagemaker.http_api:
    name: modelhost-serverless-demo
    state: absent
    tags:
      modelhost:project: modelhost
      modelhost:stage: serverless
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each call that writes.
  returned: always
  type: list
  elements: str
  sample:
    - Create the HTTP API modelhost-serverless-demo
    - Create the route POST /demo to arn:aws:lambda:eu-central-1:123456789012:function:modelhost-serverless-demo:live
url:
  description:
    - Where the API answers, without a slash at the end. A route's path is appended to it.
    - With an emulated AWS on this machine it is the URL under which that AWS answers requests to the API.
  returned: when the API exists
  type: str
  sample: https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com
api:
  description: The API after the run, or as it is in check mode. Not returned where there is none.
  returned: when the API exists
  type: dict
  contains:
    api_id:
      description: The id of the API.
      type: str
      returned: always
      sample: a1b2c3d4e5
    name:
      description: The name of the API.
      type: str
      returned: always
      sample: modelhost-serverless-demo
    api_endpoint:
      description: The endpoint that AWS names.
      type: str
      returned: always
      sample: https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com
    description:
      description: What the API is for.
      type: str
      returned: always
      sample: POST /demo of the stage serverless
    routes:
      description: The routes, each with its function and its timeout in milliseconds.
      type: list
      elements: dict
      returned: always
      sample:
        - route_key: POST /demo
          function_arn: arn:aws:lambda:eu-central-1:123456789012:function:modelhost-serverless-demo:live
          timeout_ms: 30000
    cors:
      description: The CORS configuration with the keys of O(cors), or null.
      type: dict
      returned: always
      sample: null
    throttle:
      description: The throttling of the stage with the keys of O(throttle), or null where it is the account's.
      type: dict
      returned: always
      sample:
        rate: 20.0
        burst: 40
    tags:
      description: The tags of the API.
      type: dict
      returned: always
      sample:
        modelhost:project: modelhost
        modelhost:stage: serverless
"""

from contextlib import suppress
from typing import Any

# AnsibleAWSModule says what is missing.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.aws import AmbiguousApi, HttpApiClient
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.describe import (
    describe_found,
    describe_wanted,
    invoke_url,
    result,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import InvalidApi, wanted_api
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.plan import plan_absent, plan_present
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import StepFailed

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str", "default": ""},
    "routes": {
        "type": "list",
        "elements": "dict",
        "options": {
            "route_key": {"type": "str", "required": True, "no_log": False},
            "function_arn": {"type": "str", "required": True},
            "timeout_ms": {"type": "int", "default": 30000},
        },
    },
    "cors": {
        "type": "dict",
        "options": {
            "allow_origins": {"type": "list", "elements": "str", "default": []},
            "allow_methods": {"type": "list", "elements": "str", "default": []},
            "allow_headers": {"type": "list", "elements": "str", "default": []},
            "expose_headers": {"type": "list", "elements": "str", "default": []},
            "allow_credentials": {"type": "bool", "default": False},
            "max_age": {"type": "int", "default": 0},
        },
    },
    "throttle": {
        "type": "dict",
        "options": {"rate": {"type": "float", "required": True}, "burst": {"type": "int", "required": True}},
    },
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


def manage(module: AnsibleAWSModule) -> dict[str, Any]:
    """Read, plan, apply unless in check mode, and return the result of the module."""
    params = module.params
    present = params["state"] == "present"
    wanted = wanted_api(params) if present else None
    tags = wanted.tags if wanted else {str(key): str(value) for key, value in (params["tags"] or {}).items()}
    client = HttpApiClient(module)

    found = client.find(params["name"], tags)
    functions = [integration.function_arn for integration in wanted.routes.values()] if wanted else []
    if found:
        functions += [integration.function_arn for integration in found.integrations if integration.proxy]
    permissions = client.permissions(functions)

    if wanted:
        steps = plan_present(wanted, found, permissions, client.region, client.partition)
    else:
        steps = plan_absent(found, permissions)

    diff = {"before": describe_found(found), "after": describe_wanted(wanted, found) if wanted else {}}
    if steps and not module.check_mode:
        known = client.apply(steps)
        found = client.read(found.api_id if found else known["api_id"]) if wanted else None

    output: dict[str, Any] = {"changed": bool(steps), "plan": [step.sentence for step in steps], "diff": diff}
    if found:
        output["api"] = result(found)
        output["url"] = invoke_url(found.api_id, found.api_endpoint, client.endpoint_url)
    return output


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=ARGUMENT_SPEC, required_if=[("state", "present", ["routes"])], supports_check_mode=True
    )
    try:
        output = manage(module)
    except (InvalidApi, AmbiguousApi) as error:
        module.fail_json(msg=str(error))
    except StepFailed as error:
        module.fail_json_aws(error.error, msg=str(error), plan_done=[step.sentence for step in error.done])
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"The HTTP API {module.params['name']} could not be read")
    module.exit_json(**output)


if __name__ == "__main__":
    main()
