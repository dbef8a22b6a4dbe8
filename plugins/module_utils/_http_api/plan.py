# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what has to be done to an HTTP API. Pure: (what is wanted, what is there) -> steps with sentences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import (
    Cors,
    FoundApi,
    FoundIntegration,
    FoundStage,
    Integration,
    Permission,
    Permissions,
    Throttle,
    WantedApi,
    source_arn_template,
    split_function_arn,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Later, Step, tag_changes

STAGE_NAME = "$default"
PRINCIPAL = "apigateway.amazonaws.com"
ACTION = "lambda:InvokeFunction"

_GONE = ("NotFoundException", "ResourceNotFoundException")


def plan_present(
    wanted: WantedApi, found: FoundApi | None, permissions: Permissions, region: str, partition: str = "aws"
) -> list[Step]:
    """Return the steps that lead from what is found to what is wanted; an empty list where nothing has to change.

    The order keeps a live API answering: what is new is there before a route is pointed at it, and what is no longer
    wanted goes last, routes before the integrations that they use.
    """
    api_id: str | Later = found.api_id if found else Later("api_id")
    steps = _create_api(wanted) if found is None else _update_api(wanted, found, region, partition)
    integration_ids, integration_steps = _integrations(wanted, found, api_id)
    steps += integration_steps
    steps += _routes(wanted, found, api_id, integration_ids)
    steps += _stage(wanted, found, api_id, region, partition)
    steps += _grant(wanted, found, permissions, region)
    if found:
        steps += _remove_unwanted(wanted, found, permissions, integration_ids)
    return steps


def plan_absent(found: FoundApi | None, permissions: Permissions) -> list[Step]:
    """Return the steps that remove the API and the permissions that functions gave it.

    The API goes last: it is what a later run would find the permissions by. AWS deletes its routes with it.
    """
    if found is None:
        return []
    steps = [
        _remove_permission(function_arn, statement_id)
        for function_arn, statement_id in _permissions_of(found.api_id, permissions)
    ]
    steps.append(
        Step(
            f"Delete the HTTP API {found.name} ({found.api_id})",
            "apigatewayv2",
            "delete_api",
            {"ApiId": found.api_id},
            gone_codes=_GONE,
        )
    )
    return steps


def statement_id(api_name: str, route_key: str) -> str:
    """Name the statement that lets a route call its function: unique for the route, at most 100 characters."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{api_name}-{route_key}").strip("-")[:90]
    return f"{readable}-{hashlib.sha256(route_key.encode()).hexdigest()[:8]}"


def wanted_permissions(wanted: WantedApi, region: str) -> dict[str, dict[str, str]]:
    """Return function ARN -> statement id -> source ARN with ``{}`` for the API's id."""
    result: dict[str, dict[str, str]] = {}
    for route_key, integration in wanted.routes.items():
        template = source_arn_template(integration.function_arn, region, route_key)
        result.setdefault(integration.function_arn, {})[statement_id(wanted.name, route_key)] = template
    return result


def _create_api(wanted: WantedApi) -> list[Step]:
    parameters: dict[str, Any] = {"Name": wanted.name, "ProtocolType": "HTTP", "Tags": dict(wanted.tags)}
    if wanted.description:
        parameters["Description"] = wanted.description
    if wanted.cors:
        parameters["CorsConfiguration"] = _cors_parameters(wanted.cors)
    return [
        Step(f"Create the HTTP API {wanted.name}", "apigatewayv2", "create_api", parameters, saves={"ApiId": "api_id"})
    ]


def _update_api(wanted: WantedApi, found: FoundApi, region: str, partition: str) -> list[Step]:
    steps = []
    changes: dict[str, Any] = {}
    if found.description != wanted.description:
        changes["Description"] = wanted.description
    if wanted.cors and (found.cors is None or _comparable_cors(found.cors) != _comparable_cors(wanted.cors)):
        changes["CorsConfiguration"] = _cors_parameters(wanted.cors)
    if changes:
        what = " and ".join({"Description": "description", "CorsConfiguration": "CORS"}[key] for key in changes)
        steps.append(
            Step(
                f"Change the {what} of {wanted.name}", "apigatewayv2", "update_api", {"ApiId": found.api_id, **changes}
            )
        )
    if found.cors and not wanted.cors:
        # UpdateApi can replace a CORS configuration but not remove it.
        steps.append(
            Step(
                f"Remove CORS from {wanted.name}", "apigatewayv2", "delete_cors_configuration", {"ApiId": found.api_id}
            )
        )
    arn = f"arn:{partition}:apigateway:{region}::/apis/{found.api_id}"
    return steps + _tags(arn, wanted.name, found.tags, wanted.tags)


