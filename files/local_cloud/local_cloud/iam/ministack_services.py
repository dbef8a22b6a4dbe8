# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS asks of calls to ministack's services and ministack does not: roles that are passed, tags set on creation.

ministack checks a call's own action. Here is that action with its dependent ones, in the order in which AWS asks. Pure.
Sources: Service Authorization Reference ("dependent actions"); CreateLogGroup's reference for logs:TagResource; for
apigateway:TagResource on the collection that a call adds to, amplify-cli #12316.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..aws.caller import Caller
from .ministack_corrections import json_parameters
from .permissions import Permission, pass_role, request_tags, tag_list

# Signing names whose requests have to be looked at. No other's body is held back.
SERVICES = frozenset({"lambda", "iam", "ecr", "logs", "apigateway"})

_FUNCTIONS = re.compile(r"/2015-03-31/functions/?")
_FUNCTION_CONFIGURATION = re.compile(r"/2015-03-31/functions/([^/]+)/configuration/?")
_APIS = re.compile(r"/v2(/apis(?:/[^/]+/stages)?)/?")
_FORM_TAG = re.compile(r"Tags\.member\.(\d+)\.(Key|Value)")


def required(caller: Caller, service: str, method: str, path: str, target: str, body: bytes) -> list[Permission]:
    """What a call has to be allowed; empty where ministack's own check is all there is.

    service: the signing name. path: undecoded. target: the X-Amz-Target header, or "".
    """
    if service == "lambda":
        return _lambda(caller, method, path, json_parameters(body))
    if service == "apigateway" and method == "POST" and (match := _APIS.fullmatch(path)):
        tags = _dictionary(json_parameters(body).get("tags"))
        collection = f"arn:aws:apigateway:{caller.region}::{match[1]}"
        return _tagged(Permission("apigateway:POST", collection), "apigateway:TagResource", tags)
    if service == "iam":
        return _create_role(caller, dict(parse_qsl(body.decode("utf-8", "replace"))))
    operation = target.rpartition(".")[2]
    parameters = json_parameters(body)
    if service == "ecr" and operation == "CreateRepository":
        arn = caller.arn("ecr", f"repository/{parameters.get('repositoryName')}")
        return _tagged(Permission("ecr:CreateRepository", arn), "ecr:TagResource", tag_list(parameters.get("tags")))
    if service == "logs" and operation == "CreateLogGroup":
        group = caller.arn("logs", f"log-group:{parameters.get('logGroupName')}")
        tags = _dictionary(parameters.get("tags"))
        return _tagged(Permission("logs:CreateLogGroup", f"{group}:log-stream:"), "logs:TagResource", tags, group)
    return []


def _lambda(caller: Caller, method: str, path: str, parameters: Mapping[str, Any]) -> list[Permission]:
    if method == "POST" and _FUNCTIONS.fullmatch(path):
        arn = caller.arn("lambda", f"function:{parameters.get('FunctionName')}")
        action = "lambda:CreateFunction"
    elif method == "PUT" and (match := _FUNCTION_CONFIGURATION.fullmatch(path)):
        name = unquote(match[1])
        arn = name if name.startswith("arn:") else caller.arn("lambda", f"function:{name}")
        action = "lambda:UpdateFunctionConfiguration"
    else:
        return []
    tags = _dictionary(parameters.get("Tags"))
    wanted = _tagged(Permission(action, arn), "lambda:TagResource", tags)
    wanted += pass_role(parameters.get("Role"), "lambda.amazonaws.com", arn)
    return wanted


def _create_role(caller: Caller, form: Mapping[str, str]) -> list[Permission]:
    if form.get("Action") != "CreateRole":
        return []
    pairs: dict[str, dict[str, str]] = {}
    for name, value in form.items():
        if match := _FORM_TAG.fullmatch(name):
            pairs.setdefault(match[1], {})[match[2]] = value
    path = form.get("Path", "/").strip("/")
    arn = f"arn:aws:iam::{caller.account}:role/{path + '/' if path else ''}{form.get('RoleName', '')}"
    action = Permission("iam:CreateRole", arn, _boundary(form))
    return _tagged(action, "iam:TagRole", tag_list(list(pairs.values())))


def _boundary(form: Mapping[str, str]) -> dict[str, str]:
    boundary = form.get("PermissionsBoundary")
    return {"iam:PermissionsBoundary": boundary} if boundary else {}


def _tagged(action: Permission, tagging: str, tags: Mapping[str, str], resource: str = "") -> list[Permission]:
    """An action with the tags it sets, and the action of setting them, on `resource` or the same resource."""
    asked = request_tags(tags)
    wanted = [Permission(action.action, action.resource, {**action.conditions, **asked})]
    if tags:
        wanted.append(Permission(tagging, resource or action.resource, asked))
    return wanted


def _dictionary(tags: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}
