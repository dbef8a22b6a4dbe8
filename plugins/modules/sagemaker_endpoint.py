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
      - With V(rolled_back) a live endpoint is moved back to an earlier generation, with one update. O(generation) says to
        which. Of O(production_variants) only autoscaling is looked at, so that a variant whose registration has to go
        for the update is registered again.
    type: str
    choices: [present, absent, rolled_back]
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
      vpc:
        description:
          - Where the containers' network interfaces are. Not for serverless variants.
        type: dict
        suboptions:
          security_group_ids:
            description:
              - The security groups, 5 at most.
            type: list
            elements: str
            required: true
          subnets:
            description:
              - The subnets, 16 at most.
            type: list
            elements: str
            required: true
      enable_network_isolation:
        description:
          - Whether the containers can reach no network at all. Not for serverless variants.
        type: bool
        default: false
  production_variants:
    description:
      - How the endpoint serves, in one variant or several that share the requests by weight. Required with
        O(state=present). A serverless endpoint has one.
    type: list
    elements: dict
    suboptions:
      variant_name:
        description:
          - The name of the variant, unique among all variants and shadows. Metrics and autoscaling refer to it, and it
            cannot change with guardrails.
        type: str
        default: AllTraffic
      model: &variant_model
        description:
          - What this variant serves where it differs from O(model). What is not given is taken from there.
        type: dict
        suboptions:
          image:
            description:
              - The container image, by digest, as in C(<repository>@sha256:<digest>). A tag can move and the change would not
                be noticed, so an image named by tag is refused.
              - In check mode a tag is taken. It stands for an image that is yet to be built.
            type: str
          execution_role_arn:
            description:
              - The ARN of the role that SageMaker takes to pull the image, fetch the artifact and write the log.
            type: str
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
          vpc:
            description:
              - Where the containers' network interfaces are. Not for serverless variants.
            type: dict
            suboptions:
              security_group_ids:
                description:
                  - The security groups, 5 at most.
                type: list
                elements: str
                required: true
              subnets:
                description:
                  - The subnets, 16 at most.
                type: list
                elements: str
                required: true
          enable_network_isolation:
            description:
              - Whether the containers can reach no network at all. Not for serverless variants.
            type: bool
      initial_variant_weight:
        description:
          - Which share of the requests the variant gets, as a proportion of all variants' weights.
        type: float
        default: 1.0
      serverless: &variant_serverless
        description:
          - Makes the variant serverless, with these sizes. Excludes C(instance).
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
                C(max_concurrency). Paid also while idle.
            type: int
      instance: &variant_instance
        description:
          - Makes the variant run on instances. Excludes C(serverless).
        type: dict
        suboptions:
          instance_type:
            description:
              - The instance type, such as V(ml.m5.large).
            type: str
            required: true
          initial_instance_count:
            description:
              - With how many instances the variant starts. What an autoscaler has set since stays.
            type: int
            default: 1
          volume_size_in_gb:
            description:
              - The size of the volume for the model, V(1) to V(512) GB. By default SageMaker chooses by the type.
            type: int
          model_data_download_timeout_in_seconds:
            description:
              - How long fetching and unpacking the model may take, V(60) to V(3600) seconds.
            type: int
          container_startup_health_check_timeout_in_seconds:
            description:
              - How long the container may take to its first good answer on C(/ping), V(60) to V(3600) seconds.
            type: int
          inference_ami_version:
            description:
              - Which Amazon Machine Image of SageMaker's the instances run, for instance for a newer GPU driver.
            type: str
          enable_ssm_access:
            description:
              - Whether Systems Manager may open a shell in the containers.
            type: bool
          routing_strategy:
            description:
              - How requests are spread over the instances.
            type: str
            choices: [LEAST_OUTSTANDING_REQUESTS, RANDOM]
          managed_instance_scaling:
            description:
              - Lets SageMaker itself choose the number of instances. Excludes autoscaling.
            type: dict
            suboptions:
              min_instance_count:
                description:
                  - The least instances.
                type: int
              max_instance_count:
                description:
                  - The most instances.
                type: int
      autoscaling:
        description:
          - Registers the variant with Application Auto Scaling, which then owns its instance count or its provisioned
            concurrency. What it has set survives a rotation. It is deregistered where SageMaker needs that, and
            registered again once the new generation is proven.
          - Leaving it out deregisters the variant, unless somebody else registered it.
        type: dict
        suboptions:
          min_capacity:
            description:
              - The least instances, or the least provisioned concurrency.
            type: int
            required: true
          max_capacity:
            description:
              - The most instances, or the most provisioned concurrency.
            type: int
            required: true
          target_value:
            description:
              - The value of the metric that scaling aims for, such as 70 requests a minute and instance, or a share such
                as 0.7 of the provisioned concurrency.
            type: float
            required: true
          metric:
            description:
              - The metric. By default V(SageMakerVariantInvocationsPerInstance) for instances and
                V(SageMakerVariantProvisionedConcurrencyUtilization) for a serverless variant.
            type: str
            choices:
              - SageMakerVariantInvocationsPerInstance
              - SageMakerVariantConcurrentRequestsPerModelHighResolution
              - SageMakerVariantProvisionedConcurrencyUtilization
          scale_in_cooldown:
            description:
              - How many seconds lie between two reductions. By default AWS's 300.
            type: int
          scale_out_cooldown:
            description:
              - How many seconds lie between two extensions. By default AWS's 300.
            type: int
  shadow_production_variants:
    description:
      - One variant that gets copies of the production variant's requests and whose answers nobody sees.
    type: list
    elements: dict
    suboptions:
      variant_name:
        description:
          - The name of the variant, unique among all variants and shadows. Metrics and autoscaling refer to it, and it
            cannot change with guardrails.
        type: str
        default: AllTraffic
      model: *variant_model
      initial_variant_weight:
        description:
          - Which share of the requests the variant gets, as a proportion of all variants' weights, copies of which it gets.
        type: float
        default: 1.0
      serverless: *variant_serverless
      instance: *variant_instance
  data_capture:
    description:
      - Writes requests and answers to S3. The execution role has to be allowed to. Not for serverless variants.
    type: dict
    suboptions:
      destination_s3_uri:
        description:
          - Where to, such as V(s3://bucket/capture).
        type: str
        required: true
      initial_sampling_percentage:
        description:
          - Which part of the traffic, in percent.
        type: int
        default: 100
      capture_modes:
        description:
          - What is written. By default both.
        type: list
        elements: str
        choices: [Input, Output]
      kms_key_id:
        description:
          - The KMS key for what is written.
        type: str
      csv_content_types:
        description:
          - Content types that are written as CSV.
        type: list
        elements: str
      json_content_types:
        description:
          - Content types that are written as JSON. Others are written in Base64.
        type: list
        elements: str
  async_inference:
    description:
      - Makes the endpoint asynchronous. It takes requests from S3 and leaves its answers there. Not for serverless
        variants, nor with several variants.
    type: dict
    suboptions:
      s3_output_path:
        description:
          - Where answers go, such as V(s3://bucket/answers).
        type: str
        required: true
      s3_failure_path:
        description:
          - Where failures go.
        type: str
      kms_key_id:
        description:
          - The KMS key for what is written.
        type: str
      success_topic:
        description:
          - The ARN of the SNS topic that is told of answers.
        type: str
      error_topic:
        description:
          - The ARN of the SNS topic that is told of failures.
        type: str
      max_concurrent_invocations_per_instance:
        description:
          - How many requests an instance works on at once, V(1) to V(1000). By default SageMaker chooses.
        type: int
  kms_key_id:
    description:
      - The KMS key for the instances' volumes. Not for serverless variants.
    type: str
  deployment:
    description:
      - How traffic moves to a new generation. By default all at once, as soon as it is healthy.
      - It says how a rotation goes and not what is served, so changing it alone changes nothing.
    type: dict
    suboptions:
      strategy:
        description:
          - V(canary) moves one share first and then the rest, V(linear) moves in equal steps, V(rolling) replaces instances in
            batches and needs the least of them.
        type: str
        choices: [all_at_once, canary, linear, rolling]
        default: all_at_once
      size:
        description:
          - The size of the canary (up to 50 percent), of a linear step (10 to 50 percent), or of a rolling batch (5 to 50
            percent).
        type: int
      size_type:
        description:
          - What O(deployment.size) counts.
        type: str
        choices: [capacity_percent, instance_count]
        default: capacity_percent
      wait_interval_in_seconds:
        description:
          - How long SageMaker watches the alarms after each step, V(0) to V(3600) seconds.
        type: int
        default: 0
      termination_wait_in_seconds:
        description:
          - How long the old instances stay after the last step, V(0) to V(3600) seconds.
        type: int
      maximum_execution_timeout_in_seconds:
        description:
          - How long the whole may take, V(600) to V(28800) seconds.
        type: int
      rollback_size:
        description:
          - The size of the batches in which V(rolling) goes back. By default all at once.
        type: int
      alarms:
        description:
          - Names of CloudWatch alarms, 10 at most. One of them in ALARM rolls the update back. The execution role has to
            be allowed C(cloudwatch:DescribeAlarms).
        type: list
        elements: str
  generation:
    description:
      - With O(state=rolled_back), the EndpointConfig to go back to. By default the one that was live before, and a second
        rollback goes further back.
    type: str
    default: ""
  keep_generations:
    description:
      - How many generations are kept besides the live one, V(0) to V(20). A generation is an EndpointConfig and its Models.
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
  adopt:
    description:
      - Consents to taking over an endpoint of that name that somebody else made. Nothing is interrupted. What it was made
        of stays, and is theirs to delete.
    type: bool
    default: false
  retry_failed:
    description:
      - Submits a specification again that failed before. Without it, an unchanged specification that failed is reported
        at once and not submitted again.
      - With O(state=rolled_back) it lets O(generation) name one that failed.
    type: bool
    default: false
  moved_from:
    description:
      - What was live when this run submitted what is wanted. A run without O(wait) is one pass of several, and its result
        RV(moved_from) goes into the next one; the action plugin does so.
    type: str
  tags:
    description:
      - Tags of the endpoint and of everything made for it. They arrive byte for byte.
      - Next to them the module keeps tags of its own under C(modelhost:).
    type: dict
    default: {}
  purge_tags:
    description:
      - Whether tags of the endpoint and of what it serves that are not in O(tags) are removed.
    type: bool
    default: false
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
      - A run that finds everything as wanted makes four reading calls, one more for each further Model and each
        O(model.model_data_url), one on instances to look for scalable targets and one for each, however many generations
        and other endpoints there are, and no writing call.
  action:
    description: Has an action plugin of the same name, which tells of progress on the terminal while waiting.
    support: full
  async:
    description: Can be used with the C(async) keyword.
    support: none
notes:
  - While the module waits it goes through the action plugin of the same name, which prints what the endpoint is doing.
  - An endpoint that exists without the tag C(modelhost:endpoint) is not touched, unless O(adopt=true).
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

- name: Move a tenth of the traffic first, and back by itself when the alarm says so
  modelhost.sagemaker.sagemaker_endpoint:
    name: modelhost-prod
    model: "{{ model }}"
    production_variants:
      - instance:
          instance_type: ml.m5.large
          initial_instance_count: 2
        autoscaling:
          min_capacity: 2
          max_capacity: 6
          target_value: 300
    deployment:
      strategy: canary
      size: 10
      wait_interval_in_seconds: 300
      alarms:
        - modelhost-prod-errors

- name: Go back to what was live before
  modelhost.sagemaker.sagemaker_endpoint:
    name: modelhost-prod
    state: rolled_back

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
    images:
      description: The images that are live, by the names of the Models.
      type: dict
      returned: when nothing is pending
      sample:
        modelhost-prod-MODEL-7d793037a076: >-
          123456789012.dkr.ecr.eu-central-1.amazonaws.com/modelhost-prod@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    autoscaling:
      description: The variants that are registered with Application Auto Scaling, each with its bounds.
      type: list
      elements: dict
      returned: when nothing is pending
      sample: [{variant_name: AllTraffic, min_capacity: 1, max_capacity: 4}]
    shadow_production_variants:
      description: The shadow variants that are live, as RV(endpoint.production_variants).
      type: list
      elements: dict
      returned: when nothing is pending
      sample: []
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
        rolled_back:
          description: When a rollback left it, in UTC; empty where none did since it was last live.
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
generation:
  description: The generation that a rollback goes to; empty where it is not known yet.
  returned: with O(state=rolled_back)
  type: str
  sample: modelhost-prod-CONFIG-5d41402abc4b
moved_from:
  description: What was live when SageMaker took the create (empty) or the update; null where it took none in this run.
  returned: always
  type: str
  sample: modelhost-prod-CONFIG-5d41402abc4b
container_log:
  description: The last lines of the container's log.
  returned: when the endpoint could not be brought to what is wanted
  type: list
  elements: str
  sample: ["OSError: /opt/ml/model/config.json not found"]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import (
    artifact,
    passes,
    validate,
    validate_endpoint,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.arguments import argument_spec
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.logs import log_tail
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.scaling import scaling_by_variant
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.scaling_client import Scaling
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.session import sagemaker_client
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import (
    model_of,
    wanted_from_options,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import Patience, Sight, converge


class ModuleDriver:
    """Passes by calling functions, without telling of progress: a module cannot print while it works."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._module = module
        name = module.params["name"]
        scaling = Scaling(_aws.client(module, "application-autoscaling"), name)
        self._clients = passes.Clients(sagemaker_client(module), scaling)

    def run_pass(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = dict(self._module.params)
        name, check_mode = options["name"], self._module.check_mode
        moved_from = earlier.get("moved_from", options["moved_from"])
        if options["state"] == "absent":
            return passes.absent_pass(self._clients, name, check_mode=check_mode)
        if options["state"] == "rolled_back":
            to, scaling = options["generation"], scaling_by_variant(options["production_variants"] or ())
            return passes.rollback_pass(
                self._clients,
                name,
                earlier.get("generation") or to,
                scaling,
                retry_failed=options["retry_failed"],
                moved_from=moved_from,
                check_mode=check_mode,
                tail=self._tail,
            )
        wanted = passes.for_pass(wanted_from_options(options, self._etags(options)), moved_from)
        return passes.present_pass(self._clients, wanted, check_mode=check_mode, tail=self._tail)

    def look(self) -> Sight:
        return passes.look(self._clients.sagemaker, self._module.params["name"])

    def report(self, status: str, waited: float) -> None:
        self._module.debug(f"{self._module.params['name']}: {status} after {waited:.0f} s")

    def _etags(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the ETag behind each model_data_url, one call for each."""
        variants = [*options["production_variants"], *(options["shadow_production_variants"] or ())]
        urls = {model_of(variant, options["model"]).get("model_data_url") for variant in variants}
        s3 = _aws.client(self._module, "s3") if any(urls) else None
        found = {url: artifact.etag(s3, url, may_be_missing=self._module.check_mode) for url in urls if url}
        return {url: etag for url, etag in found.items() if etag}

    def _tail(self) -> list[str]:
        return log_tail(_aws.client(self._module, "logs"), self._module.params["name"])


def problems(module: AnsibleAWSModule) -> list[str]:
    """Return what is wrong with the options, as sentences; nothing of it would reach AWS."""
    options = module.params
    found = [
        f"{key}: {options[key]} is out of range; use {least} or more."
        for key, least in (("wait_timeout", 1), ("poll_interval", 1))
        if options[key] < least
    ]
    if options["state"] != "present":
        return [*validate.endpoint_name(options["name"], "name"), *found]
    return [*validate_endpoint.endpoint(options, region=module.region, check_mode=module.check_mode), *found]


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
            result = driver.run_pass({})
    except AnsibleAWSError as error:
        module.fail_json_aws_error(error)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
