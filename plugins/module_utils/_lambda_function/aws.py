# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls to Lambda that a published function needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

# AnsibleAWSModule says what is missing.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws, _fresh_role, _steps
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.model import (
    Configuration,
    FoundAlias,
    FoundFunction,
)


def retrying(delay: float = 2) -> _aws.Decorator:
    """Return the decorator that calls again what Lambda refuses because a role is too new; ``delay`` in seconds."""
    return _fresh_role.retrying("InvalidParameterValueException", "cannot be assumed", delay)


class LambdaFunctionClient:
    """Reads a function and applies plans to it. boto's exceptions are let through."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._client = _aws.client(module, "lambda", retrying())

    def find(self, name: str, alias: str) -> FoundFunction | None:
        """Return the function with the version behind its alias, None where there is no such function."""
        try:
            function = self._client.get_function(aws_retry=True, FunctionName=name)
        except is_boto3_error_code("ResourceNotFoundException"):
            return None
        found_alias = self._alias(name, alias)
        published = None
        if found_alias and found_alias.version != "$LATEST":
            published = _configuration(
                self._client.get_function_configuration(
                    aws_retry=True, FunctionName=name, Qualifier=found_alias.version
                )
            )
        return FoundFunction(
            function_arn=function["Configuration"]["FunctionArn"],
            latest=_configuration(function["Configuration"]),
            alias=found_alias,
            published=published,
            reserved_concurrent_executions=function.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            tags=function.get("Tags") or {},
        )

    def apply(self, steps: Iterable[_steps.Step]) -> dict[str, Any]:
        """Make the calls of a plan; raise `_steps.StepFailed` where AWS refuses one."""
        return _steps.run(steps, self._call, (ClientError, BotoCoreError))

    def _call(self, step: _steps.Step, parameters: dict[str, Any]) -> Mapping[str, Any]:
        response = _steps.make(self._client, step, parameters, aws_retry=True)
        if not response:
            return {}
        self._wait(step, parameters.get("FunctionName", ""), response)
        return response

    def _wait(self, step: _steps.Step, name: str, response: Mapping[str, Any]) -> None:
        """Wait until Lambda takes the next change, and until a version can be called before an alias points at it."""
        config = {"Delay": 1, "MaxAttempts": 300}
        if step.operation in ("update_function_code", "update_function_configuration"):
            self._client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=config)
        if step.operation == "create_function":
            self._client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=config)
        if step.operation in ("create_function", "publish_version"):
            waiter = self._client.get_waiter("published_version_active")
            waiter.wait(FunctionName=name, Qualifier=response["Version"], WaiterConfig=config)

    def _alias(self, name: str, alias: str) -> FoundAlias | None:
        try:
            found = self._client.get_alias(aws_retry=True, FunctionName=name, Name=alias)
        except is_boto3_error_code("ResourceNotFoundException"):
            return None
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        return FoundAlias(found["AliasArn"], found["FunctionVersion"], weighted=bool(weights))


def _configuration(item: Mapping[str, Any]) -> Configuration:
    return Configuration(
        role_arn=item["Role"],
        runtime=item.get("Runtime", ""),
        handler=item.get("Handler", ""),
        description=item.get("Description", ""),
        timeout=item["Timeout"],
        memory_size=item["MemorySize"],
        environment_variables=item.get("Environment", {}).get("Variables", {}),
        code_sha256=item["CodeSha256"],
    )
