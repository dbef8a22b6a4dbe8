# SPDX-License-Identifier: GPL-3.0-or-later
"""ministack in this process: how it is configured, and how our services ask its services for things.

Our services talk to it over its own HTTP API, without a socket in between. None of its internals are touched.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .aws.caller import Caller
from .aws.errors import AwsError
from .aws.json_protocol import Response
from .ecr.image_store import ImageStore
from .settings import BIND_HOST, DEFAULT_ACCOUNT, DEFAULT_REGION, Settings

_TRUST_POLICY = re.compile(r"<AssumeRolePolicyDocument>([^<]+)</AssumeRolePolicyDocument>")


def environment(settings: Settings) -> dict[str, str]:
    """The whole environment of the cloud's process. ministack reads it at import, Lambda functions inherit it.

    It is made from nothing, so no credential of the shell that started the cloud reaches a function.
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(settings.home),
        "TMPDIR": str(settings.tmp_dir),
        "LANG": "C.UTF-8",
        **settings.network,
        "BIND_HOST": BIND_HOST,
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_REGION": DEFAULT_REGION,
        "MINISTACK_ACCOUNT_ID": DEFAULT_ACCOUNT,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.ministack_dir),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.s3_dir),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        **({"AUTH": "true"} if settings.enforce_iam else {}),
        # ministack removes containers it takes for its own at start and stop. It shall see no engine; our
        # runner is given the address in another way.
        "DOCKER_HOST": f"unix://{settings.tmp_dir}/no-engine.sock",
    }


def apply_environment(settings: Settings) -> None:
    """Replace this process's environment. Call it before ministack is imported."""
    os.environ.clear()
    os.environ.update(environment(settings))
    Path(os.environ["STATE_DIR"]).mkdir(parents=True, exist_ok=True)


class Ministack:
    """Calls to ministack's ASGI application, and the few questions our services have for its services.

    images: what ECR's repositories hold, which is ours and not ministack's.
    """

    def __init__(self, app: Callable[..., Any], images: ImageStore) -> None:
        self.app = app
        self.images = images

    async def request(
        self,
        caller: Caller,
        service: str,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """One HTTP request in `caller`'s account and region."""
        scope = f"{caller.account}/20260101/{caller.region}/{service}/aws4_request"
        all_headers = {
            "host": BIND_HOST,
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "content-length": str(len(body)),
            **(headers or {}),
        }
        # A task has its own context: ministack keeps the current account and region in context variables.
        return await asyncio.create_task(_asgi_call(self.app, method, path, query, all_headers, body))

    async def json_call(self, caller: Caller, service: str, target: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """An operation of a JSON service. Raises AwsError for a refusal."""
        response = await self.request(
            caller,
            service,
            "POST",
            "/",
            headers={"x-amz-target": target, "content-type": "application/x-amz-json-1.1"},
            body=json.dumps(parameters).encode(),
        )
        answer: dict[str, Any] = json.loads(response.body or b"{}")
        if response.status >= 400:
            code = str(answer.get("__type", "Unknown")).rpartition("#")[2]
            raise AwsError(code, str(answer.get("message") or answer.get("Message") or ""), response.status)
        return answer

    async def role_trust_policy(self, role_arn: str) -> dict[str, Any] | None:
        """The trust policy of an IAM role, or None where there is no such role."""
        account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        response = await self.request(
            Caller(account, DEFAULT_REGION),
            "iam",
            "POST",
            "/",
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=f"Action=GetRole&Version=2010-05-08&RoleName={name}".encode(),
        )
        return _trust_policy(response.body.decode()) if response.status == 200 else None

    async def object_etag(self, caller: Caller, bucket: str, key: str) -> str | None:
        """The ETag of an S3 object, or None where there is no such object."""
        response = await self.request(caller, "s3", "HEAD", f"/{bucket}/{key}")
        return response.headers.get("etag", "").strip('"') if response.status == 200 else None

    async def download_object(self, caller: Caller, bucket: str, key: str, target: Path) -> None:
        """Write an S3 object to `target`, which is not there yet. Raises AwsError where it cannot be read."""
        head = await self.request(caller, "s3", "HEAD", f"/{bucket}/{key}")
        if head.status == 200 and await asyncio.to_thread(
            _link, _object_file(caller, bucket, key), target, int(head.headers.get("content-length", -1))
        ):
            return
        response = await self.request(caller, "s3", "GET", f"/{bucket}/{key}")
        if response.status != 200:
            raise AwsError("NoSuchKey", f"s3://{bucket}/{key} could not be read", response.status)
        await asyncio.to_thread(target.write_bytes, response.body)


def _object_file(caller: Caller, bucket: str, key: str) -> Path | None:
    """Where ministack keeps an object's bytes."""
    from ministack.services import s3

    path: str | None = s3._object_disk_path(bucket, key, caller.account)
    return Path(path) if path else None


def _link(source: Path | None, target: Path, size: int) -> bool:
    """Make `target` the same file as an object's, which S3 replaces and never changes; whether that went well.

    A model of a gigabyte would otherwise pass through memory whole, as ministack reads it.
    """
    if source is None:
        return False
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    if target.stat().st_size == size:
        return True
    target.unlink()
    return False


def _trust_policy(answer: str) -> dict[str, Any]:
    match = _TRUST_POLICY.search(answer)
    policy: dict[str, Any] = json.loads(unquote(html.unescape(match[1]))) if match else {}
    return policy


async def _asgi_call(
    app: Callable[..., Any],
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
) -> Response:
    status = 0
    answer_headers: dict[str, str] = {}
    chunks: list[bytes] = []
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # the client of this request never hangs up
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            answer_headers.update({k.decode().lower(): v.decode("latin-1") for k, v in message["headers"]})
        elif message["type"] == "http.response.body" and message.get("body"):
            chunks.append(message["body"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": (BIND_HOST, 0),
        "server": (BIND_HOST, 0),
    }
    await app(scope, receive, send)
    return Response(status, b"".join(chunks), answer_headers)
