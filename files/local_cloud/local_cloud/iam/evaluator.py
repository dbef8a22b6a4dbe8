# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks ministack's IAM who signed a request and whether policies allow what it needs. The only place that does.

ministack knows users, keys, sessions and policies, and evaluates them as AWS does. It keeps the request it works on in
context variables, so every question runs in a context of its own.
"""

from __future__ import annotations

import contextvars
import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote

from ..aws.caller import Scope
from .permissions import Permission

T = TypeVar("T")

# AWS's name for the session in which SageMaker acts as an execution role.
SAGEMAKER_SESSION = "SageMaker"


@dataclass(frozen=True)
class SignedRequest:
    """What a signature was made over, as it arrived.

    raw_path, query: undecoded. raw_headers: ASGI's pairs, since a header may come twice.
    """

    signed: Scope
    method: str
    raw_path: str
    query: str
    raw_headers: tuple[tuple[bytes, bytes], ...]
    headers: Mapping[str, str]
    client: str
    body: bytes

    @classmethod
    def of(cls, scope: Mapping[str, Any], headers: Mapping[str, str], signed: Scope, body: bytes) -> SignedRequest:
        """The request of an ASGI scope. headers: the same as the scope's, names in lower case."""
        raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
        return cls(
            signed,
            scope["method"],
            raw_path.decode("latin-1"),
            scope.get("query_string", b"").decode("latin-1"),
            tuple(scope["headers"]),
            headers,
            (scope.get("client") or ("127.0.0.1", 0))[0],
            body,
        )


@dataclass(frozen=True)
class Denial:
    """Why a request is refused. code and status are those of services that speak JSON.

    permission, principal: what was not allowed to whom; None where the signature already failed, and then failure is
    the reason's name in ministack's words.
    """

    code: str
    status: int
    message: str
    permission: Permission | None = None
    principal: str = ""
    explicit: bool = False
    failure: str = ""


def check(request: SignedRequest, service: str, permissions: Iterable[Permission]) -> Denial | None:
    """None where the signature is good and all permissions are given, else the first reason against it.

    service: the signing name that the request has to be signed for.
    """
    return _alone(lambda: _check(request, service, permissions))


def account_of(access_key: str) -> str | None:
    """The account that an IAM user's or a role's key acts in; None for a key that is neither."""

    def find() -> str | None:
        from ministack.core import iam_evaluator, responses

        account: str | None
        try:
            account = iam_evaluator.find_iam_access_key_account(access_key)
        except iam_evaluator.AmbiguousAccessKeyError:
            return None
        return account or responses._account_from_sts_session(access_key)

    return _alone(find)


def caller_arn(access_key: str, account: str) -> str | None:
    """The ARN of the user, role session or root user that a key belongs to; None for an unknown key."""

    def find() -> str | None:
        from ministack.core import iam_evaluator, responses

        responses.set_request_account_id(account)
        identity = iam_evaluator.resolve_caller_identity(access_key)
        return str(identity["userArn"]) if identity else None

    return _alone(find)


def role_exists(account: str, name: str) -> bool:
    """Whether the account has an IAM role of that name."""

    def find() -> bool:
        from ministack.services import iam

        return iam._roles.get_scoped(account, None, name) is not None

    return _alone(find)


def role_session(role_arn: str, session_name: str = SAGEMAKER_SESSION) -> dict[str, str]:
    """Temporary credentials of a role, as the environment variables that AWS's SDKs read.

    They do not expire while this process runs: on AWS a container gets new ones in time from its credentials endpoint.
    """
    access_key = _session_key(role_arn, session_name)

    def register() -> dict[str, str]:
        from ministack.services import sts

        session = sts._sessions.get(access_key)
        if session is None:
            account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
            session = {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
                "UserId": f"{access_key.replace('ASIA', 'AROA')}:{session_name}",
                "SecretAccessKey": secrets.token_urlsafe(30),
                "SessionToken": secrets.token_urlsafe(96),
            }
            sts.register_session(access_key, session)
        return {
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
        }

    return _alone(register)


def check_role(
    role_arn: str, region: str, permission: Permission, session_name: str = SAGEMAKER_SESSION
) -> Denial | None:
    """None where the role's policies allow it, else why not."""
    return check_key(role_session(role_arn, session_name)["AWS_ACCESS_KEY_ID"], region, permission)


