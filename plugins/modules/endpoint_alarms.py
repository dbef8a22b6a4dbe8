#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the CloudWatch alarms that watch an endpoint."""

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_alarms
version_added: 0.2.0
short_description: Keep the CloudWatch alarms that watch a SageMaker endpoint
description:
  - Makes, changes and removes alarms on the metrics of an endpoint, so that an endpoint has the alarms of the list and no
    others. An update that names them is rolled back when one goes off.
  - An alarm that carries other tags than O(owner_tags) is neither changed nor removed.
  - M(amazon.aws.cloudwatch_metric_alarm) sets no tags, so nobody could tell whose an alarm is.
author:
  - modelhost contributors (@modelhost)
options:
  endpoint_name:
    description:
      - The name of the endpoint. It begins the name of every alarm.
    type: str
    required: true
  variant_name:
    description:
      - The variant whose metrics are watched.
    type: str
    default: AllTraffic
  alarms:
    description:
      - The alarms. Where the list is empty, none is left.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - What the alarm is called, behind the endpoint's name.
        type: str
        required: true
      metric_name:
        description:
          - A metric of C(AWS/SageMaker), such as V(Invocation5XXErrors).
        type: str
        required: true
      statistic:
        description:
          - What is taken of the metric's values in a period.
        type: str
        choices: [SampleCount, Average, Sum, Minimum, Maximum]
        default: Sum
      threshold:
        description:
          - The value that is too much.
        type: float
        required: true
      comparison:
        description:
          - How it compares with the threshold.
        type: str
        choices:
          - GreaterThanOrEqualToThreshold
          - GreaterThanThreshold
          - LessThanThreshold
          - LessThanOrEqualToThreshold
        default: GreaterThanOrEqualToThreshold
      period:
        description:
          - The length of a period, in seconds.
        type: int
        default: 60
      evaluation_periods:
        description:
          - After how many such periods in a row it is an alarm.
        type: int
        default: 1
  tags:
    description:
      - All tags of the alarms.
    type: dict
    default: {}
  owner_tags:
    description:
      - Those of the tags that say whose alarms they are.
    type: dict
    required: true
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the alarms before and after.
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
- name: Watch an endpoint for errors
  modelhost.sagemaker.endpoint_alarms:
    endpoint_name: modelhost-prod
    alarms:
      - name: errors
        metric_name: Invocation5XXErrors
        threshold: 1
    owner_tags:
      modelhost:project: modelhost
      modelhost:stage: prod
    tags:
      modelhost:project: modelhost
      modelhost:stage: prod
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each step.
  returned: success
  type: list
  elements: str
  sample: ["new alarm modelhost-prod-errors: Sum of Invocation5XXErrors >= 1 for 1 x 60 s"]
alarm_names:
  description: The names of the alarms.
  returned: success
  type: list
  elements: str
  sample: [modelhost-prod-errors]
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws, _steps
from ansible_collections.modelhost.sagemaker.plugins.module_utils._endpoint_alarms import cloudwatch
from ansible_collections.modelhost.sagemaker.plugins.module_utils._endpoint_alarms.alarms import (
    foreign,
    ours,
    plan,
    wanted_alarms,
)

ALARM = {
    "name": {"type": "str", "required": True},
    "metric_name": {"type": "str", "required": True},
    "statistic": {
        "type": "str",
        "choices": ["SampleCount", "Average", "Sum", "Minimum", "Maximum"],
        "default": "Sum",
    },
    "threshold": {"type": "float", "required": True},
    "comparison": {
        "type": "str",
        "choices": [
            "GreaterThanOrEqualToThreshold",
            "GreaterThanThreshold",
            "LessThanThreshold",
            "LessThanOrEqualToThreshold",
        ],
        "default": "GreaterThanOrEqualToThreshold",
    },
    "period": {"type": "int", "default": 60},
    "evaluation_periods": {"type": "int", "default": 1},
}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "endpoint_name": {"type": "str", "required": True},
            "variant_name": {"type": "str", "default": "AllTraffic"},
            "alarms": {"type": "list", "elements": "dict", "default": [], "options": ALARM},
            "tags": {"type": "dict", "default": {}},
            "owner_tags": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    name, owner_tags = params["endpoint_name"], params["owner_tags"]
    wanted = wanted_alarms(name, params["variant_name"], params["alarms"], params["tags"])
    client = _aws.client(module, "cloudwatch")
    try:
        found = cloudwatch.alarms(client, name)
        taken = foreign(found, wanted, owner_tags)
        if taken:
            module.fail_json(
                msg=f"Alarm {', '.join(taken)} exists and carries other tags than {owner_tags}, so it belongs to somebody "
                "else. Give the alarm another name, or remove that one."
            )
        steps = plan(found, wanted, owner_tags)
        _aws.run(module, steps, lambda step, arguments: _steps.make(client, step, arguments))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot read the alarms of endpoint {name}")
    diff = {
        "before": {each.name: each.condition for each in ours(found, owner_tags).values()},
        "after": {each.name: each.condition for each in wanted},
    }
    module.exit_json(
        changed=bool(steps),
        plan=[step.sentence for step in steps],
        alarm_names=[alarm.name for alarm in wanted],
        **({"diff": diff} if steps else {}),
    )


if __name__ == "__main__":
    main()
