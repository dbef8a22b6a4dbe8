# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content-addressed names of Models and EndpointConfigs.

The same specification always gives the same name, so a name that exists already holds what is wanted. That is what
makes an interrupted run adoptable and an unchanged one free of writing calls.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["MODEL", "CONFIG"]

#: Longest name SageMaker takes for an endpoint, a Model or an EndpointConfig (pattern of EndpointName in its API).
MAX_NAME_LENGTH = 63

#: 48 bits: with a few thousand generations of one endpoint a collision stays below one in ten million.
_HASH_LENGTH = 12

_TAG_BEFORE_DIGEST = re.compile(r":[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?=@)")


def spec_hash(document: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal characters that stand for C(document), whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_HASH_LENGTH]


def name_prefix(endpoint_name: str, kind: Kind) -> str:
    """Return what every Model or EndpointConfig name of this endpoint starts with.

    A long endpoint name is cut so that the whole stays within 63 characters. Two endpoints can then share a prefix;
    their names still differ, because the full endpoint name is part of what is hashed.
    """
    room = MAX_NAME_LENGTH - len(kind) - _HASH_LENGTH - 2
    return f"{endpoint_name[:room].rstrip('-')}-{kind}-"


def resource_name(endpoint_name: str, kind: Kind, document: Mapping[str, Any]) -> str:
    """Return C(<endpoint>-MODEL-<hash>) or C(<endpoint>-CONFIG-<hash>), at most 63 characters."""
    return name_prefix(endpoint_name, kind) + spec_hash({"endpoint": endpoint_name, "kind": kind, **document})


def normalised_image(image: str) -> str:
    """Return the image reference without its tag where a digest follows: only the digest decides what runs."""
    return _TAG_BEFORE_DIGEST.sub("", image, count=1)
