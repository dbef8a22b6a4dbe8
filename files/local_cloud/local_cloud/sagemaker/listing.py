# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters, sorts and pages the List operations. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from ..aws.errors import validation

DEFAULT_PAGE = 10

# Parameter -> (member of the document, whether the document's value has to be the greater one).
_TIME_FILTERS = {
    "CreationTimeAfter": ("CreationTime", True),
    "CreationTimeBefore": ("CreationTime", False),
    "LastModifiedTimeAfter": ("LastModifiedTime", True),
    "LastModifiedTimeBefore": ("LastModifiedTime", False),
}


def list_page(
    documents: Sequence[dict[str, Any]], parameters: dict[str, Any], name_member: str
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of `documents` and the token of the next, or None on the last page.

    name_member: the member that "Name" sorts by and NameContains looks in, for example "EndpointName".
    A page starts behind the last document of the one before, so documents that come or go in between neither
    repeat nor hide others. Raises ValidationException for a token that is not ours.
    """
    found = [document for document in documents if _wanted(document, parameters, name_member)]
    sort_by = parameters.get("SortBy", "CreationTime")
    member = {"Name": name_member, "CreationTime": "CreationTime", "Status": "EndpointStatus"}[sort_by]
    descending = parameters.get("SortOrder", "Descending" if sort_by == "CreationTime" else "Ascending") == "Descending"

    def position(document: dict[str, Any]) -> list[Any]:
        return [document[member], document[name_member]]

    found.sort(key=position, reverse=descending)
    if token := parameters.get("NextToken"):
        last = _decode(token)
        found = [d for d in found if (position(d) < last if descending else position(d) > last)]
    size = parameters.get("MaxResults", DEFAULT_PAGE)
    page = found[:size]
    return page, _encode(position(page[-1])) if len(found) > size else None


def _wanted(document: dict[str, Any], parameters: dict[str, Any], name_member: str) -> bool:
    if parameters.get("NameContains", "").lower() not in document[name_member].lower():
        return False
    if "StatusEquals" in parameters and document["EndpointStatus"] != parameters["StatusEquals"]:
        return False
    for parameter, (member, greater) in _TIME_FILTERS.items():
        limit = parameters.get(parameter)
        if limit is not None and (document[member] <= limit if greater else document[member] >= limit):
            return False
    return True


def _encode(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _decode(token: str) -> list[Any]:
    try:
        position = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        position = None
    if not isinstance(position, list) or len(position) != 2:
        raise validation("The NextToken is not one that this operation gave.")
    return position
