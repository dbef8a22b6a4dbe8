# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: an image, an artifact, an environment and a role, checked when they are put together."""

from __future__ import annotations

import time
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import validation
from ..containers.image import ImageError, find_image
from ..containers.image_reference import parse_image_reference
from ..containers.launcher import Launchers
from ..containers.model_artifact import parse_artifact_url
from ..iam.execution_role import ExecutionRole
from ..store import Store
from .arns import already_exists, arn_of, key_of, not_found
from .listing import next_token, page_query
from .rules import artifact_url, check_model, check_trust, containers_of, is_multi_model
from .tags import Tags, requested_tags

KIND = "model"


class Models:
    """CreateModel, DescribeModel, ListModels, DeleteModel."""

    def __init__(self, store: Store, tags: Tags, launchers: Launchers) -> None:
        self._store = store
        self._tags = tags
        self._launchers = launchers

    async def create(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["ModelName"]
        check_model(parameters)
        tags = requested_tags(parameters)
        if self._store.get(KIND, caller, key_of(name)):
            raise already_exists(KIND, caller, name)
        role = parameters["ExecutionRoleArn"]
        check_trust(await self._launchers.ministack.role_trust_policy(role), role)
        for container in containers_of(parameters):
            await self._check_image(caller, container)
            await self._check_artifact(caller, container, role)
        if self._store.get(KIND, caller, key_of(name)):  # another call may have come first in the meantime
            raise already_exists(KIND, caller, name)
        arn = arn_of(KIND, caller, name)
        document = {key: value for key, value in parameters.items() if key != "Tags"}
        document |= {"ModelArn": arn, "CreationTime": time.time()}
        document.setdefault("EnableNetworkIsolation", False)
        for container in containers_of(document):
            container.setdefault("Mode", "SingleModel")
        # Tags first: a kill in between then leaves tags of nothing, and no Model that cannot be found by its tags.
        self._tags.set(caller, arn.lower(), tags)
        self._store.put(KIND, caller, key_of(name), document)
        return {"ModelArn": arn}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._found(caller, parameters["ModelName"])

    async def list(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        query = page_query(parameters)
        page = self._store.page(KIND, caller, query)
        return {"Models": page.documents, "NextToken": next_token(query, page)}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        # AWS warns against deleting what is in use, and does it.
        document = self._found(caller, parameters["ModelName"])
        self._store.delete(KIND, caller, key_of(document["ModelName"]))
        self._tags.set(caller, document["ModelArn"].lower(), {})
        return {}

    def _found(self, caller: Caller, name: str) -> dict[str, Any]:
        document = self._store.get(KIND, caller, key_of(name))
        if document is None:
            raise not_found(KIND, caller, name)
        return document

    async def _check_image(self, caller: Caller, container: dict[str, Any]) -> None:
        image = container["Image"]
        reference = parse_image_reference(image, caller, self._launchers.settings.port)
        if reference is None and (container.get("ImageConfig") or {}).get("RepositoryAccessMode") == "Vpc":
            raise validation(f'The local cloud has no private Docker registries, so it cannot pull "{image}".')
        if reference is None:
            raise validation(f'Using non-ECR image "{image}" without Vpc repository access mode is not supported.')
        try:
            found = await find_image(self._launchers.ministack, reference)
        except ImageError as error:
            raise validation(str(error)) from error
        if found is None:
            raise validation(f"Requested image {image} not found.")
        if not found.supported_by_sagemaker:
            raise validation(
                f"Unsupported manifest media type {found.media_type} for image {image}. "
                "Ensure that valid manifest media type is used for specified image."
            )

    async def _check_artifact(self, caller: Caller, container: dict[str, Any], role: str) -> None:
        url = artifact_url(container)
        if url is None or is_multi_model(container) or _is_prefix(container):
            return  # there is no single object to look for
        if not await self._can_be_read(caller, url, role):
            raise validation(
                f'Could not access model data at {url}. Please ensure that the role "{role}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the '
                f"object is located in {caller.region}. If your Model uses multiple models or uncompressed models, "
                'please ensure that the role has "s3:ListBucket" permission.'
            )

    async def _can_be_read(self, caller: Caller, url: str, role: str) -> bool:
        place = parse_artifact_url(url)
        if place is None or await self._launchers.ministack.object_etag(caller, *place) is None:
            return False
        execution_role = ExecutionRole(role, caller.region, self._launchers.settings.enforce_iam)
        return execution_role.allows("s3:GetObject", f"arn:aws:s3:::{place[0]}/{place[1]}")


def _is_prefix(container: dict[str, Any]) -> bool:
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return bool(source.get("S3DataType") == "S3Prefix")