def check_key(access_key: str, region: str, permission: Permission) -> Denial | None:
    """None where whoever has this key is allowed it, else why not. That they have it is known by other means."""

    def ask() -> Denial | None:
        from ministack.core import responses

        responses.set_request_account_id(account_of(access_key) or access_key)
        responses.set_request_region(region)
        return _enforce(access_key, region, permission)

    return _alone(ask)


def _check(request: SignedRequest, service: str, permissions: Iterable[Permission]) -> Denial | None:
    from ministack.core import iam_evaluator, responses

    signed = request.signed
    query = parse_qs(request.query, keep_blank_values=True)
    account = account_of(signed.access_key)
    responses.set_request_account_id(account or signed.access_key)
    responses.set_request_region(signed.region)
    iam_evaluator.pin_request_origin(request.client, False)
    iam_evaluator.pin_signed_request(request.method, request.raw_path, query, list(request.raw_headers))
    iam_evaluator.pin_signed_body(request.body)
    failure = iam_evaluator.check_credentials(signed.access_key, service)
    if failure is not None:
        return _unauthenticated(failure, service, request.headers)
    if signed.service != service:
        wrong = iam_evaluator.AuthError(
            "SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'. "
        )
        return _unauthenticated(wrong, service, request.headers)
    for permission in permissions:
        denial = _enforce(signed.access_key, signed.region, permission)
        if denial is not None:
            return denial
    return None


def _enforce(access_key: str, region: str, permission: Permission) -> Denial | None:
    from ministack.core import iam_evaluator

    result = iam_evaluator.enforce(
        access_key,
        permission.action,
        permission.action.partition(":")[0],
        region,
        resource_arn=permission.resource,
        service_context=dict(permission.conditions),
    )
    if result is None:
        return None
    if isinstance(result, iam_evaluator.AuthError):
        return _unauthenticated(result, "sagemaker", {"x-amz-target": "-"})
    explicit = result.decision == "Deny"
    if explicit:
        kind = "a resource-based policy" if result.resource_policy_arn else "an identity-based policy"
        reason = f"with an explicit deny in {kind}"
    else:
        reason = f"because no {_silent_policy(access_key, region, permission)} allows the {permission.action} action"
    message = permission.refusal or (
        f"User: {result.principal_arn} is not authorized to perform: {permission.action} "
        f"on resource: {permission.resource} {reason}"
    )
    return Denial("AccessDeniedException", 400, message, permission, result.principal_arn, explicit)


def _silent_policy(access_key: str, region: str, permission: Permission) -> str:
    """Which kind of policy does not allow it (IAM user guide, "Troubleshoot access denied error messages")."""
    from ministack.core import iam_evaluator, responses

    principal = iam_evaluator.resolve_principal(access_key, responses.get_account_id())
    if isinstance(principal, iam_evaluator.AuthError) or not principal.limits:
        return "identity-based policy"
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=permission.action,
        resource_arn=permission.resource,
        region=region,
        service_context={key.lower(): value for key, value in permission.conditions.items()},
        principal_keys=principal.keys,
    )
    if iam_evaluator.evaluate(context, principal.policies).decision != "Allow":
        return "identity-based policy"
    within_boundary = iam_evaluator.evaluate(context, principal.policies, principal.limits[0]).decision == "Allow"
    return "session policy" if within_boundary else "permissions boundary"


def in_protocol_of(
    denial: Denial, permission: Permission, service: str, headers: Mapping[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body with which one of ministack's services answers what a policy does not allow.

    service: the signing name. headers: the request's, names in lower case.
    """
    from ministack.core import iam_actions

    status, answer_headers, body = iam_actions.access_denied_response(
        service,
        permission.action,
        denial.principal,
        str(uuid.uuid4()),
        message=denial.message,
        headers=dict(headers),
        resource_arn=permission.resource,
        explicit_deny=denial.explicit,
    )
    return status, answer_headers, body


def _unauthenticated(failure: Any, service: str, headers: Mapping[str, str]) -> Denial:
    from ministack.core import iam_actions

    code, status, message = iam_actions._auth_failure(service, failure.code, failure.message, dict(headers))
    return Denial(code, status, message, failure=failure.code)


def _session_key(role_arn: str, session_name: str) -> str:
    # SageMaker has one session of each role, so the role alone tells it.
    whose = role_arn if session_name == SAGEMAKER_SESSION else f"{role_arn}/{session_name}"
    digest = hashlib.sha256(whose.encode()).hexdigest()
    return f"ASIA{digest[:16].upper()}"


def _alone(question: Callable[[], T]) -> T:
    return contextvars.Context().run(question)
