# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references: the AWS form and the local registry's own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..aws.caller import Caller

_ECR_HOST = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_LOCAL_HOST = re.compile(r"(?:127\.0\.0\.1|localhost):(\d+)")
_REST = re.compile(
    r"(?P<repository>[a-z0-9]+(?:[._/-][a-z0-9]+)*)"
    r"(?::(?P<tag>[\w.-]{1,128}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class ImageReference:
    """An image in ECR. `reference` is what is looked up: the digest where there is one, else the tag."""

    owner: Caller
    repository: str
    tag: str | None
    digest: str | None

    @property
    def reference(self) -> str:
        return self.digest or self.tag or "latest"

    def at_digest(self, digest: str) -> str:
        """The AWS form of this image, by digest."""
        registry = f"{self.owner.account}.dkr.ecr.{self.owner.region}.amazonaws.com"
        return f"{registry}/{self.repository}@{digest}"


def parse_image_reference(image: str, caller: Caller, port: int) -> ImageReference | None:
    """Read an image reference; None where it is not in an ECR that this cloud is.

    caller: whose registry `127.0.0.1:<port>/<repository>` means.
    """
    host, _, rest = image.partition("/")
    match = _REST.fullmatch(rest)
    if not match:
        return None
    if ecr := _ECR_HOST.fullmatch(host):
        owner = Caller(ecr[1], ecr[2])
    elif (local := _LOCAL_HOST.fullmatch(host)) and int(local[1]) == port:
        owner = caller
    else:
        return None
    return ImageReference(owner, match["repository"], match["tag"], match["digest"])
