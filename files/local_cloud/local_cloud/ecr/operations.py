# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of the ECR API that are about images, layers and logins. All others are ministack's."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..aws.json_protocol import Response, failure, parse_body, success
from ..aws.service_model import load_api
from ..aws.validation import validate
from ..settings import Settings
from .image_store import ImageStore, Repository, StoredImage
from .manifests import read_manifest
from .repositories import Repositories
from .tokens import USER, Tokens
from .uploads import Upload, Uploads, WrongDigest

PART_BYTES = 10 * 1024 * 1024
MIN_PART_BYTES = 5 * 1024 * 1024
PAGE_SIZE = 100

Parameters = dict[str, Any]
Operation = Callable[[Repository, Parameters], Awaitable[dict[str, Any]]]


class EcrOperations:
    """Answers the operations in `routing.OUR_ECR_OPERATIONS`."""

    def __init__(
        self, settings: Settings, repositories: Repositories, store: ImageStore, uploads: Uploads, tokens: Tokens
    ) -> None:
        self._settings = settings
        self._repositories = repositories
        self._store = store
        self._uploads = uploads
        self._tokens = tokens
        self._of_repository: dict[str, Operation] = {
            "BatchCheckLayerAvailability": self._batch_check_layer_availability,
            "BatchDeleteImage": self._batch_delete_image,
            "BatchGetImage": self._batch_get_image,
            "CompleteLayerUpload": self._complete_layer_upload,
            "DeleteRepository": self._delete_repository,
            "DescribeImages": self._describe_images,
            "GetDownloadUrlForLayer": self._get_download_url_for_layer,
            "InitiateLayerUpload": self._initiate_layer_upload,
            "ListImages": self._list_images,
            "PutImage": self._put_image,
            "UploadLayerPart": self._upload_layer_part,
        }
        self.operations = frozenset({*self._of_repository, "GetAuthorizationToken"})
        self._api = load_api("ecr", self.operations)

    async def handle(self, caller: Caller, operation: str, body: bytes, *, access_key: str | None = None) -> Response:
        """Answer one of `operations`. access_key: the caller's, which a login token is made out to."""
        model = self._api.operation(operation)
        try:
            parameters = parse_body(body)
            validate(model.input_shape, parameters)
            if operation == "GetAuthorizationToken":
                answer = self._get_authorization_token(caller, access_key or caller.account)
            else:
                owner = Caller(parameters.get("registryId") or caller.account, caller.region)
                repository = await self._repositories.require(owner, parameters["repositoryName"])
                answer = await self._of_repository[operation](repository, parameters)
            return success(model.output_shape, answer)
        except AwsError as error:
            if error.code == "ValidationException":  # which ECR calls by another name
                error = AwsError("InvalidParameterException", error.message)
            return failure(error)

    def _get_authorization_token(self, caller: Caller, access_key: str) -> dict[str, Any]:
        password, expires = self._tokens.issue(access_key, caller)
        return {
            "authorizationData": [
                {
                    "authorizationToken": base64.b64encode(f"{USER}:{password}".encode()).decode(),
                    "expiresAt": expires,
                    "proxyEndpoint": f"https://{caller.account}.dkr.ecr.{caller.region}.amazonaws.com",
                }
            ]
        }

    # Layers

    async def _batch_check_layer_availability(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        layers = []
        for digest in parameters["layerDigests"]:
            size = self._store.layer_size(repository, digest)
            layers.append(
                {"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}
                if size is None
                else {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size}
            )
        return {"layers": layers, "failures": []}

    async def _initiate_layer_upload(self, repository: Repository, _parameters: Parameters) -> dict[str, Any]:
        self._uploads.expire()
        return {"uploadId": self._uploads.begin(repository).id, "partSize": PART_BYTES}

    async def _upload_layer_part(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        upload = await self._upload(repository, parameters)
        try:
            content = base64.b64decode(parameters["layerPartBlob"])
        except binascii.Error:
            raise AwsError("SerializationException", "The layer part is not base64.") from None
        first, last = parameters["partFirstByte"], parameters["partLastByte"]
        async with upload.lock:
            if first != upload.received or last - first + 1 != len(content):
                raise AwsError(
                    "InvalidLayerPartException",
                    "The layer part is not valid, or the first byte specified is not consecutive to the last byte of a "
                    "previous layer part upload.",
                    lastValidByteReceived=upload.received - 1,
                )
            if upload.short_part:
                raise AwsError("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size.")
            upload.short_part = len(content) < MIN_PART_BYTES
            await self._uploads.write(upload, content)
            self._uploads.acknowledge(upload)
        return {**_names(repository), "uploadId": upload.id, "lastByteReceived": last}

    async def _complete_layer_upload(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        upload = await self._upload(repository, parameters)
        if not upload.received:
            raise AwsError("EmptyUploadException", "The specified layer upload does not contain any layer parts.")
        digest = "sha256:" + upload.digest.hexdigest()
        if self._store.layer_size(repository, digest) is not None:
            self._uploads.cancel(upload)
            raise AwsError("LayerAlreadyExistsException", f"The layer {digest} already exists in the repository.")
        wanted = digest if digest in parameters["layerDigests"] else parameters["layerDigests"][0]
        try:
            self._uploads.finish(upload, wanted)
        except WrongDigest as error:
            raise AwsError(
                "InvalidLayerException",
                f"The layer digest calculation performed by Amazon ECR upon receipt of the image layer "
                f"({error.actual}) does not match the digest specified.",
            ) from None
        return {**_names(repository), "uploadId": upload.id, "layerDigest": digest}

    async def _get_download_url_for_layer(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        digest = parameters["layerDigest"]
        if self._store.layer_size(repository, digest) is None:
            raise AwsError(
                "LayersNotFoundException",
                f"The layer with digest {digest} does not exist in the repository '{repository.name}'.",
            )
        token, _ = self._tokens.issue(repository.owner.account, repository.owner, layer=digest)
        url = f"{self._settings.endpoint_url}/v2/{repository.name}/blobs/{digest}?token={token}"
        return {"downloadUrl": url, "layerDigest": digest}

    # Images

    async def _put_image(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        manifest = read_manifest(parameters["imageManifest"].encode(), parameters.get("imageManifestMediaType"))
        wanted, tag = parameters.get("imageDigest"), parameters.get("imageTag")
        if wanted and wanted != manifest.digest:
            raise AwsError(
                "ImageDigestDoesNotMatchException",
                f"The image's manifest has the digest {manifest.digest}, not {wanted}.",
            )
        known = self._store.image(repository, digest=manifest.digest)
        if known is not None and (tag is None or tag in known.tags):
            also = f" and tag '{tag}'" if tag else ""
            raise AwsError(
                "ImageAlreadyExistsException",
                f"Image with digest '{manifest.digest}'{also} already exists in the repository with name "
                f"'{repository.name}' in registry with id '{repository.owner.account}'",
            )
        await self._repositories.put(repository, manifest, tag)
        return {"image": _image(repository, self._require(repository, {"imageDigest": manifest.digest}), tag)}

    async def _batch_get_image(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        images: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for image_id, image in self._named(repository, parameters["imageIds"], failures):
            self._store.was_pulled(repository, image.digest)
            images.append(_image(repository, image, image_id.get("imageTag")))
        return {"images": images, "failures": failures}

    def _named(
        self, repository: Repository, image_ids: list[dict[str, str]], failures: list[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, str], StoredImage]]:
        """Each image that is named and there, as it is when its turn comes; `failures` gets why others are not."""
        for image_id in image_ids:
            problem = _problem(image_id)
            image = None if problem else self._find(repository, image_id)
            if image is None:
                failures.append(problem or _not_found(image_id))
            else:
                yield image_id, image

    async def _describe_images(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        if "imageIds" in parameters:
            found = [self._require(repository, image_id) for image_id in parameters["imageIds"]]
            return {"imageDetails": [_details(repository, image) for image in found]}
        wanted = (parameters.get("filter") or {}).get("tagStatus")
        images = [image for image in self._store.images(repository) if _has_status(bool(image.tags), wanted)]
        page, more = _page(images, parameters)
        return {"imageDetails": [_details(repository, image) for image in page], "nextToken": more}

    async def _list_images(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        wanted = (parameters.get("filter") or {}).get("tagStatus")
        ids: list[dict[str, str]] = []
        for image in self._store.images(repository):
            if _has_status(bool(image.tags), wanted):
                ids += _ids(image)
        page, more = _page(ids, parameters)
        return {"imageIds": page, "nextToken": more}

    async def _batch_delete_image(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        deleted: list[dict[str, str]] = []
        failures: list[dict[str, Any]] = []
        for image_id, image in self._named(repository, parameters["imageIds"], failures):
            tag = image_id.get("imageTag")
            if tag is not None and "imageDigest" not in image_id and image.tags != (tag,):
                self._store.remove_tag(repository, tag)
                deleted.append({"imageDigest": image.digest, "imageTag": tag})
                continue
            if indexes := self._store.indexes_with(repository, image.digest):
                failures.append(
                    {
                        "imageId": image_id,
                        "failureCode": "ImageReferencedByManifestList",
                        "failureReason": f"Requested image referenced by manifest list: [{', '.join(indexes)}]",
                    }
                )
                continue
            self._store.remove_image(repository, image.digest)
            deleted += _ids(image)
        return {"imageIds": deleted, "failures": failures}

    async def _delete_repository(self, repository: Repository, parameters: Parameters) -> dict[str, Any]:
        if self._store.images(repository) and not parameters.get("force"):
            raise AwsError(
                "RepositoryNotEmptyException",
                f"The repository with name '{repository.name}' in registry with id '{repository.owner.account}' cannot "
                "be deleted because it still contains images",
            )
        # The images first: a repository of the same name, made later, must not find them.
        self._store.remove_repository(repository)
        return await self._repositories.call(
            repository.owner, "DeleteRepository", {"repositoryName": repository.name, "force": True}
        )

    def _find(self, repository: Repository, image_id: dict[str, str]) -> StoredImage | None:
        return self._store.image(repository, digest=image_id.get("imageDigest"), tag=image_id.get("imageTag"))

    def _require(self, repository: Repository, image_id: dict[str, str]) -> StoredImage:
        image = self._find(repository, image_id) if image_id else None
        if image is None:
            # ECR's words: hashicorp/terraform-provider-aws #35268.
            names = ", ".join(f"{name}:'{image_id.get(name, 'null')}'" for name in ("imageDigest", "imageTag"))
            raise AwsError(
                "ImageNotFoundException",
                f"The image with imageId {{{names}}} does not exist within the repository with name "
                f"'{repository.name}' in the registry with id '{repository.owner.account}'",
            )
        return image

    async def _upload(self, repository: Repository, parameters: Parameters) -> Upload:
        upload = await self._uploads.find(repository, parameters["uploadId"])
        if upload is None:
            raise AwsError(
                "UploadNotFoundException",
                "The upload could not be found, or the specified upload ID is not valid for this repository.",
            )
        return upload


def _names(repository: Repository) -> dict[str, str]:
    return {"registryId": repository.owner.account, "repositoryName": repository.name}


def _ids(image: StoredImage) -> list[dict[str, str]]:
    return [{"imageDigest": image.digest, "imageTag": tag} for tag in image.tags] or [{"imageDigest": image.digest}]


def _image(repository: Repository, image: StoredImage, tag: str | None) -> dict[str, Any]:
    return {
        **_names(repository),
        "imageId": {"imageDigest": image.digest, "imageTag": tag},
        "imageManifest": image.manifest.decode(),
        "imageManifestMediaType": image.media_type,
    }


def _details(repository: Repository, image: StoredImage) -> dict[str, Any]:
    return {
        **_names(repository),
        "imageDigest": image.digest,
        "imageTags": list(image.tags) or None,
        "imageSizeInBytes": image.size,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": image.artifact_type,
        "lastRecordedPullTime": image.pulled,
    }


def _problem(image_id: dict[str, str]) -> dict[str, Any] | None:
    if image_id:
        return None
    return {
        "imageId": image_id,
        "failureCode": "MissingDigestAndTag",
        "failureReason": "Invalid request parameters: both tag and digest cannot be null",
    }


def _not_found(image_id: dict[str, str]) -> dict[str, Any]:
    return {"imageId": image_id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def _has_status(tagged: bool, wanted: str | None) -> bool:
    return wanted not in ("TAGGED", "UNTAGGED") or tagged == (wanted == "TAGGED")


def _page(items: list[Any], parameters: Parameters) -> tuple[list[Any], str | None]:
    """One page, and the token of the next. Tokens are positions; an image pushed meanwhile comes last."""
    token = parameters.get("nextToken")
    try:
        start = int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise AwsError(
            "InvalidParameterException",
            "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'",
        ) from None
    end = start + (parameters.get("maxResults") or PAGE_SIZE)
    return items[start:end], base64.b64encode(str(end).encode()).decode() if end < len(items) else None
