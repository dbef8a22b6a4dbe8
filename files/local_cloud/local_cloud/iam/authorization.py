# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a request is let through, and the answer to one that is not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from ..aws.caller import Caller, Scope
from ..aws.errors import AwsError
from ..aws.json_protocol import Response, parse_body
from ..routing import AUTOSCALING_TARGET, CODEBUILD_TARGET, ECR_TARGET, SAGEMAKER_TARGET, Destination
from ..sagemaker.tags import KIND as TAGS
from ..settings import Settings
from ..store import Store
from . import autoscaling, codebuild, ecr, evaluator, ministack_services, sagemaker
from .evaluator import Denial, SignedRequest
from .ministack_corrections import correct_ministack
from .permissions import Permission

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]

# Our services -> the signing name that their requests carry.
_SIGNING_NAMES = {
    Destination.SAGEMAKER: "sagemaker",
    Destination.SAGEMAKER_RUNTIME: "sagemaker",
    Destination.AUTOSCALING: "application-autoscaling",
    Destination.CODEBUILD: "codebuild",
    Destination.ECR: "ecr",
}


class Authorization:
    """Lets everything through unless the cloud was started with --enforce-iam."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._enforced = settings.enforce_iam
        self._store = store
        # The variants of an endpoint that are scalable targets; the cloud puts Application Auto Scaling's answer here.
        self.registered_variants: Callable[[Caller, str], Collection[str]] = lambda _caller, _endpoint: ()
        if self._enforced:
            correct_ministack()

    def refusal(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], signed: Scope, destination: Destination, body: bytes
    ) -> Response | None:
        """The answer to a request to one of our services that is not allowed, else None.

        scope: ASGI's. headers: the same headers, names in lower case.
        """
        if not self._enforced:
            return None
        request = SignedRequest.of(scope, headers, signed, body)
        caller = Caller(self.account_of(signed.access_key) or "", signed.region)
        denial = evaluator.check(
            request, _SIGNING_NAMES[destination], self._required(caller, request, destination, headers)
        )
        return None if denial is None else _in_json(denial, "x-amz-target" in headers)

    async def ministack_refusal(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], signed: Scope | None, receive: Receive
    ) -> tuple[Receive, Response | None]:
        """The answer to a request to one of ministack's services that lacks what ministack does not ask for, else None.

        The body is read for it, so `receive` comes back with another one, from which it can be read again.
        """
        writes = scope["method"] in ("POST", "PUT")
        if not self._enforced or signed is None or not writes or signed.service not in ministack_services.SERVICES:
            return receive, None
        body = await _read(receive)
        request = SignedRequest.of(scope, headers, signed, body)
        required = ministack_services.required(
            Caller(self.account_of(signed.access_key) or "", signed.region),
            signed.service,
            request.method,
            request.raw_path,
            headers.get("x-amz-target", ""),
            body,
        )
        denial = evaluator.check(request, signed.service, required) if required else None
        # A bad signature is ministack's to refuse, in the words of its service.
        if denial is None or denial.permission is None:
            return _replay(body, receive), None
        status, answer_headers, answer = evaluator.in_protocol_of(denial, denial.permission, signed.service, headers)
        return receive, Response(status, answer, {name.lower(): value for name, value in answer_headers.items()})

    def registry_refusal(self, access_key: str, action: str, resource: str) -> str | None:
        """AWS's sentence that the owner of a key may not do this to a repository, or None where they may.

        For `docker push` and `docker pull`, whose token proves who they are. resource: the repository's ARN.
        """
        if not self._enforced:
            return None
        denial = evaluator.check_key(access_key, resource.split(":")[3], Permission(action, resource))
        return denial.message if denial else None

    def account_of(self, access_key: str) -> str | None:
        """The account of an IAM user's or a role's key, and of a key that is an account; None for any other."""
        if _is_account(access_key):
            return access_key
        return evaluator.account_of(access_key) if self._enforced else None

    def caller_arn(self, access_key: str | None) -> str | None:
        """The ARN of whom a key belongs to, for the call log. Nothing is verified; None for an unknown key."""
        if not access_key:
            return None
        if _is_account(access_key):
            return f"arn:aws:iam::{access_key}:root"
        account = evaluator.account_of(access_key)
        return evaluator.caller_arn(access_key, account) if account else None

    def _required(
        self, caller: Caller, request: SignedRequest, destination: Destination, headers: Mapping[str, str]
    ) -> list[Permission]:
        def tags_of(arn: str) -> Mapping[str, str]:
            return self._store.get(TAGS, caller, arn) or {}

        if destination is Destination.SAGEMAKER_RUNTIME:
            return sagemaker.required_to_invoke(caller, request.raw_path, headers, tags_of)
        try:
            parameters = parse_body(request.body)
        except AwsError:
            # Not a call that anything could come of; the service says what is wrong with it.
            parameters = {}
        target = headers.get("x-amz-target", "")
        if destination is Destination.SAGEMAKER:
            operation = target.removeprefix(SAGEMAKER_TARGET)
            wanted = sagemaker.required(caller, operation, parameters, tags_of)
            name = str(parameters.get("EndpointName") or "")
            if operation == "DeleteEndpoint" and self.registered_variants(caller, name):
                wanted.append(autoscaling.to_delete_scaled(caller))
            return wanted
        if destination is Destination.AUTOSCALING:
            known = evaluator.role_exists(caller.account, autoscaling.SERVICE_LINKED_ROLE)
            return autoscaling.required(caller, target.removeprefix(AUTOSCALING_TARGET), parameters, known)
        if destination is Destination.CODEBUILD:
            return codebuild.required(caller, target.removeprefix(CODEBUILD_TARGET), parameters)
        return ecr.required(caller, target.removeprefix(ECR_TARGET), parameters)


def _is_account(access_key: str) -> bool:
    return len(access_key) == 12 and access_key.isdecimal() and access_key.isascii()


def _in_json(denial: Denial, has_target: bool) -> Response:
    """A denial as the JSON services answer it: 400 where a target header names the operation, 403 for REST paths."""
    status = 403 if denial.permission and not has_target else denial.status
    body = json.dumps({"__type": denial.code, "message": denial.message, "Message": denial.message}).encode()
    headers = {
        "content-type": "application/x-amz-json-1.1" if has_target else "application/json",
        "x-amzn-errortype": denial.code,
        "x-amzn-requestid": str(uuid.uuid4()),
    }
    return Response(status, body, headers)


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body that was read, and then whatever comes next."""
    read = False

    async def again() -> AsgiMessage:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
