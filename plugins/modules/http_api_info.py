#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_api_info
short_description: Read Amazon API Gateway HTTP APIs
version_added: 0.1.0
author:
  - modelhost contributors (@modelhost)
description:
  - Reads the HTTP APIs (API Gateway version 2) of an account and region, with their routes and the URLs they answer
    at.
options:
  name:
    description:
      - Only APIs of this name.
    type: str
  tags:
    description:
      - Only APIs that carry all of these tags.
    type: dict
    aliases: [resource_tags]
seealso:
  - module: modelhost.sagemaker.http_api
extends_documentation_fragment:
  - modelhost.sagemaker.sagemaker.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Find the API of a stage
  modelhost.sagemaker.http_api_info:
    name: modelhost-serverless-demo
    tags:
      modelhost:project: modelhost
      modelhost:stage: serverless
  register: found

- name: Show where it answers
  ansible.builtin.debug:
    msg: "{{ found.http_apis[0].url }}/demo"
"""

RETURN = r"""
http_apis:
  description: The APIs, ordered by name and id, each like RV(modelhost.sagemaker.http_api#module:api) with its C(url).
  returned: always
  type: list
  elements: dict
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
    url:
      description: Where the API answers, without a slash at the end.
      type: str
      returned: always
      sample: https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com
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
      description: The CORS configuration, or null.
      type: dict
      returned: always
      sample: null
    throttle:
      description: The throttling of the stage C($default), or null where it is the account's.
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
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.aws import HttpApiClient
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.describe import invoke_url, result

ARGUMENT_SPEC: dict[str, Any] = {"name": {"type": "str"}, "tags": {"type": "dict", "aliases": ["resource_tags"]}}


def read(module: AnsibleAWSModule) -> list[dict[str, Any]]:
    """Return every API asked for, shaped for people."""
    client = HttpApiClient(module)
    tags = {str(key): str(value) for key, value in (module.params["tags"] or {}).items()}
    apis = client.read_all(module.params["name"], tags)
    return [{**result(api), "url": invoke_url(api.api_id, api.api_endpoint, client.endpoint_url)} for api in apis]


def main() -> None:
    module = AnsibleAWSModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        http_apis = read(module)
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg="The HTTP APIs could not be read")
    module.exit_json(changed=False, http_apis=http_apis)


if __name__ == "__main__":
    main()
