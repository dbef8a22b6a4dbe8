#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a SageMaker endpoint and its generations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sagemaker_endpoint_info
version_added: 0.1.0
short_description: Look at an Amazon SageMaker endpoint
description:
  - Shows an endpoint, what it serves, and the generations that are kept of it.
author:
  - modelhost contributors (@modelhost)
options:
  name:
    description:
      - The name of the endpoint.
    type: str
    required: true
  generations:
    description:
      - Whether to look at what the endpoint serves and to list its generations too. Without it one call is made.
    type: bool
    default: true
seealso:
  - module: modelhost.sagemaker.sagemaker_endpoint
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - modelhost.sagemaker.sagemaker.info
"""

EXAMPLES = r"""
- name: Look at the endpoint of the production stage
  modelhost.sagemaker.sagemaker_endpoint_info:
    name: modelhost-prod
  register: found

- name: Tell where one could go back to
  ansible.builtin.debug:
    msg: "{{ found.generations | rejectattr('live') | selectattr('outcome', 'eq', 'proven') | list }}"
"""

RETURN = r"""
exists:
  description: Whether the endpoint exists.
  returned: always
  type: bool
  sample: true
endpoint:
  description:
    - The endpoint, as M(modelhost.sagemaker.sagemaker_endpoint) returns it. Empty where it does not exist.
    - C(model_name), C(image), C(production_variants) and C(tags) are there with O(generations=true).
  returned: always
  type: dict
  sample:
    endpoint_name: modelhost-prod
    endpoint_arn: arn:aws:sagemaker:eu-central-1:123456789012:endpoint/modelhost-prod
    endpoint_status: InService
    endpoint_config_name: modelhost-prod-CONFIG-5d41402abc4b
    pending_endpoint_config_name: ""
    failure_reason: ""
    creation_time: "2026-11-23T10:15:30.000Z"
    last_modified_time: "2026-11-23T10:20:30.000Z"
    model_name: modelhost-prod-MODEL-7d793037a076
    image: >-
      123456789012.dkr.ecr.eu-central-1.amazonaws.com/modelhost-prod@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    production_variants:
      - variant_name: AllTraffic
        model_name: modelhost-prod-MODEL-7d793037a076
        serverless: {memory_size_mb: 4096, max_concurrency: 2}
    tags: {"modelhost:endpoint": modelhost-prod}
generations:
  description: The generations that were made for the endpoint and are kept, the newest first.
  returned: with O(generations=true)
  type: list
  elements: dict
  contains:
    endpoint_config_name:
      description: The EndpointConfig.
      type: str
      returned: always
      sample: modelhost-prod-CONFIG-5d41402abc4b
    model_names:
      description: The Models it serves.
      type: list
      elements: str
      returned: always
      sample: [modelhost-prod-MODEL-7d793037a076]
    images:
      description: The images of those Models.
      type: list
      elements: str
      returned: always
      sample:
        - 123456789012.dkr.ecr.eu-central-1.amazonaws.com/modelhost-prod@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    creation_time:
      description: When it was made, in UTC.
      type: str
      returned: always
      sample: "2026-11-23T10:15:30.000Z"
    live:
      description: Whether the endpoint is on it.
      type: bool
      returned: always
      sample: true
    outcome:
      description: How the last attempt to make it live ended, V(proven), V(failed), V(pending) or V(unknown).
      type: str
      returned: always
      sample: proven
    outcome_time:
      description: When that was, in UTC.
      type: str
      returned: always
      sample: "2026-11-23T10:20:30.000Z"
    reason:
      description: Why it failed, as far as a tag can hold it.
      type: str
      returned: always
      sample: ""
    rolled_back:
      description: When a rollback left it, in UTC; empty where none did since it was last live.
      type: str
      returned: always
      sample: ""
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import result, validate
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.client import SageMakerClient
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.read import read_info
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.scaling_client import Scaling
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.session import sagemaker_client


def sight(client: SageMakerClient, name: str) -> dict[str, Any]:
    """Return what one call tells of the endpoint."""
    endpoint = client.endpoint(name, with_tags=False)
    return {"exists": endpoint is not None, "endpoint": result.endpoint_sight(endpoint) if endpoint else {}}


def facts(client: SageMakerClient, name: str, scaling: Scaling) -> dict[str, Any]:
    """Return the endpoint, what it serves, and its generations."""
    there = read_info(client, name, scaling)
    endpoint = result.endpoint_facts(there)
    generations = endpoint.pop("generations", [])
    if there.inventory and not there.endpoint:
        generations = result.generations(there.inventory, None)
    return {
        "exists": there.endpoint is not None,
        "endpoint": endpoint,
        "generations": with_images(client, generations),
    }


def with_images(client: SageMakerClient, generations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the generations, each with the images of its Models; generations that share a Model cost one call."""
    names = {name for generation in generations for name in generation["model_names"]}
    models = {name: client.model(name) for name in sorted(names)}
    images = {name: model.spec.image for name, model in models.items() if model and model.spec}
    return [
        {**generation, "images": sorted({images[name] for name in generation["model_names"] if name in images})}
        for generation in generations
    ]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "generations": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    name = module.params["name"]
    wrong = validate.endpoint_name(name, "name")
    if wrong:
        module.fail_json(msg="\n".join(wrong))
    try:
        client = sagemaker_client(module)
        if module.params["generations"]:
            found = facts(client, name, Scaling(_aws.client(module, "application-autoscaling"), name))
        else:
            found = sight(client, name)
    except AnsibleAWSError as error:
        module.fail_json_aws_error(error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