def _tags(arn: str, what: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Step]:
    steps = []
    to_set, to_remove = tag_changes(found, wanted)
    if to_set:
        sentence = f"Set the tags {', '.join(sorted(to_set))} of {what}"
        steps.append(Step(sentence, "apigatewayv2", "tag_resource", {"ResourceArn": arn, "Tags": to_set}))
    if to_remove:
        sentence = f"Remove the tags {', '.join(to_remove)} from {what}"
        steps.append(Step(sentence, "apigatewayv2", "untag_resource", {"ResourceArn": arn, "TagKeys": to_remove}))
    return steps


def _integrations(
    wanted: WantedApi, found: FoundApi | None, api_id: str | Later
) -> tuple[dict[Integration, str | Later], list[Step]]:
    """Return the id of the integration for each (function, timeout) wanted, and the steps that make it so."""
    ids: dict[Integration, str | Later] = {}
    steps = []
    for integration in dict.fromkeys(wanted.routes.values()):
        match = _matching_integration(integration, found)
        if match:
            ids[integration] = match.integration_id
            continue
        name = f"integration_{len(ids)}"
        ids[integration] = Later(name)
        steps.append(
            Step(
                f"Create an integration with {integration.function_arn}",
                "apigatewayv2",
                "create_integration",
                {
                    "ApiId": api_id,
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": integration.function_arn,
                    "PayloadFormatVersion": "2.0",
                    "TimeoutInMillis": integration.timeout_ms,
                },
                saves={"IntegrationId": name},
            )
        )
    return ids, steps


def _matching_integration(integration: Integration, found: FoundApi | None) -> FoundIntegration | None:
    matches = [
        candidate
        for candidate in (found.integrations if found else ())
        if candidate.proxy and Integration(candidate.function_arn, candidate.timeout_ms) == integration
    ]
    in_use = {route.integration_id for route in found.routes} if found else set()
    # A run that was cut off may have left a twin without a route; the one in use is kept.
    return min(matches, key=lambda match: (match.integration_id not in in_use, match.integration_id), default=None)


def _routes(
    wanted: WantedApi,
    found: FoundApi | None,
    api_id: str | Later,
    integration_ids: Mapping[Integration, str | Later],
) -> list[Step]:
    steps = []
    existing = {route.route_key: route for route in found.routes} if found else {}
    for route_key, integration in wanted.routes.items():
        integration_id = integration_ids[integration]
        route = existing.get(route_key)
        if route and route.integration_id == integration_id:
            continue
        target = (
            Later(integration_id.name, "integrations/{}")
            if isinstance(integration_id, Later)
            else f"integrations/{integration_id}"
        )
        if route:
            sentence = f"Point the route {route_key} at {integration.function_arn}"
            parameters = {"ApiId": api_id, "RouteId": route.route_id, "Target": target}
            steps.append(Step(sentence, "apigatewayv2", "update_route", parameters))
        else:
            sentence = f"Create the route {route_key} to {integration.function_arn}"
            parameters = {"ApiId": api_id, "RouteKey": route_key, "Target": target}
            steps.append(Step(sentence, "apigatewayv2", "create_route", parameters))
    return steps


def _stage(wanted: WantedApi, found: FoundApi | None, api_id: str | Later, region: str, partition: str) -> list[Step]:
    stage = found.stage if found else None
    if stage is None:
        parameters: dict[str, Any] = {
            "ApiId": api_id,
            "StageName": STAGE_NAME,
            "AutoDeploy": True,
            "Tags": dict(wanted.tags),
        }
        if wanted.throttle:
            parameters["DefaultRouteSettings"] = _throttle_parameters(wanted.throttle)
        sentence = f"Create the stage {STAGE_NAME}, which deploys changes by itself"
        return [Step(sentence, "apigatewayv2", "create_stage", parameters)]
    steps = _update_stage(wanted, stage, api_id)
    if found:
        arn = f"arn:{partition}:apigateway:{region}::/apis/{found.api_id}/stages/{STAGE_NAME}"
        steps += _tags(arn, f"the stage {STAGE_NAME}", stage.tags, wanted.tags)
    return steps


