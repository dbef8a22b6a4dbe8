# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer half of the ECR API.

ministack answers these operations and keeps nothing, so an image pushed with them could never be pulled again. Here
the layers go into the registry that ministack serves at /v2/, where `docker pull` finds them as well.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..aws.json_protocol import Response, failure, parse_body, success
from ..aws.service_model import load_api
from ..aws.validation import validate
from ..ministack_backend import Ministack
from ..routing import ECR_TARGET
from ..settings import Settings

PART_BYTES = 10 * 1024 * 1024
MIN_PART_BYTES = 5 * 1024 * 1024
UPLOAD_LIFE_SECONDS = 3600.0


@dataclass
class _Upload:
    caller: Caller
    repository: str
    started: float
    content: bytearray = field(default_factory=bytearray)
    short_part: bool = False


class EcrLayers:
    """The operations of the ECR API that this cloud answers itself; all others are ministack's."""

    def __init__(self, settings: Settings, ministack: Ministack) -> None:
        self._settings = settings
        self._ministack = ministack
        self._uploads: dict[str, _Upload] = {}
        self.operations: dict[str, Callable[[Caller, dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "BatchCheckLayerAvailability": self._availability,
            "InitiateLayerUpload": self._initiate,
            "UploadLayerPart": self._part,
            "CompleteLayerUpload": self._complete,
            "GetDownloadUrlForLayer": self._download_url,
            "PutImage": self._put_image,
        }
        self._api = load_api("ecr", frozenset(self.operations))

    async def handle(self, caller: Caller, operation: str, body: bytes) -> Response:
        """Answer one of `operations`."""
        model = self._api.operation(operation)
        try:
            parameters = parse_body(body)
            validate(model.input_shape, parameters)
            await self._require_repository(caller, parameters["repositoryName"])
            return success(model.output_shape, await self.operations[operation](caller, parameters))
        except AwsError as error:
            return failure(error)

    async def _availability(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        layers = []
        for digest in parameters["layerDigests"]:
            size = await self._ministack.has_blob(caller, parameters["repositoryName"], digest)
            layers.append(
                {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
                if size is None
                else {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size}
            )
        return {"layers": layers, "failures": []}

    async def _initiate(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        now = time.monotonic()
        self._uploads = {k: u for k, u in self._uploads.items() if now - u.started < UPLOAD_LIFE_SECONDS}
        upload_id = str(uuid.uuid4())
        self._uploads[upload_id] = _Upload(caller, parameters["repositoryName"], now)
        return {"uploadId": upload_id, "partSize": PART_BYTES}

    async def _part(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        upload = self._upload(caller, parameters)
        content = base64.b64decode(parameters["layerPartBlob"])
        first, last = parameters["partFirstByte"], parameters["partLastByte"]
        if first != len(upload.content) or last - first + 1 != len(content):
            raise AwsError(
                "InvalidLayerPartException",
                "The layer part is not valid, or the first byte specified is not consecutive to the last byte of a "
                "previous layer part upload.",
                lastValidByteReceived=len(upload.content) - 1,
            )
        if upload.short_part:
            raise AwsError("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size.")
        upload.short_part = len(content) < MIN_PART_BYTES
        upload.content += content
        return {**_names(caller, parameters), "uploadId": parameters["uploadId"], "lastByteReceived": last}

    async def _complete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        upload = self._upload(caller, parameters)
        if not upload.content:
            raise AwsError("EmptyUploadException", "The specified layer upload does not contain any layer parts.")
        digest = "sha256:" + hashlib.sha256(upload.content).hexdigest()
        if digest not in parameters["layerDigests"]:
            raise AwsError(
                "InvalidLayerException",
                f"The layer digest calculation performed by Amazon ECR upon receipt of the image layer ({digest}) does "
                "not match the digest specified.",
            )
        if await self._ministack.has_blob(caller, upload.repository, digest) is not None:
            raise AwsError("LayerAlreadyExistsException", f"The layer {digest} already exists in the repository.")
        await self._ministack.put_blob(caller, upload.repository, digest, bytes(upload.content))
        del self._uploads[parameters["uploadId"]]
        return {**_names(caller, parameters), "uploadId": parameters["uploadId"], "layerDigest": digest}

    async def _download_url(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        repository, digest = parameters["repositoryName"], parameters["layerDigest"]
        if await self._ministack.has_blob(caller, repository, digest) is None:
            raise AwsError("LayersNotFoundException", f"The layer {digest} is not in the repository {repository}.")
        registry = f"{caller.account}.dkr.ecr.{caller.region}.amazonaws.com"
        url = f"{self._settings.endpoint_url}/v2/{repository}/blobs/{digest}?ns={registry}"
        return {"downloadUrl": url, "layerDigest": digest}

    async def _put_image(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        repository, raw = parameters["repositoryName"], parameters["imageManifest"].encode()
        manifest, media_type = _parse_manifest(parameters)
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        wanted = parameters.get("imageDigest")
        if wanted and wanted != digest:
            raise AwsError(
                "ImageDigestDoesNotMatchException", f"The image's manifest has the digest {digest}, not {wanted}."
            )
        blobs = [manifest.get("config"), *manifest.get("layers", ())]
        for blob_digest in (blob["digest"] for blob in blobs if blob):
            if await self._ministack.has_blob(caller, repository, blob_digest) is None:
                raise AwsError(
                    "LayersNotFoundException",
                    f"Layers with digests '[{blob_digest}]' required for pushing image into "
                    f"repository with name '{repository}' in the registry with id '{caller.account}' do not exist",
                )
        await self._refuse_repetition(caller, repository, digest, parameters.get("imageTag"))
        answer = await self._ministack.json_call(
            caller,
            "ecr",
            ECR_TARGET + "PutImage",
            {**parameters, "imageManifestMediaType": media_type, "imageDigest": digest},
        )
        await self._ministack.put_manifest(caller, repository, digest, raw, media_type)
        return answer

    async def _refuse_repetition(self, caller: Caller, repository: str, digest: str, tag: str | None) -> None:
        known = await self._ministack.json_call(
            caller,
            "ecr",
            ECR_TARGET + "DescribeImages",
            {"repositoryName": repository, "imageIds": [{"imageDigest": digest}]},
        )
        for image in known["imageDetails"]:
            if tag is None or tag in image.get("imageTags", ()):
                also = f" and tag '{tag}'" if tag else ""
                raise AwsError(
                    "ImageAlreadyExistsException",
                    f"Image with digest '{digest}'{also} already exists in the repository with name '{repository}' in "
                    f"registry with id '{caller.account}'",
                )

    async def _require_repository(self, caller: Caller, repository: str) -> None:
        await self._ministack.json_call(
            caller, "ecr", ECR_TARGET + "DescribeRepositories", {"repositoryNames": [repository]}
        )

    def _upload(self, caller: Caller, parameters: dict[str, Any]) -> _Upload:
        upload = self._uploads.get(parameters["uploadId"])
        if upload is None or (upload.caller, upload.repository) != (caller, parameters["repositoryName"]):
            raise AwsError(
                "UploadNotFoundException",
                "The upload could not be found, or the specified upload ID is not valid for this repository.",
            )
        return upload


def _names(caller: Caller, parameters: dict[str, Any]) -> dict[str, str]:
    return {"registryId": caller.account, "repositoryName": parameters["repositoryName"]}


def _parse_manifest(parameters: dict[str, Any]) -> tuple[dict[str, Any], str]:
    try:
        manifest = json.loads(parameters["imageManifest"])
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise AwsError("InvalidParameterException", "The image manifest is not valid JSON.")
    media_type = parameters.get("imageManifestMediaType") or manifest.get("mediaType")
    if not media_type:
        raise AwsError(
            "InvalidParameterException", "The manifest has no mediaType, so imageManifestMediaType has to name it."
        )
    return manifest, media_type
