# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry that `docker push` and `docker pull` speak to: the OCI distribution API below /v2/, as ECR serves it.

Layers pass through in pieces; none is ever whole in memory. Requests are authenticated as with ECR: by the password of
GetAuthorizationToken, which also says whose registry is meant.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from ..aws.errors import AwsError
from .image_store import ImageStore, Repository
from .manifests import read_manifest
from .repositories import Repositories
from .tokens import Token, Tokens
from .uploads import Upload, Uploads, WrongDigest

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
# (access key, IAM action, the repository's ARN) -> why it is refused, or None.
Refusal = Callable[[str, str, str], str | None]

CHUNK_BYTES = 1 << 20
# What is collected before it is written: a thread's turn costs more than a little memory.
_WRITE_BYTES = 4 << 20
_MANIFEST_LIMIT = 4 << 20

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_PATHS = {
    kind: re.compile(f"/v2/{_NAME}/{rest}")
    for kind, rest in {
        "begin": r"blobs/uploads/?",
        "upload": r"blobs/uploads/(?P<what>[0-9a-f-]+)",
        "blob": r"blobs/(?P<what>[^/]+)",
        "manifest": r"manifests/(?P<what>[^/]+)",
        "tags": r"tags/list",
    }.items()
}

# ECR's own names for what Docker does (Amazon ECR user guide, "IAM permissions for pushing an image").
_ACTIONS = {
    ("begin", "POST"): "ecr:InitiateLayerUpload",
    ("upload", "GET"): "ecr:UploadLayerPart",
    ("upload", "PATCH"): "ecr:UploadLayerPart",
    ("upload", "PUT"): "ecr:CompleteLayerUpload",
    ("upload", "DELETE"): "ecr:UploadLayerPart",
    ("blob", "HEAD"): "ecr:BatchCheckLayerAvailability",
    ("blob", "GET"): "ecr:GetDownloadUrlForLayer",
    ("manifest", "HEAD"): "ecr:BatchGetImage",
    ("manifest", "GET"): "ecr:BatchGetImage",
    ("manifest", "PUT"): "ecr:PutImage",
    ("manifest", "DELETE"): "ecr:BatchDeleteImage",
    ("tags", "GET"): "ecr:ListImages",
}

_CODES = {
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "LayersNotFoundException": (404, "BLOB_UNKNOWN"),
    "ReferencedImagesNotFoundException": (404, "MANIFEST_BLOB_UNKNOWN"),
    "InvalidParameterException": (400, "MANIFEST_INVALID"),
}

logger = logging.getLogger("local_cloud.ecr")


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    file: Path | None = None