def _update_stage(wanted: WantedApi, stage: FoundStage, api_id: str | Later) -> list[Step]:
    changes: dict[str, Any] = {}
    sentences = []
    if not stage.auto_deploy:
        changes["AutoDeploy"] = True
        sentences.append("deploy changes by itself")
    if wanted.throttle and stage.throttle != wanted.throttle:
        changes["DefaultRouteSettings"] = _throttle_parameters(wanted.throttle)
        sentences.append(f"take {wanted.throttle.rate:g} requests a second and {wanted.throttle.burst} at once")
    if not changes:
        return []
    parameters = {"ApiId": api_id, "StageName": STAGE_NAME, **changes}
    return [Step(f"Make the stage {STAGE_NAME} {' and '.join(sentences)}", "apigatewayv2", "update_stage", parameters)]


def _grant(wanted: WantedApi, found: FoundApi | None, permissions: Permissions, region: str) -> list[Step]:
    steps = []
    for function_arn, statements in wanted_permissions(wanted, region).items():
        for sid, template in statements.items():
            present = permissions.get(function_arn, {}).get(sid)
            if present and found and present == Permission(PRINCIPAL, ACTION, template.format(found.api_id)):
                continue
            if present:
                # A statement cannot be changed, and this one is for an API that is gone, or is not ours.
                steps.append(_remove_permission(function_arn, sid))
            function, qualifier = split_function_arn(function_arn)
            steps.append(
                Step(
                    f"Allow {wanted.name} to call {function_arn}",
                    "lambda",
                    "add_permission",
                    {
                        "FunctionName": function,
                        "Qualifier": qualifier,
                        "StatementId": sid,
                        "Action": ACTION,
                        "Principal": PRINCIPAL,
                        "SourceArn": template.format(found.api_id) if found else Later("api_id", template),
                    },
                )
            )
    return steps


def _remove_unwanted(
    wanted: WantedApi, found: FoundApi, permissions: Permissions, integration_ids: Mapping[Integration, str | Later]
) -> list[Step]:
    steps = []
    for route in found.routes:
        if route.route_key not in wanted.routes:
            sentence = f"Delete the route {route.route_key}"
            parameters = {"ApiId": found.api_id, "RouteId": route.route_id}
            steps.append(Step(sentence, "apigatewayv2", "delete_route", parameters, gone_codes=_GONE))
    kept = set(integration_ids.values())
    for integration in found.integrations:
        if integration.integration_id not in kept:
            sentence = f"Delete the integration with {integration.function_arn or integration.integration_id}"
            parameters = {"ApiId": found.api_id, "IntegrationId": integration.integration_id}
            steps.append(Step(sentence, "apigatewayv2", "delete_integration", parameters, gone_codes=_GONE))
    named = {(arn, sid) for arn, statements in wanted_permissions(wanted, "").items() for sid in statements}
    steps += [
        _remove_permission(function_arn, sid)
        for function_arn, sid in _permissions_of(found.api_id, permissions)
        if (function_arn, sid) not in named
    ]
    return steps


def _permissions_of(api_id: str, permissions: Permissions) -> list[tuple[str, str]]:
    return [
        (function_arn, sid)
        for function_arn, statements in permissions.items()
        for sid, permission in statements.items()
        if f":{api_id}/" in permission.source_arn
    ]


def _remove_permission(function_arn: str, sid: str) -> Step:
    function, qualifier = split_function_arn(function_arn)
    parameters = {"FunctionName": function, "StatementId": sid}
    if qualifier:
        parameters["Qualifier"] = qualifier
    sentence = f"Withdraw the permission {sid} from {function_arn}"
    return Step(sentence, "lambda", "remove_permission", parameters, gone_codes=_GONE)


def _throttle_parameters(throttle: Throttle) -> dict[str, Any]:
    return {"ThrottlingRateLimit": throttle.rate, "ThrottlingBurstLimit": throttle.burst}


def _cors_parameters(cors: Cors) -> dict[str, Any]:
    return {
        "AllowOrigins": list(cors.allow_origins),
        "AllowMethods": list(cors.allow_methods),
        "AllowHeaders": list(cors.allow_headers),
        "ExposeHeaders": list(cors.expose_headers),
        "AllowCredentials": cors.allow_credentials,
        "MaxAge": cors.max_age,
    }


def _comparable_cors(cors: Cors) -> tuple[Any, ...]:
    """Header names have no case, and none of the lists has an order."""
    return (
        frozenset(cors.allow_origins),
        frozenset(method.upper() for method in cors.allow_methods),
        frozenset(header.lower() for header in cors.allow_headers),
        frozenset(header.lower() for header in cors.expose_headers),
        cors.allow_credentials,
        cors.max_age,
    )
