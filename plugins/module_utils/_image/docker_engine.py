# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to a Docker engine, through Docker's own Python SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import docker
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import ByteCount, Progress
from docker.errors import DockerException


class DockerError(Exception):
    """The engine refused, or does not answer; the message carries its words."""


def push(local_name: str, repository: str, tags: list[str], user: str, password: str, progress: Progress) -> None:
    """Pushes a local image to ``repository`` (host and name, without a tag) under each of the tags.

    Raises DockerError where the engine or the registry refuses.
    """
    try:
        client = docker.from_env(timeout=600)
        image = client.images.get(local_name)
        for tag in tags:
            image.tag(repository, tag)
            auth = {"username": user, "password": password}
            _follow(client.api.push(repository, tag=tag, auth_config=auth, stream=True, decode=True), tag, progress)
    except DockerException as error:
        raise DockerError(str(error)) from error


def base_digest(name: str) -> str:
    """The digest that a base image's name stands for now, ``sha256:<64 hex>``; "" where nobody can tell.

    The registry is asked before the engine, whose image of that name may be an older one.
    """
    if "@" in name:
        return name.rsplit("@", 1)[-1]
    try:
        client = docker.from_env()
        try:
            return str(client.images.get_registry_data(name).id)
        except DockerException:
            known = client.images.get(name).attrs.get("RepoDigests") or [""]
            return str(known[0]).rpartition("@")[-1]
    except DockerException:
        return ""


def run_python(name: str, program: str) -> str | None:
    """What a Python program prints inside a local image; None where the image is not here or cannot run here."""
    try:
        output: bytes = docker.from_env(timeout=300).containers.run(
            name, ["python", "-c", program], network_mode="none", remove=True
        )
    except DockerException:
        return None
    return output.decode()


def _follow(lines: Iterable[Mapping[str, Any]], tag: str, progress: Progress) -> None:
    """Says how far a push is, from what the engine reports of each layer. Raises DockerError where it reports one."""
    layers: dict[str, tuple[int, int]] = {}
    count: ByteCount | None = None
    for line in lines:
        if "error" in line:
            raise DockerError(str(line["error"]))
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Pushing" and detail.get("total"):
            layers[str(line.get("id"))] = (int(detail.get("current", 0)), int(detail["total"]))
            total = sum(size for _done, size in layers.values())
            count = count or progress.bytes(f"pushing {tag}", total)
            # An engine reports more bytes than a layer has where it counts the archive around it.
            count.reach(sum(min(layer) for layer in layers.values()), total)
