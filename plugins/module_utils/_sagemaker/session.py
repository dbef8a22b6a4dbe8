# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's clients: connection and credentials are the module's, retries on throttling are added here."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from .client import SageMakerClient

#: Beside botocore's own few tries: SageMaker's control plane allows single calls a second, shared by the account.
_THROTTLED = ["ThrottlingException", "RequestThrottled", "RequestThrottledException"]


def boto_client(module: AnsibleAWSModule, service: str) -> Any:
    """Return a boto3 client for C(service) whose calls take C(aws_retry=True)."""
    retries = AWSRetry.jittered_backoff(retries=8, delay=1, max_delay=20, catch_extra_error_codes=_THROTTLED)
    return module.client(service, retry_decorator=retries)


def sagemaker_client(module: AnsibleAWSModule) -> SageMakerClient:
    interval = module.params.get("poll_interval") or 5
    return SageMakerClient(boto_client(module, "sagemaker"), propagation_pause=min(5.0, float(interval)))
