# SPDX-License-Identifier: GPL-3.0-or-later
"""The action and the resource that a call of ministack is authorised on, where ministack names others than AWS does.

ministack takes a call for one on "*" where the resource is in a parameter that it does not know, and takes some of
Lambda's operations for others. A policy that names actions and resources as AWS does would not allow what it should.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..operation_names import name_operation

# Lambda's operations whose action has another name (Service Authorization Reference, AWS Lambda).
_LAMBDA_ACTIONS = {
    "Invoke": "InvokeFunction",
    "InvokeAsync": "InvokeAsync",
    "InvokeWithResponseStream": "InvokeFunction",
}
# Calls on a log group whose resource AWS writes without a suffix; all others end in ":log-stream:<stream or nothing>"
# (CloudWatch Logs user guide, "Overview of managing access permissions": log group ARNs).
_TAGGING = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})
_CREATE_FUNCTION = "POST /2015-03-31/functions"


def correct_ministack() -> None:
    """Make ministack ask for the actions and resources that AWS asks for. Safe to call twice."""
    from ministack.core import iam_actions

    if not hasattr(iam_actions.extract_iam_action, "corrected"):
        iam_actions.extract_iam_action = _with_actions(iam_actions.extract_iam_action)
        iam_actions.extract_resource_arn = _with_resources(iam_actions.extract_resource_arn)


def action_of(method: str, path: str, query: str = "") -> str | None:
    """The action of a call of Lambda; None where it is no operation that botocore knows."""
    name = name_operation("lambda", method, path, query, {}, b"").operation
    return None if " " in name else f"lambda:{_LAMBDA_ACTIONS.get(name, name)}"


def resource_of(service: str, operation: str, parameters: Mapping[str, Any], region: str, account: str) -> str | None:
    """The ARN that a call is about; None where ministack has it right.

    service: ministack's name of it. operation: from the X-Amz-Target header, or method and path where there is none.
    """
    if service == "lambda" and operation == _CREATE_FUNCTION:
        return f"arn:aws:lambda:{region}:{account}:function:{parameters.get('FunctionName')}"
    if service == "ecr":
        # ListTagsForResource and its like.
        if isinstance(arn := parameters.get("resourceArn"), str):
            return arn
        # DescribeRepositories. ministack asks once a call, so more than one name is one call on all repositories.
        names = parameters.get("repositoryNames")
        name = names[0] if isinstance(names, list) and len(names) == 1 else "*"
        if operation == "DescribeRepositories":
            return f"arn:aws:ecr:{region}:{account}:repository/{name}"
    if service == "logs" and operation not in _TAGGING and isinstance(group := parameters.get("logGroupName"), str):
        stream = parameters.get("logStreamName") or ""
        return f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"
    if service == "monitoring":
        # Alarms. ministack reads the parameters of the query protocol alone, and boto3 sends JSON. DescribeAlarms finds
        # by the beginning of names, which is authorised on all.
        if isinstance(arn := parameters.get("ResourceARN"), str):
            return arn
        names = parameters.get("AlarmNames") if operation == "DeleteAlarms" else [parameters.get("AlarmName")]
        if isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
            return f"arn:aws:cloudwatch:{region}:{account}:alarm:{names[0]}"
    return None


def _with_actions(extract: Callable[..., str | None]) -> Callable[..., str | None]:
    def corrected(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
    ) -> str | None:
        found = action_of(method, path) if service == "lambda" and "/functions" in path else None
        return found or extract(service, method, path, headers, body, query_params)

    corrected.corrected = True  # type: ignore[attr-defined]
    return corrected


def _with_resources(extract: Callable[..., str]) -> Callable[..., str]:
    def corrected(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        operation = headers.get("x-amz-target", "").rpartition(".")[2] or f"{method} {path.rstrip('/')}"
        known = service in ("ecr", "logs", "monitoring") or operation == _CREATE_FUNCTION
        arn = resource_of(service, operation, json_parameters(body), region, account_id) if known else None
        return arn or extract(service, method, path, headers, body, query_params, region, account_id)

    return corrected


def json_parameters(body: bytes) -> dict[str, Any]:
    """The parameters in a JSON body; none where it is anything else."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parameters if isinstance(parameters, dict) else {}
