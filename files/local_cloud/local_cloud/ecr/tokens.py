# SPDX-License-Identifier: GPL-3.0-or-later
"""The passwords that `docker login` uses with ECR: opaque to clients, and they say whose registry is meant.

On AWS the registry's host names account and region. Docker knows this one as 127.0.0.1:<port>, so the password does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..aws.caller import Caller
from ..settings import Settings

# As on AWS (API reference, GetAuthorizationToken).
LIFE_SECONDS = 12 * 3600.0
USER = "AWS"


@dataclass(frozen=True)
class Token:
    """Who logged in, and to whose registry. expires: seconds since 1970.

    layer: the digest of the one layer that may be read, for a link that is handed out; None for a login.
    """

    access_key: str
    caller: Caller
    expires: float
    layer: str | None = None

    @property
    def expired(self) -> bool:
        return self.expires < time.time()


class Tokens:
    """Makes and reads passwords, with a key that is made once and kept in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._key = _kept_key(directory / "token.key")

    def issue(self, access_key: str, caller: Caller, *, layer: str | None = None) -> tuple[str, float]:
        """A password for `caller`'s registry, or for one layer of it, and when it ends, in seconds since 1970."""
        expires = time.time() + LIFE_SECONDS
        content = json.dumps([access_key, caller.account, caller.region, expires, layer]).encode()
        return base64.urlsafe_b64encode(self._sign(content) + content).decode(), expires

    def read(self, password: str) -> Token | None:
        """What a password says, or None where it is not one of ours."""
        try:
            raw = base64.urlsafe_b64decode(password)
            signature, content = raw[:32], raw[32:]
            if not hmac.compare_digest(signature, self._sign(content)):
                return None
            access_key, account, region, expires, layer = json.loads(content)
        except (ValueError, TypeError):
            return None
        return Token(access_key, Caller(account, region), expires, layer)

    def identify(self, headers: Mapping[str, str]) -> Token | None:
        """Who an HTTP request with Docker's basic authentication is from. headers: names in lower case."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return None
        token = self.read(password) if user == USER else None
        return token if token is not None and token.layer is None else None

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)


def docker_credentials(settings: Settings, owner: Caller) -> dict[str, str]:
    """What the Docker SDK takes as `auth_config` to pull from `owner`'s registry in this cloud."""
    password, _ = Tokens(settings.ecr_dir).issue(owner.account, owner)
    return {"username": USER, "password": password}


def _kept_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and (key := path.read_bytes()):
        return key
    from ..durability.keeper import replace

    key = secrets.token_bytes(32)
    replace(path, key)
    return key
