# SPDX-License-Identifier: GPL-3.0-or-later
"""Who calls, and which service they sign for: read from SigV4's credential scope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

# <access key>/<date>/<region>/<service>/aws4_request
_CREDENTIAL = re.compile(r"([^/,\s=]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Scope:
    """SigV4's credential scope. `service` is the signing name, which sagemaker and sagemaker-runtime share."""

    access_key: str
    region: str
    service: str


@dataclass(frozen=True)
class Caller:
    """The account and region that a call acts in."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def parse_scope(headers: Mapping[str, str], query_string: str) -> Scope | None:
    """The credential scope of a request, from the Authorization header or a presigned query; None if unsigned.

    headers: names in lower case.
    """
    match = None
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS4-"):
        match = _CREDENTIAL.search(authorization)
    elif "X-Amz-Credential" in query_string:
        match = _CREDENTIAL.fullmatch(parse_qs(query_string).get("X-Amz-Credential", [""])[0])
    return Scope(match[1], match[3], match[4]) if match else None
