# SPDX-License-Identifier: GPL-3.0-or-later
"""ministack in this process: how it is configured, and how our services ask its services for things.

Our services talk to it over its own HTTP API, without a socket in between. None of its internals are touched.
"""

from __future__ import annotations

import asyncio
import hashlib
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
        "STATE_DIR": str(settings.state_dir / "ministack"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.state_dir / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
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
    """Calls to ministack's ASGI application, and the few questions our services have for its services."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

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
        sink: Callable[[bytes], Any] | None = None,
    ) -> Response:
        """One HTTP request in `caller`'s account and region. A good answer's body goes to `sink` where one is given."""
        scope = f"{caller.account}/20260101/{caller.region}/{service}/aws4_request"
        # Host selects the registry's account and region on /v2/ paths, which carry no signature.
        all_headers = {
            "host": f"{caller.account}.dkr.ecr.{caller.region}.amazonaws.com" if path.startswith("/v2/") else BIND_HOST,
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "content-length": str(len(body)),
            **(headers or {}),
        }
        # A task has its own context: ministack keeps the current account and region in context variables.
        return await asyncio.create_task(_asgi_call(self.app, method, path, query, all_headers, body, sink))

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
        """Write an S3 object to `target`. Raises AwsError where it cannot be read."""
        with target.open("wb") as file:
            response = await self.request(caller, "s3", "GET", f"/{bucket}/{key}", sink=file.write)
        if response.status != 200:
            raise AwsError("NoSuchKey", f"s3://{bucket}/{key} could not be read", response.status)

    async def image_manifest(self, caller: Caller, repository: str, reference: str) -> tuple[bytes, str] | None:
        """The manifest (as it was pushed) and its media type, by "sha256:..." or tag; None where there is none."""
        image_id = {"imageDigest": reference} if reference.startswith("sha256:") else {"imageTag": reference}
        try:
            answer = await self.json_call(
                caller,
                "ecr",
                "AmazonEC2ContainerRegistry_V20150921.BatchGetImage",
                {"repositoryName": repository, "imageIds": [image_id]},
            )
        except AwsError:
            return None
        for image in answer["images"]:
            return image["imageManifest"].encode(), image["imageManifestMediaType"]
        return None

    async def blob(self, caller: Caller, repository: str, digest: str) -> bytes | None:
        """A layer or config blob of the registry, checked against its digest; None where there is none."""
        response = await self.request(caller, "ecr", "GET", f"/v2/{repository}/blobs/{digest}")
        if response.status != 200:
            return None
        if "sha256:" + hashlib.sha256(response.body).hexdigest() != digest:
            raise AwsError("ImageDigestDoesNotMatchException", f"the registry's blob is not {digest}")
        return response.body

    async def has_blob(self, caller: Caller, repository: str, digest: str) -> int | None:
        """The size in bytes of a blob of the registry, or None where there is none."""
        response = await self.request(caller, "ecr", "HEAD", f"/v2/{repository}/blobs/{digest}")
        return int(response.headers.get("content-length", 0)) if response.status == 200 else None

    async def put_blob(self, caller: Caller, repository: str, digest: str, content: bytes) -> None:
        """Store a blob in the registry. Raises AwsError where the registry refuses it."""
        response = await self.request(
            caller, "ecr", "POST", f"/v2/{repository}/blobs/uploads/", query=f"digest={digest}", body=content
        )
        if response.status != 201:
            raise AwsError("InvalidLayerException", response.body.decode(errors="replace"))

    async def put_manifest(
        self, caller: Caller, repository: str, digest: str, manifest: bytes, media_type: str
    ) -> None:
        """Make a manifest readable by digest through the registry, as PutImage alone does not."""
        await self.request(
            caller,
            "ecr",
            "PUT",
            f"/v2/{repository}/manifests/{digest}",
            headers={"content-type": media_type},
            body=manifest,
        )


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
    sink: Callable[[bytes], Any] | None,
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
            if sink is not None and status == 200:
                sink(message["body"])
            else:
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
