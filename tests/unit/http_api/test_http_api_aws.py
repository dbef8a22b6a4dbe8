# SPDX-License-Identifier: GPL-3.0-or-later
"""How answers of AWS are read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.aws import read_integration, read_policy
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import FoundIntegration, Permission

LIVE = "arn:aws:lambda:eu-central-1:123456789012:function:demo:live"
WRAPPED = f"arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/{LIVE}/invocations"


def integration(**more: Any) -> dict[str, Any]:
    return {
        "IntegrationId": "i1",
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": LIVE,
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 30000,
        **more,
    }


@pytest.mark.parametrize("uri", [LIVE, WRAPPED])
def test_a_functions_arn_is_read_bare_or_wrapped(uri: str) -> None:
    assert read_integration(integration(IntegrationUri=uri)) == FoundIntegration("i1", LIVE, 30000)


@pytest.mark.parametrize(
    "more",
    [
        {"PayloadFormatVersion": "1.0"},
        {"IntegrationType": "HTTP_PROXY", "IntegrationUri": "https://example.com/functions/x"},
    ],
)
def test_another_kind_of_integration_is_known_as_such(more: dict[str, Any]) -> None:
    assert read_integration(integration(**more)).proxy is False


def test_a_policy_is_read_by_statement() -> None:
    source = "arn:aws:execute-api:eu-central-1:123456789012:a1b2/*/POST/demo"
    policy = {
        "Statement": [
            {
                "Sid": "ours",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Condition": {"ArnLike": {"AWS:SourceArn": source}},
            },
            {"Sid": "open", "Principal": "*", "Action": "lambda:InvokeFunction"},
            {"Principal": {"AWS": "123456789012"}, "Action": "lambda:InvokeFunction"},
        ]
    }
    assert read_policy(policy) == {
        "ours": Permission("apigateway.amazonaws.com", "lambda:InvokeFunction", source),
        "open": Permission("", "lambda:InvokeFunction", ""),
    }
