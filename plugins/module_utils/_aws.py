# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of all modules: connection and credentials are the module's, patience with AWS is the same for all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _steps
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Call, Step

# Without botocore AnsibleAWSModule fails with a sentence before anything here is used.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

#: botocore's own retries do all of it: throttling, answers of 5xx and broken connections, of every service, paginator
#: and waiter. "standard" knows every service's throttling codes and waits longer from try to try, up to 20 s;
#: "adaptive" also learns a rate, which a client that lives for one module's few calls never gets to use. Ten tries
#: wait most of a minute in all.
RETRIES: Mapping[str, Any] = {"mode": "standard", "total_max_attempts": 10}

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def run(module: AnsibleAWSModule, steps: Sequence[Step], call: Call) -> None:
    """Make the calls of a plan, none in check mode. The module fails with the step that AWS refused."""
    if module.check_mode:
        return
    try:
        _steps.run(steps, call, (BotoCoreError, ClientError))
    except _steps.StepFailed as failure:
        module.fail_json_aws(failure.error, msg=str(failure))


def client(module: AnsibleAWSModule, service: str, retry_decorator: Decorator | None = None) -> Any:
    """Return a boto3 client for C(service).

    The option C(aws_config) has the last word on retries; without it, AWS_RETRY_MODE and AWS_MAX_ATTEMPTS have.
    C(retry_decorator) is amazon.aws's, for refusals that are no throttling and that time heals all the same.
    """
    asked = os.environ.get("AWS_RETRY_MODE") or os.environ.get("AWS_MAX_ATTEMPTS")
    config = {} if asked else {"retries": dict(RETRIES)}
    return module.client(service, retry_decorator=retry_decorator, config=config)