@dataclass(frozen=True)
class _Request:
    method: str
    query: dict[str, str]
    headers: Mapping[str, str]
    receive: Receive

    async def body(self) -> AsyncIterator[bytes]:
        """The body, in pieces of some MB. Raises ConnectionError where the client hangs up before its end."""
        collected = bytearray()
        more = True
        while more:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ConnectionError("the client hung up")
            collected += message.get("body", b"")
            more = bool(message.get("more_body"))
            if collected and (not more or len(collected) >= _WRITE_BYTES):
                yield bytes(collected)
                collected.clear()


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class EcrRegistry:
    """The registry, as an ASGI application. refusal: decides whether a caller may do something; None: everybody may."""

    def __init__(self, repositories: Repositories, store: ImageStore, uploads: Uploads, tokens: Tokens) -> None:
        self._repositories = repositories
        self._store = store
        self._uploads = uploads
        self._tokens = tokens
        self.refusal: Refusal | None = None

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        request = _Request(scope["method"], {key: values[0] for key, values in query.items()}, headers, receive)
        try:
            answer = await self._answer(request, scope["path"])
        except _Refused as refused:
            answer = _error(refused.status, refused.code, refused.message)
        except AwsError as error:
            status, code = _CODES.get(error.code, (400, "UNKNOWN"))
            answer = _error(status, code, error.message)
        except ConnectionError:
            return
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            answer = _error(500, "UNKNOWN", "The local cloud failed; the reason is in its log.")
        await _send(send, answer, head=request.method == "HEAD")

    async def _answer(self, request: _Request, path: str) -> _Answer:
        token = self._identify(request, path)
        if isinstance(token, _Answer):
            return token
        if path in ("/v2", "/v2/"):
            return _Answer(200, b"{}", (("content-type", "application/json"),))
        kind, match = _find(path)
        action = _ACTIONS.get((kind, request.method))
        if action is None:
            raise _Refused(405, "UNSUPPORTED", "The operation is unsupported.")
        name = match["name"]
        if self.refusal is not None:
            reason = self.refusal(token.access_key, action, token.caller.arn("ecr", f"repository/{name}"))
            if reason:
                raise _Refused(403, "DENIED", reason)
        repository = await self._repositories.require(token.caller, name)
        what = match.groupdict().get("what", "")
        handler = getattr(self, f"_{request.method.lower()}_{kind}")
        answer: _Answer = await handler(repository, what, request)
        return answer

    def _identify(self, request: _Request, path: str) -> Token | _Answer:
        token = self._tokens.identify(request.headers)
        if token is None and request.method == "GET":
            link = self._tokens.read(request.query.get("token", ""))
            token = link if link is not None and link.layer and path.endswith(f"/blobs/{link.layer}") else None
        if token is None:
            challenge = 'Basic realm="https://127.0.0.1/",service="ecr.amazonaws.com"'
            return _Answer(401, b"Not Authorized\n", (("www-authenticate", challenge), ("content-type", "text/plain")))
        if token.expired:
            return _error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        return token

    # Uploads

    async def _post_begin(self, repository: Repository, _what: str, request: _Request) -> _Answer:
        self._uploads.expire()
        upload = self._uploads.begin(repository)
        if "digest" not in request.query:
            # ECR does not mount layers of another repository by default: the client uploads them.
            return _uploaded(upload, 202)
        await self._take(upload, request)
        return self._finish(upload, request)

    async def _patch_upload(self, repository: Repository, what: str, request: _Request) -> _Answer:
        upload = await self._upload(repository, what)
        first = request.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if first.isdigit() and int(first) != upload.received:
            return _uploaded(upload, 416)
        await self._take(upload, request)
        return _uploaded(upload, 202)

    async def _put_upload(self, repository: Repository, what: str, request: _Request) -> _Answer:
        upload = await self._upload(repository, what)
        await self._take(upload, request)
        return self._finish(upload, request)

    async def _get_upload(self, repository: Repository, what: str, _request: _Request) -> _Answer:
        return _uploaded(await self._upload(repository, what), 204)

    async def _delete_upload(self, repository: Repository, what: str, _request: _Request) -> _Answer:
        self._uploads.cancel(await self._upload(repository, what))
        return _Answer(204)

    async def _take(self, upload: Upload, request: _Request) -> None:
        async with upload.lock:
            try:
                async for piece in request.body():
                    await self._uploads.write(upload, piece)
            finally:
                # Also what came before the client hung up: it asks how far it got, and goes on from there.
                self._uploads.acknowledge(upload)

    def _finish(self, upload: Upload, request: _Request) -> _Answer:
        digest = request.query.get("digest", "")
        if not _DIGEST.fullmatch(digest):
            raise _Refused(400, "DIGEST_INVALID", "The parameter digest has to be sha256: and 64 hexadecimal digits.")
        try:
            self._uploads.finish(upload, digest)
        except WrongDigest as error:
            raise _Refused(400, "DIGEST_INVALID", f"The uploaded layer has the digest {error.actual}.") from None
        place = f"/v2/{upload.repository.name}/blobs/{digest}"
        return _Answer(201, headers=(("location", place), ("docker-content-digest", digest)))

    async def _upload(self, repository: Repository, upload_id: str) -> Upload:
        upload = await self._uploads.find(repository, upload_id)
        if upload is None:
            raise _Refused(404, "BLOB_UPLOAD_UNKNOWN", "The upload is not known to the registry.")
        return upload

    # Layers

    async def _head_blob(self, repository: Repository, what: str, _request: _Request) -> _Answer:
        size = self._store.layer_size(repository, what)
        if size is None or not _DIGEST.fullmatch(what):
            raise _Refused(404, "BLOB_UNKNOWN", "The layer is not known to the registry.")
        headers = (
            ("content-length", str(size)),
            ("docker-content-digest", what),
            ("content-type", "application/octet-stream"),
        )
        return _Answer(200, headers=headers, file=self._store.blob_path(what))

    _get_blob = _head_blob

    # Images

    async def _put_manifest(self, repository: Repository, what: str, request: _Request) -> _Answer:
        raw = bytearray()
        async for piece in request.body():
            raw += piece
            if len(raw) > _MANIFEST_LIMIT:
                raise _Refused(413, "SIZE_INVALID", "The manifest is larger than 4 MiB.")
        manifest = read_manifest(bytes(raw), request.headers.get("content-type"))
        by_digest = what.startswith("sha256:")
        if by_digest and what != manifest.digest:
            raise _Refused(400, "DIGEST_INVALID", f"The manifest has the digest {manifest.digest}.")
        await self._repositories.put(repository, manifest, None if by_digest else what)
        place = f"/v2/{repository.name}/manifests/{manifest.digest}"
        return _Answer(201, headers=(("location", place), ("docker-content-digest", manifest.digest)))

    async def _get_manifest(self, repository: Repository, what: str, request: _Request) -> _Answer:
        by_digest = what.startswith("sha256:")
        image = self._store.image(repository, digest=what) if by_digest else self._store.image(repository, tag=what)
        if image is None:
            digest, tag = (what, "null") if by_digest else ("null", what)
            raise _Refused(
                404,
                "MANIFEST_UNKNOWN",
                f"Requested image not found: {{imageDigest:'{digest}', imageTag:'{tag}'}} in the repository with name "
                f"'{repository.name}' in the registry with id '{repository.owner.account}'",
            )
        if request.method == "GET":
            self._store.was_pulled(repository, image.digest)
        headers = (
            ("content-length", str(len(image.manifest))),
            ("content-type", image.media_type),
            ("docker-content-digest", image.digest),
        )
        return _Answer(200, image.manifest, headers)

    _head_manifest = _get_manifest

    async def _delete_manifest(self, _repository: Repository, _what: str, _request: _Request) -> _Answer:
        # ECR deletes images through its API alone.
        raise _Refused(405, "UNSUPPORTED", "The operation is unsupported.")

    async def _get_tags(self, repository: Repository, _what: str, request: _Request) -> _Answer:
        tags = sorted(tag for image in self._store.images(repository) for tag in image.tags)
        last, count = request.query.get("last"), request.query.get("n", "")
        if last:
            tags = [tag for tag in tags if tag > last]
        headers = [("content-type", "application/json")]
        if count.isdigit() and int(count) < len(tags):
            tags = tags[: int(count)]
            if tags:
                next_page = f"/v2/{repository.name}/tags/list?n={count}&last={quote(tags[-1])}"
                headers.append(("link", f'<{next_page}>; rel="next"'))
        return _Answer(200, json.dumps({"name": repository.name, "tags": tags}).encode(), tuple(headers))


def _find(path: str) -> tuple[str, re.Match[str]]:
    for kind, pattern in _PATHS.items():
        if match := pattern.fullmatch(path):
            return kind, match
    raise _Refused(404, "NAME_INVALID", f"There is nothing at {path}.")


def _uploaded(upload: Upload, status: int) -> _Answer:
    headers = (
        ("location", f"/v2/{upload.repository.name}/blobs/uploads/{upload.id}"),
        ("range", f"0-{max(0, upload.received - 1)}"),
        ("docker-upload-uuid", upload.id),
    )
    return _Answer(status, headers=headers)


def _error(status: int, code: str, message: str) -> _Answer:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return _Answer(status, body, (("content-type", "application/json; charset=utf-8"),))


async def _send(send: Send, answer: _Answer, *, head: bool) -> None:
    headers = dict(answer.headers)
    if answer.status != 204:
        headers.setdefault("content-length", str(len(answer.body)))
    headers["docker-distribution-api-version"] = "registry/2.0"
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if answer.file is None or head:
        await send({"type": "http.response.body", "body": b"" if head else answer.body})
        return
    with await asyncio.to_thread(answer.file.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
