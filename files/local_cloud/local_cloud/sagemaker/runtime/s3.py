# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 locations, and putting and getting objects there on behalf of an endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from ...aws.caller import Caller
from ...aws.errors import AwsError
from ...iam.execution_role import ExecutionRole
from ...ministack_backend import Ministack

_S3_URL = re.compile(r"s3://([^/]+)/?(.*)")
_HTTPS_URL = re.compile(r"https://(?:s3[.-][^/]*amazonaws\.com/([^/]+)|([^./]+)\.s3[.-][^/]*amazonaws\.com)/?(.*)")


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key or a prefix in it."""

    bucket: str
    key: str

    def below(self, *parts: str) -> S3Location:
        """The location of `parts` under this prefix."""
        pieces = [piece.strip("/") for piece in (self.key, *parts)]
        return S3Location(self.bucket, "/".join(piece for piece in pieces if piece))

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}/{self.key}"


def parse_location(url: str) -> S3Location | None:
    """The location an S3 URL names, in either of the forms that SageMaker takes; None for any other URL."""
    if match := _S3_URL.fullmatch(url):
        return S3Location(match[1], match[2])
    if match := _HTTPS_URL.fullmatch(url):
        return S3Location(match[1] or match[2], match[3])
    return None


class S3:
    """Objects of ministack's S3, written and read as an execution role."""

    def __init__(self, ministack: Ministack) -> None:
        self._ministack = ministack

    async def put(self, caller: Caller, role: ExecutionRole, place: S3Location, body: bytes, content_type: str) -> None:
        """Write an object. Raises AwsError where it is refused."""
        _check(role, "s3:PutObject", place)
        response = await self._ministack.request(
            caller, "s3", "PUT", _path(place), headers={"content-type": content_type}, body=body
        )
        if response.status != 200:
            raise AwsError("S3", f"{place.url} could not be written (HTTP {response.status})", response.status)

    async def get(self, caller: Caller, role: ExecutionRole, place: S3Location) -> bytes:
        """Read an object. Raises AwsError where it cannot be read."""
        _check(role, "s3:GetObject", place)
        response = await self._ministack.request(caller, "s3", "GET", _path(place))
        if response.status != 200:
            raise AwsError("S3", f"{place.url} could not be read (HTTP {response.status})", response.status)
        return response.body


def _check(role: ExecutionRole, action: str, place: S3Location) -> None:
    if denial := role.denial(action, place.arn):
        raise AwsError("AccessDenied", denial, 403)


def _path(place: S3Location) -> str:
    return quote(f"/{place.bucket}/{place.key}", safe="/-_.~")
