# SPDX-License-Identifier: GPL-3.0-or-later
"""What SageMaker asks of an image before it runs it, as sentences about what Docker says of it. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Serverless endpoints take no larger one (developer guide, "Serverless Inference", feature exclusions and quotas).
MOST_BYTES = 10 * 2**30
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")

_SECRET_NAMES = {"SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS", "APIKEY"}
_SECRET_PAIRS = {("API", "KEY"), ("ACCESS", "KEY"), ("PRIVATE", "KEY")}
_SECRET_VALUES = re.compile(
    r"AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}"  # an AWS access key
    r"|\bhf_[A-Za-z]{30,}|\bghp_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|://[^/\s:@]+:[^/\s:@]+@"  # a password in a URL, such as a package index's
)
_ASSIGNMENT = re.compile(r"\b([A-Za-z_][A-Za-z0-9_]*)=(?!\$)[\"']?([^\s\"';&|]+)")


def platform_problems(inspected: Mapping[str, Any], platform: str) -> list[str]:
    """Where the image is for another processor: SageMaker starts it and it ends with an exec format error."""
    found = f"{inspected['Os']}/{inspected['Architecture']}"
    return [] if found == platform else [f"The image is for {found}, and {platform} is wanted: build with --platform."]


def size_problems(inspected: Mapping[str, Any]) -> list[str]:
    """Where the image is larger than a serverless endpoint takes."""
    size = int(inspected["Size"])
    return [] if size <= MOST_BYTES else [f"The image has {size / 2**30:.1f} GiB; 10 is the most."]


def manifest_problems(media_types: Iterable[str]) -> list[str]:
    """Where the image is an index, as attestations make of it."""
    return [
        f"The image is an index ({kind}), which SageMaker refuses: build with --provenance=false --sbom=false."
        for kind in media_types
        if kind in INDEXES
    ]


def secret_problems(inspected: Mapping[str, Any], history: Iterable[str]) -> list[str]:
    """Where the environment, a label or a build step holds what looks like a secret. The secret itself is not told."""
    config = inspected["Config"]
    problems = []
    for entry in config.get("Env") or ():
        name, _, value = entry.partition("=")
        if looks_secret(name, value):
            problems.append(f"The environment variable {name} looks like a secret.")
    for name, value in (config.get("Labels") or {}).items():
        if looks_secret(name, value):
            problems.append(f"The label {name} looks like a secret.")
    for step in history:
        names = [name for name, value in _ASSIGNMENT.findall(step) if looks_secret(name, value)]
        if names or _SECRET_VALUES.search(step):
            problems.append(f"A build step holds what looks like a secret ({', '.join(names) or 'by its form'}).")
    return problems


def looks_secret(name: str, value: str) -> bool:
    """Whether a named value is one that nobody should find in an image."""
    if not value:
        return False
    words = tuple(word.upper() for word in re.split(r"[^A-Za-z0-9]+", name))
    pairs = set(itertools.pairwise(words))
    return bool(_SECRET_NAMES & set(words) or _SECRET_PAIRS & pairs or _SECRET_VALUES.search(value))
