# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that talks to a Docker engine, through Docker's own Python SDK."""

from __future__ import annotations

import docker
from docker.errors import DockerException


class DockerError(Exception):
    """The engine refused, or does not answer; the message carries its words."""


def push(local_name: str, repository: str, tags: list[str], user: str, password: str) -> None:
    """Pushes a local image to ``repository`` (host and name, without a tag) under each of the tags.

    Raises DockerError where the engine or the registry refuses.
    """
    try:
        client = docker.from_env(timeout=600)
        image = client.images.get(local_name)
        for tag in tags:
            image.tag(repository, tag)
            auth = {"username": user, "password": password}
            for line in client.api.push(repository, tag=tag, auth_config=auth, stream=True, decode=True):
                if "error" in line:
                    raise DockerError(line["error"])
    except DockerException as error:
        raise DockerError(str(error)) from error
