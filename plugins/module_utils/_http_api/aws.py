# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls to API Gateway (``apigatewayv2``) and to Lambda's policies that an HTTP API needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

# AnsibleAWSModule says what is missing.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws, _steps
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import (
    Cors,
    FoundApi,
    FoundIntegration,
    FoundRoute,
    FoundStage,
    Permission,
    Throttle,
    owner_tags,
    split_function_arn,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.plan import STAGE_NAME


class AmbiguousApi(Exception):
    """More than one API answers to the same name and owner; the text names them."""


class HttpApiClient:
    """Reads HTTP APIs and applies plans to them. boto's exceptions are let through."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._clients = {service: _aws.client(module, service) for service in ("apigatewayv2", "lambda")}
        self._api_gateway = self._clients["apigatewayv2"]
        meta = self._api_gateway.meta
        self.region: str = meta.region_name
        self.partition: str = meta.partition
        self.endpoint_url: str = meta.endpoint_url

    def find(self, name: str, tags: Mapping[str, str]) -> FoundApi | None:
        """Return the HTTP API with this name and these owner tags, None where there is none.

        Raise `AmbiguousApi` where there is more than one.
        """
        summaries = self._summaries(name, owner_tags(tags))
        if len(summaries) > 1:
            ids = ", ".join(summary["ApiId"] for summary in summaries)
            raise AmbiguousApi(
                f"There are {len(summaries)} HTTP APIs named {name} with the same owner tags: {ids}. "
                "Which of them to change cannot be known: delete those that nobody calls, then run this again."
            )
        return self._with_parts(summaries[0]) if summaries else None

    def read(self, api_id: str) -> FoundApi:
        """Return the API with this id."""
        return self._with_parts(self._api_gateway.get_api(ApiId=api_id))

    def read_all(self, name: str | None, tags: Mapping[str, str]) -> list[FoundApi]:
        """Return the HTTP APIs with this name, if one is given, and at least these tags, ordered by name and id."""
        summaries = sorted(self._summaries(name, tags), key=lambda api: (api["Name"], api["ApiId"]))
        return [self._with_parts(summary) for summary in summaries]

    def permissions(self, function_arns: Iterable[str]) -> dict[str, dict[str, Permission]]:
        """Return for each function (an ARN with alias or version) the statements that name a source, by id."""
        return {function_arn: self._policy(function_arn) for function_arn in dict.fromkeys(function_arns)}

    def apply(self, steps: Iterable[_steps.Step]) -> dict[str, Any]:
        """Make the calls of a plan; raise `_steps.StepFailed` where AWS refuses one."""
        return _steps.run(steps, self._call, (ClientError, BotoCoreError))

    def _call(self, step: _steps.Step, parameters: dict[str, Any]) -> Mapping[str, Any]:
        return _steps.make(self._clients[step.service], step, parameters)

    def _summaries(self, name: str | None, tags: Mapping[str, str]) -> list[dict[str, Any]]:
        return [
            api
            for api in self._pages("get_apis")
            if api["ProtocolType"] == "HTTP"
            and name in (None, api["Name"])
            and tags.items() <= (api.get("Tags") or {}).items()
        ]

    def _with_parts(self, summary: Mapping[str, Any]) -> FoundApi:
        api_id = summary["ApiId"]
        arn = f"arn:{self.partition}:apigateway:{self.region}::/apis/{api_id}"
        return FoundApi(
            api_id=api_id,
            name=summary["Name"],
            api_endpoint=summary["ApiEndpoint"],
            description=summary.get("Description") or "",
            cors=_cors(summary.get("CorsConfiguration")),
            tags=self._tags(arn),
            integrations=tuple(read_integration(item) for item in self._pages("get_integrations", ApiId=api_id)),
            routes=tuple(_route(item) for item in self._pages("get_routes", ApiId=api_id)),
            stage=self._stage(api_id, arn),
        )

    def _pages(self, operation: str, **parameters: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            page = getattr(self._api_gateway, operation)(**parameters)
            items += page.get("Items", [])
            if not page.get("NextToken"):
                return items
            parameters["NextToken"] = page["NextToken"]

    def _tags(self, arn: str) -> dict[str, str]:
        tags: dict[str, str] = self._api_gateway.get_tags(ResourceArn=arn).get("Tags", {})
        return tags

    def _stage(self, api_id: str, arn: str) -> FoundStage | None:
        for stage in self._pages("get_stages", ApiId=api_id):
            if stage["StageName"] == STAGE_NAME:
                return FoundStage(
                    auto_deploy=bool(stage.get("AutoDeploy")),
                    throttle=_throttle(stage.get("DefaultRouteSettings") or {}),
                    tags=self._tags(f"{arn}/stages/{STAGE_NAME}"),
                )
        return None

    def _policy(self, function_arn: str) -> dict[str, Permission]:
        function, qualifier = split_function_arn(function_arn)
        parameters = {"FunctionName": function, **({"Qualifier": qualifier} if qualifier else {})}
        try:
            response = self._clients["lambda"].get_policy(**parameters)
        except is_boto3_error_code("ResourceNotFoundException"):
            return {}
        return read_policy(json.loads(response["Policy"]))


def read_policy(policy: Mapping[str, Any]) -> dict[str, Permission]:
    """Read a function's policy document: statement id -> what it allows. A statement without an id is not ours."""
    found = {}
    for statement in policy.get("Statement", []):
        if "Sid" not in statement:
            continue
        source_arn = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "")
        principal = statement.get("Principal")
        service = principal.get("Service", "") if isinstance(principal, Mapping) else ""
        found[statement["Sid"]] = Permission(principal=service, action=statement["Action"], source_arn=source_arn)
    return found


def read_integration(item: Mapping[str, Any]) -> FoundIntegration:
    """Read an item of GetIntegrations."""
    uri = item.get("IntegrationUri", "")
    # AWS takes a function's ARN as it is or wrapped in an API Gateway ARN: ".../functions/<arn>/invocations".
    function_arn = uri.partition("/functions/")[2].removesuffix("/invocations") or uri
    return FoundIntegration(
        integration_id=item["IntegrationId"],
        function_arn=function_arn,
        timeout_ms=item.get("TimeoutInMillis", 0),
        proxy=(item.get("IntegrationType"), item.get("PayloadFormatVersion")) == ("AWS_PROXY", "2.0"),
    )


def _route(item: Mapping[str, Any]) -> FoundRoute:
    return FoundRoute(
        route_id=item["RouteId"],
        route_key=item["RouteKey"],
        integration_id=(item.get("Target") or "").removeprefix("integrations/"),
    )


def _throttle(settings: Mapping[str, Any]) -> Throttle | None:
    if "ThrottlingRateLimit" not in settings or "ThrottlingBurstLimit" not in settings:
        return None
    return Throttle(rate=float(settings["ThrottlingRateLimit"]), burst=int(settings["ThrottlingBurstLimit"]))


def _cors(settings: Mapping[str, Any] | None) -> Cors | None:
    if not settings:
        return None
    return Cors(
        allow_origins=tuple(settings.get("AllowOrigins", ())),
        allow_methods=tuple(settings.get("AllowMethods", ())),
        allow_headers=tuple(settings.get("AllowHeaders", ())),
        expose_headers=tuple(settings.get("ExposeHeaders", ())),
        allow_credentials=bool(settings.get("AllowCredentials", False)),
        max_age=int(settings.get("MaxAge", 0)),
    )
