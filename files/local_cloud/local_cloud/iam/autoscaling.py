# SPDX-License-Identifier: GPL-3.0-or-later
"""What Application Auto Scaling's operations have to be allowed. Pure.

Sources: Service Authorization Reference, "Actions, resources, and condition keys for AWS Application Auto Scaling", and
SageMaker's developer guide, "Auto scaling prerequisites", for what it does in the caller's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..aws.caller import Caller
from ..sagemaker.arns import arn_of
from .permissions import Permission, request_tags

SERVICE_LINKED_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
_SERVICE_NAME = "sagemaker.application-autoscaling.amazonaws.com"

ON_TARGETS = frozenset(
    {
        "RegisterScalableTarget",
        "DeregisterScalableTarget",
        "PutScalingPolicy",
        "DeleteScalingPolicy",
        "PutScheduledAction",
        "DeleteScheduledAction",
    }
)
ON_TARGET_ARN = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})
WITHOUT_RESOURCE = frozenset(
    {
        "DescribeScalableTargets",
        "DescribeScalingActivities",
        "DescribeScalingPolicies",
        "DescribeScheduledActions",
        "GetPredictiveScalingForecast",
    }
)


def required(
    caller: Caller, operation: str, parameters: Mapping[str, Any], has_service_linked_role: bool
) -> list[Permission]:
    """What an operation has to be allowed.

    has_service_linked_role: whether SERVICE_LINKED_ROLE is in the account; the first scalable target makes it.
    A target's ARN ends in an id that is given when it is registered, so a policy names scalable-target/*.
    """
    action = f"application-autoscaling:{operation}"
    if operation in ON_TARGET_ARN:
        tags = parameters.get("Tags")
        conditions = request_tags(tags) if isinstance(tags, dict) else {}
        return [Permission(action, str(parameters.get("ResourceARN") or ""), conditions)]
    if operation not in ON_TARGETS:
        return [Permission(action)]
    tags = parameters.get("Tags")
    asked = {
        "application-autoscaling:service-namespace": str(parameters.get("ServiceNamespace")),
        "application-autoscaling:scalable-dimension": str(parameters.get("ScalableDimension")),
        **(request_tags(tags) if isinstance(tags, dict) else {}),
    }
    target = caller.arn("application-autoscaling", "scalable-target/*")
    wanted = [Permission(action, target, asked)]
    if operation == "RegisterScalableTarget":
        if tags:
            wanted.append(Permission("application-autoscaling:TagResource", target, asked))
        wanted += _on_endpoint(caller, parameters)
        if not has_service_linked_role:
            role = f"arn:aws:iam::{caller.account}:role/aws-service-role/{_SERVICE_NAME}/{SERVICE_LINKED_ROLE}"
            wanted.append(Permission("iam:CreateServiceLinkedRole", role, {"iam:AWSServiceName": _SERVICE_NAME}))
    elif operation == "PutScalingPolicy" and parameters.get("PolicyType") == "TargetTrackingScaling":
        alarms = _alarms(caller, parameters)
        wanted += [Permission("cloudwatch:DescribeAlarms", alarms), Permission("cloudwatch:PutMetricAlarm", alarms)]
    elif operation in ("DeleteScalingPolicy", "DeregisterScalableTarget"):
        wanted.append(Permission("cloudwatch:DeleteAlarms", _alarms(caller, parameters)))
    return wanted


def to_delete_scaled(caller: Caller) -> Permission:
    """What deleting an endpoint takes whose variants are scalable targets: SageMaker deregisters them."""
    return Permission(
        "application-autoscaling:DeregisterScalableTarget",
        caller.arn("application-autoscaling", "scalable-target/*"),
        {"application-autoscaling:service-namespace": "sagemaker"},
        # stable-diffusion-aws-extension #161
        "An Application AutoScaling scalable target exists for a variant being deleted, and the IAM identity used to "
        "invoke DeleteEndpoint does not have application-autoscaling:DeregisterScalableTarget permission to "
        "deregister the scalable target.",
    )


def _on_endpoint(caller: Caller, parameters: Mapping[str, Any]) -> list[Permission]:
    # "endpoint/<name>/variant/<variant>"
    name = str(parameters.get("ResourceId") or "").removeprefix("endpoint/").partition("/")[0]
    endpoint = arn_of("endpoint", caller, name)
    return [
        Permission("sagemaker:DescribeEndpoint", endpoint),
        Permission("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint),
    ]


def _alarms(caller: Caller, parameters: Mapping[str, Any]) -> str:
    # TargetTracking-<resource id>-AlarmHigh-<uuid>
    return caller.arn("cloudwatch", f"alarm:TargetTracking-{parameters.get('ResourceId')}-*")
