# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of SageMaker's resources."""

from __future__ import annotations

import re
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import validation
from ..store import Store
from .arns import RESOURCES, arn_of, parse_arn
from .rules import check_tags

KIND = "sagemaker-tags"
_DEFAULT_PAGE = 50


class Tags:
    """AddTags, ListTags, DeleteTags, and the Tags of every Create operation."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        arn = self._existing(caller, parameters["ResourceArn"])
        merged = {**self.of(caller, arn), **_as_dict(parameters["Tags"])}
        check_tags(merged)
        self.set(caller, arn, merged)
        return {"Tags": _as_list(merged)}

    async def list(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        tags = _as_list(self.of(caller, self._existing(caller, parameters["ResourceArn"])))
        token = parameters.get("NextToken") or "0"
        if not re.fullmatch("[0-9]{1,3}", token):
            raise validation("The NextToken is not one that this operation gave.")
        start = int(token)
        end = start + parameters.get("MaxResults", _DEFAULT_PAGE)
        return {"Tags": tags[start:end], "NextToken": str(end) if end < len(tags) else None}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        arn = self._existing(caller, parameters["ResourceArn"])
        gone = set(parameters["TagKeys"])
        self.set(caller, arn, {key: value for key, value in self.of(caller, arn).items() if key not in gone})
        return {}

    def of(self, caller: Caller, arn: str) -> dict[str, str]:
        """The tags of a resource."""
        return self._store.get(KIND, caller, arn) or {}

    def set(self, caller: Caller, arn: str, tags: dict[str, str]) -> None:
        """Replace the tags of a resource."""
        if tags:
            self._store.put(KIND, caller, arn, tags)
        else:
            self._store.delete(KIND, caller, arn)

    def _existing(self, caller: Caller, arn: str) -> str:
        place = parse_arn(arn)
        if place is None:
            raise validation(f'The local cloud keeps no tags for "{arn}".')
        kind, key = place
        owned = arn_of(kind, caller, key)
        if owned != arn.lower() or self._store.get(kind, caller, key) is None:
            raise validation(f'Could not find {RESOURCES[kind][1]} "{arn}".')
        return owned


def requested_tags(parameters: dict[str, Any]) -> dict[str, str]:
    """The Tags of a Create call. Raises ValidationException for tags that no resource may have."""
    given = parameters.get("Tags") or []
    tags = _as_dict(given)
    if len(tags) < len(given):
        raise validation("The keys of a resource's tags must be unique.")
    check_tags(tags)
    return tags


def _as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
