# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a request is. Pure."""

from __future__ import annotations

import enum
import re

# What X-Amz-Target starts with, by service.
SAGEMAKER_TARGET = "SageMaker."
AUTOSCALING_TARGET = "AnyScaleFrontendService."
CODEBUILD_TARGET = "CodeBuild_20161006."
ECR_TARGET = "AmazonEC2ContainerRegistry_V20150921."

OUR_ECR_OPERATIONS = frozenset(
    {
        "BatchCheckLayerAvailability",
        "BatchDeleteImage",
        "BatchGetImage",
        "CompleteLayerUpload",
        "DeleteRepository",
        "DescribeImages",
        "GetAuthorizationToken",
        "GetDownloadUrlForLayer",
        "InitiateLayerUpload",
        "ListImages",
        "PutImage",
        "UploadLayerPart",
    }
)

# API Gateway's and SES's paths begin with /v2/ as well.
_REGISTRY_PATH = re.compile(r"/v2/?|/v2/.+/(?:blobs|manifests)/.+|/v2/.+/tags/list")

# Signing names that ministack knows without looking: for any other it reads botocore's whole catalogue once, which
# takes seconds and 390 MB. They are the services that a stage has a use for, and the ones people try by hand.
MINISTACK_SERVICES = frozenset(
    [
        "acm",
        "apigateway",
        "application-signals",
        "athena",
        "autoscaling",
        "batch",
        "budgets",
        "cloudformation",
        "cloudfront",
        "cloudtrail",
        "cognito-identity",
        "cognito-idp",
        "config",
        "dynamodb",
        "ec2",
        "ecr",
        "ecs",
        "eks",
        "elasticache",
        "elasticloadbalancing",
        "events",
        "execute-api",
        "firehose",
        "glue",
        "iam",
        "kinesis",
        "kms",
        "lambda",
        "logs",
        "monitoring",
        "organizations",
        "rds",
        "resource-groups",
        "route53",
        "s3",
        "scheduler",
        "secretsmanager",
        "servicediscovery",
        "ses",
        "sns",
        "sqs",
        "ssm",
        "states",
        "sts",
        "tagging",
        "waf",
        "wafv2",
    ]
)


class Destination(enum.Enum):
    """Who answers a request."""

    SAGEMAKER = "sagemaker"
    SAGEMAKER_RUNTIME = "sagemaker-runtime"
    AUTOSCALING = "application-autoscaling"
    CODEBUILD = "codebuild"
    ECR = "ecr"
    ECR_REGISTRY = "ecr registry"
    MINISTACK = "ministack"
    UNKNOWN = "nobody"


def route(path: str, target: str, service: str | None) -> Destination:
    """Who answers a request.

    target: the X-Amz-Target header, or "". service: the credential scope's signing name, None for an unsigned
    request. SageMaker and its runtime share one signing name: the control plane has a target, the runtime has not.
    """
    if target.startswith(SAGEMAKER_TARGET):
        return Destination.SAGEMAKER
    if target.startswith(AUTOSCALING_TARGET):
        return Destination.AUTOSCALING
    if target.startswith(CODEBUILD_TARGET):
        return Destination.CODEBUILD
    if target.startswith(ECR_TARGET) and target.removeprefix(ECR_TARGET) in OUR_ECR_OPERATIONS:
        return Destination.ECR
    if service == "sagemaker":
        return Destination.SAGEMAKER_RUNTIME
    if service in (None, "ecr") and _REGISTRY_PATH.fullmatch(path):
        return Destination.ECR_REGISTRY
    if service is None or service in MINISTACK_SERVICES or target:
        return Destination.MINISTACK
    return Destination.UNKNOWN
