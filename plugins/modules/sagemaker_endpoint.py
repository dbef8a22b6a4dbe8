#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a SageMaker endpoint to what is wanted, and prove that it is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sagemaker_endpoint
version_added: 0.1.0
short_description: Serve a model on an Amazon SageMaker endpoint
description:
  - Makes a SageMaker Model, an EndpointConfig and an Endpoint, and moves a live endpoint to a new Model or EndpointConfig
    without a failed request.
  - Models and EndpointConfigs cannot be changed on AWS, only made and deleted. The module names them after their content
    (C(<name>-MODEL-<hash>) and C(<name>-CONFIG-<hash>)), so that an unchanged specification makes no writing call, an
    interrupted run is taken up by the next one, and going back to an earlier specification uses what was kept of it.
  - Success means that the endpoint is proven to be InService on what was asked for. An update that SageMaker rolled back
    is a failure, with SageMaker's reason, the last lines of the container's log, and what is live instead.
  - Check mode, diff mode and the real run share one plan, returned as RV(plan).
author:
  - modelhost contributors (@modelhost)
options:
  name:
    description:
      - The name of the endpoint, unique in its account and region. Letters, digits and hyphens, 63 at most.
    type: str
    required: true
  state:
    description:
      - With V(present) the endpoint is made or moved to what the other options say.
      - With V(absent) the endpoint is removed, and with it every Model and EndpointConfig that was made for it, also
        those that an interrupted run left.
    type: str
    choices: [present, absent]
    default: present
  model:
    description:
      - What the endpoint serves. Required with O(state=present).
    type: dict
    suboptions:
      image:
        description:
          - The container image, by digest, as in C(<repository>@sha256:<digest>). A tag can move and the change would not
            be noticed, so an image named by tag is refused.
          - In check mode a tag is taken. It stands for an image that is yet to be built.
        type: str
        required: true
      execution_role_arn:
        description:
          - The ARN of the role that SageMaker takes to pull the image, fetch the artifact and write the log.
        type: str
        required: true
      model_data_url:
        description:
          - The model artifact, one S3 object such as V(s3://bucket/model.tar.gz). Leave it out where the image holds the
            model or fetches it.
          - Other content under the same URL is noticed by its ETag and rolled out.
        type: str
      environment:
        description:
          - Environment variables of the container. They arrive byte for byte. Quote numbers that must not change, such as
            V("1.0").
          - Whoever may describe the Model can read them, so what looks like a secret is refused.
        type: dict
        default: {}
  production_variants:
    description:
      - How the endpoint serves. Required with O(state=present). One variant for now.
    type: list
    elements: dict
    suboptions:
      variant_name:
        description:
          - The name of the variant, which metrics and autoscaling refer to.
        type: str
        default: AllTraffic
      serverless:
        description:
          - Makes the variant serverless, with these sizes. Excludes O(production_variants[].instance).
        type: dict
        suboptions:
          memory_size_mb:
            description:
              - Memory in MB, V(1024) to V(6144) in steps of 1024.
            type: int
            required: true
          max_concurrency:
            description:
              - The most requests worked on at once, V(1) to V(200). More are refused.
            type: int
            required: true
          provisioned_concurrency:
            description:
              - How many requests find a warm container at any time. At most
                O(production_variants[].serverless.max_concurrency). Paid also while idle.
            type: int
      instance:
        description:
          - Makes the variant run on instances. Excludes O(production_variants[].serverless).
        type: dict
        suboptions:
          instance_type:
            description:
              - The instance type, such as V(ml.m5.large).
            type: str
            required: true
          initial_instance_count:
            description:
              - With how many instances the variant starts.
            type: int
            default: 1
  keep_generations:
    description:
      - How many generations are kept besides the live one, V(0) to V(20). A generation is an EndpointConfig and its Model.
      - Older ones are deleted once a new one is proven, only if they are tagged as made for this endpoint, and never while
        any endpoint of the region refers to them.
    type: int
    default: 2
  replace:
    description:
      - Consents to deleting the endpoint and making it anew where SageMaker has no update, namely from instances to
        serverless and back, and out of the states C(UpdateRollbackFailed) and C(OutOfService). Requests fail meanwhile.
    type: bool
    default: false
  retry_failed:
    description:
      - Submits a specification again that failed before. Without it, an unchanged specification that failed is reported
        at once and not submitted again.
    type: bool
    default: false
  tags:
    description:
      - Tags of the endpoint and of everything made for it. They arrive byte for byte.
      - Tags are added and changed, never removed. Next to them the module keeps tags of its own under C(modelhost:).
    type: dict
    default: {}
  wait:
    description:
      - Whether to wait until the endpoint is proven. Without waiting nothing is proven and nothing old is deleted; the
        next run does both.
    type: bool
    default: true
  wait_timeout:
    description:
      - How many seconds to wait in all.
    type: int
    default: 1800
  poll_interval:
    description:
      - How many seconds lie between two looks at the endpoint while waiting.
    type: int
    default: 15
attributes:
  check_mode:
    support: full
    details:
      - Makes no writing call. The role, the artifact and the image need not exist yet.
  diff_mode:
    support: full
    details:
      - Values of environment variables that look like secrets are hidden.
  idempotent:
    support: full
    details:
      - A run that finds everything as wanted makes four reading calls, five with O(model.model_data_url), however many
        generations there are, and no writing call.
  action:
    description: Has an action plugin of the same name, which tells of progress on the terminal while waiting.
    support: full
  async:
    description: Can be used with the C(async) keyword.
    support: none
notes:
  - While the module waits it goes through the action plugin of the same name, which prints what the endpoint is doing.
  - An endpoint that exists without the tag C(modelhost:endpoint) is not touched. Setting the tag to the endpoint's name
    hands it over.
seealso:
  - module: modelhost.sagemaker.sagemaker_endpoint_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - modelhost.sagemaker.sagemaker
"""

EXAMPLES = r"""
- name: Serve a model on a serverless endpoint
  modelhost.sagemaker.sagemaker_endpoint:
    name: modelhost-prod
    model:
      image: >-
        123456789012.dkr.ecr.eu-central-1.amazonaws.com/modelhost-prod@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
      execution_role_arn: arn:aws:iam::123456789012:role/modelhost-prod-execution
      model_data_url: s3://modelhost-prod/model/model.tar.gz
      environment:
        HF_TASK: text-classification
    production_variants:
      - serverless:
          memory_size_mb: 4096
          max_concurrency: 2
    tags:
      modelhost:project: modelhost
      modelhost:stage: prod

- name: Serve it on two instances, and agree to the interruption that the change of type means
  modelhost.sagemaker.sagemaker_endpoint:
    name: modelhost-prod
    model: "{{ model }}"
    production_variants:
      - instance:
          instance_type: ml.m5.large
          initial_instance_count: 2
    replace: true

- name: Remove the endpoint and every generation of it
  modelhost.sagemaker.sagemaker_endpoint:
    name: modelhost-prod
    state: absent
"""

RETURN = r"""
plan:
  description: What is done, or in check mode would be done, one sentence for each step. Empty where nothing is to do.
  returned: always
  type: list
  elements: str
  sample:
    - "new EndpointConfig modelhost-prod-CONFIG-5d41402abc4b: memory 2048 → 4096 MB"
    - update Endpoint modelhost-prod to the new EndpointConfig modelhost-prod-CONFIG-5d41402abc4b
    - wait until Endpoint modelhost-prod is InService on modelhost-prod-CONFIG-5d41402abc4b
    - record on EndpointConfig modelhost-prod-CONFIG-5d41402abc4b that it is proven
    - record on Endpoint modelhost-prod that besides the live one the last 2 generations are kept
endpoint:
  description: The endpoint as it is at the end. Empty where there is none.
  returned: always
  type: dict
  contains:
    endpoint_name:
      description: The name of the endpoint.
      type: str
      returned: when the endpoint exists
      sample: modelhost-prod
    endpoint_arn:
      description: The ARN of the endpoint. SageMaker writes it in lower case.
      type: str
      returned: when the endpoint exists
      sample: arn:aws:sagemaker:eu-central-1:123456789012:endpoint/modelhost-prod
    endpoint_status:
      description: The state of the endpoint.
      type: str
      returned: when the endpoint exists
      sample: InService
    endpoint_config_name:
      description: The EndpointConfig that is live.
      type: str
      returned: when the endpoint exists
      sample: modelhost-prod-CONFIG-5d41402abc4b
    pending_endpoint_config_name:
      description: The EndpointConfig that SageMaker moves the endpoint to; empty where it moves to none.
      type: str
      returned: when the endpoint exists
      sample: ""
    failure_reason:
      description: Why SageMaker says the last operation failed; empty where it did not.
      type: str
      returned: when the endpoint exists
      sample: ""
    creation_time:
      description: When the endpoint was created, in UTC.
      type: str
      returned: when the endpoint exists
      sample: "2026-11-23T10:15:30.000Z"
    last_modified_time:
      description: When the endpoint was last modified, in UTC.
      type: str
      returned: when the endpoint exists
      sample: "2026-11-23T10:20:30.000Z"
    model_name:
      description: The Model that is live.
      type: str
      returned: when nothing is pending
      sample: modelhost-prod-MODEL-7d793037a076
    image:
      description: The image that is live.
      type: str
      returned: when nothing is pending
      sample: >-
        123456789012.dkr.ecr.eu-central-1.amazonaws.com/modelhost-prod@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    production_variants:
      description: The variants that are live, each with C(variant_name), C(model_name), and C(serverless) or C(instance).
      type: list
      elements: dict
      returned: when nothing is pending
      sample:
        - variant_name: AllTraffic
          model_name: modelhost-prod-MODEL-7d793037a076
          serverless: {memory_size_mb: 4096, max_concurrency: 2}
    tags:
      description: The tags of the endpoint.
      type: dict
      returned: when nothing is pending
      sample: {"modelhost:endpoint": modelhost-prod}
    generations:
      description:
        - The generations that are kept, the newest first. An unchanged run does not list them;
          M(modelhost.sagemaker.sagemaker_endpoint_info) always does.
      type: list
      elements: dict
      returned: when something was changed and nothing is pending
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
pending:
  description: What is still under way; null where nothing is.
  returned: always
  type: dict
  contains:
    what:
      description: What the next run waits for first.
      type: str
      returned: always
      sample: Endpoint modelhost-prod is InService on modelhost-prod-CONFIG-5d41402abc4b
    seen:
      description: When the endpoint had last been modified before the update; a look that still shows it is outdated.
      type: str
      returned: always
      sample: "2026-11-23T10:15:30.000Z"
submitted:
  description: Whether SageMaker has taken a create or an update in this run.
  returned: always
  type: bool
  sample: true
container_log:
  description: The last lines of the container's log.
  returned: when the endpoint could not be brought to what is wanted
  type: list
  elements: str
  sample: ["OSError: /opt/ml/model/config.json not found"]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import artifact, passes, validate
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.arguments import argument_spec
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.logs import log_tail
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.session import (
    boto_client,
    sagemaker_client,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import wanted_from_options
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import Patience, Sight, converge


class ModuleDriver:
    """Passes by calling functions, without telling of progress: a module cannot print while it works."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._module = module
        self._client = sagemaker_client(module)

    def run_pass(self, *, submitted: bool) -> dict[str, Any]:
        options: dict[str, Any] = dict(self._module.params)
        if options["state"] == "absent":
            return passes.absent_pass(self._client, options["name"], check_mode=self._module.check_mode)
        wanted = passes.for_pass(wanted_from_options(options, self._model_data_etag()), submitted=submitted)
        return passes.present_pass(self._client, wanted, check_mode=self._module.check_mode, tail=self._tail)

    def look(self) -> Sight:
        return passes.look(self._client, self._module.params["name"])

    def report(self, status: str, waited: float) -> None:
        self._module.debug(f"{self._module.params['name']}: {status} after {waited:.0f} s")

    def _model_data_etag(self) -> str | None:
        url = self._module.params["model"]["model_data_url"]
        if not url:
            return None
        return artifact.etag(boto_client(self._module, "s3"), url, may_be_missing=self._module.check_mode)

    def _tail(self) -> list[str]:
        return log_tail(boto_client(self._module, "logs"), self._module.params["name"])


def problems(module: AnsibleAWSModule) -> list[str]:
    """Return what is wrong with the options, as sentences; nothing of it would reach AWS."""
    options = module.params
    found = [
        f"{key}: {options[key]} is out of range; use {least} or more."
        for key, least in (("wait_timeout", 1), ("poll_interval", 1))
        if options[key] < least
    ]
    if options["state"] == "absent":
        return [*validate.endpoint_name(options["name"], "name"), *found]
    return [*validate.endpoint(options, region=module.region, check_mode=module.check_mode), *found]


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=argument_spec(),
        required_if=[("state", "present", ["model", "production_variants"])],
        supports_check_mode=True,
    )
    wrong = problems(module)
    if wrong:
        module.fail_json(msg="\n".join(wrong))
    options = module.params
    try:
        driver = ModuleDriver(module)
        if options["wait"] and not module.check_mode:
            patience = Patience(timeout=options["wait_timeout"], interval=options["poll_interval"])
            result = converge(driver, patience)
        else:
            result = driver.run_pass(submitted=False)
    except AnsibleAWSError as error:
        module.fail_json_aws_error(error)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
