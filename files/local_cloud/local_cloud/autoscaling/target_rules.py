# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scalable target may be. Pure: each check raises AwsError or returns.

Sources: the pages "Auto scaling prerequisites", "Register a model" and "Automatically scale Provisioned Concurrency
for a serverless endpoint" of SageMaker's guide, and RegisterScalableTarget's reference page.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ..aws.errors import AwsError, validation
from ..sagemaker.deployment import Variant
from .resources import INSTANCE_COUNT, PROVISIONED_CONCURRENCY

MAX_TARGETS = 500
MAX_TAGS = 50
MAX_INSTANCES = 100
_ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+")
_BURSTABLE = re.compile(r"ml\.t\d")


def check_request(parameters: dict[str, Any], registered: bool) -> None:
    """What RegisterScalableTarget is refused for, whatever the variant is."""
    if not registered:
        for member, noun in (("MinCapacity", "Minimum"), ("MaxCapacity", "Maximum")):
            if member not in parameters:
                raise validation(f"{noun} capacity must be specified")
    role = parameters.get("RoleARN")
    if role is not None and not _ARN.fullmatch(role):
        raise validation(f"'{role}' is not a valid ARN")
    if registered and parameters.get("Tags"):
        # terraform-aws-modules/terraform-aws-rds-aurora #420 quotes it.
        raise validation(
            "The scalable target that you tried to tag already exists. "
            "To update tags on an existing scalable target, use the TagResource API."
        )
    check_tags(parameters.get("Tags") or {})


def check_bounds(low: int, high: int) -> None:
    """A minimum and a maximum in order."""
    if low < 0:
        raise validation("Minimum capacity cannot be less than 0")
    if high < low:
        raise validation("Maximum capacity cannot be less than minimum capacity")


def check_variant(dimension: str, low: int, high: int, variant: Variant, asynchronous: bool) -> None:
    """The variant has this dimension, and the bounds suit it.

    asynchronous: whether the endpoint is one for asynchronous inference, which may have no instances.
    """
    serverless = variant.serverless
    if (dimension == PROVISIONED_CONCURRENCY) != bool(serverless):
        wanted = PROVISIONED_CONCURRENCY if serverless else INSTANCE_COUNT
        raise validation(f"The variant {variant.name} scales by {wanted}, not by {dimension}.")
    if serverless is not None:
        if "ProvisionedConcurrency" not in serverless:
            raise validation(
                f"The variant {variant.name} has no ProvisionedConcurrency, so there is nothing to scale: "
                "a serverless endpoint scales on demand by itself."
            )
        if low < 1:
            raise validation("Minimum capacity cannot be less than 1 for provisioned concurrency")
        if high > serverless["MaxConcurrency"]:
            raise validation(
                f"Maximum capacity cannot be greater than the variant's MaxConcurrency ({serverless['MaxConcurrency']})"
            )
        return
    instance_type = str(variant.config.get("InstanceType", ""))
    if _BURSTABLE.match(instance_type):
        # AWS's words, as users of ml.t2 meet them.
        raise validation(
            f"You cannot register a variant with {instance_type} instance type as a scalable target. This is because "
            "the burstable performance of these instances can lead to unpredictable behavior with Auto Scaling."
        )
    if low < 1 and not asynchronous:
        raise validation(
            "Minimum capacity cannot be less than 1 for a variant of a real-time endpoint without inference components"
        )


def check_quota(instance_type: str, current: int, wanted: int) -> None:
    """A target's maximum may be any number; what SageMaker gives is limited, and here each instance is a process.

    AWS's words are those of DescribeScalingActivities' example in SageMaker's guide ("Check the status of a scaling
    activity").
    """
    if wanted > max(current, MAX_INSTANCES):
        raise AwsError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{instance_type} for endpoint usage' is {MAX_INSTANCES} Instances, with "
            f"current utilization of {current} Instances and a request delta of {wanted - current} Instances. Please "
            "use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
            "contact AWS support to request an increase for this quota.",
        )


def check_tags(tags: dict[str, str]) -> None:
    """The tags that a target would have."""
    if len(tags) > MAX_TAGS:
        raise AwsError("TooManyTagsException", f"A scalable target can have at most {MAX_TAGS} tags.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise validation("aws: prefixed tag key names are not allowed for external use.")


def bounded(capacity: float, low: int, high: int) -> int:
    """`capacity` rounded up, within the bounds."""
    return max(low, math.ceil(min(high, capacity)))
