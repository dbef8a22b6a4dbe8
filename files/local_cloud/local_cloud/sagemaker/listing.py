# SPDX-License-Identifier: GPL-3.0-or-later
"""What the List operations ask for, as a query of the store, and their tokens. Pure.

Source: the reference pages of ListModels, ListEndpointConfigs and ListEndpoints. The newest come first unless asked
otherwise, ten to a page; CreationTimeAfter includes the moment it names, the other three limits do not.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ..aws.errors import validation
from ..store import Page, PageQuery

DEFAULT_PAGE = 10

_SORT = {"Name": "key", "CreationTime": "created", "Status": "status"}


def page_query(parameters: dict[str, Any]) -> PageQuery:
    """The query that a List call's parameters mean. Raises ValidationException for a token that is not ours."""
    sort = _SORT[parameters.get("SortBy", "CreationTime")]
    descending = parameters.get("SortOrder", "Descending") == "Descending"
    token = parameters.get("NextToken")
    return PageQuery(
        size=parameters.get("MaxResults", DEFAULT_PAGE),
        sort=sort,
        descending=descending,
        after=_decode(token, sort, descending) if token else None,
        # Names are kept in lower case to be compared.
        key_contains=parameters["NameContains"].lower() if parameters.get("NameContains") else None,
        status=parameters.get("StatusEquals"),
        created_from=parameters.get("CreationTimeAfter"),
        created_before=parameters.get("CreationTimeBefore"),
        modified_after=parameters.get("LastModifiedTimeAfter"),
        modified_before=parameters.get("LastModifiedTimeBefore"),
    )


def next_token(query: PageQuery, page: Page) -> str | None:
    """The token of the page behind `page`, or None.

    It names the last document of this page, so documents that come or go in between neither repeat nor hide others.
    """
    if page.last is None:
        return None
    position = [query.sort, query.descending, *page.last]
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _decode(token: str, sort: str, descending: bool) -> tuple[Any, str]:
    try:
        given_sort, given_descending, value, key = json.loads(base64.urlsafe_b64decode(token))
        value = float(value) if sort == "created" else str(value)
        ours = (given_sort, given_descending) == (sort, descending) and f"{value}{key}".isascii()
    except (ValueError, TypeError, OverflowError, RecursionError):
        ours = False
    if not ours:
        raise validation("The NextToken is not one that this operation gave for the same SortBy and SortOrder.")
    return value, str(key)
