# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that CodeBuild runs to build and push an image. Pure.

They are the same for every build of a project: what differs is in environment variables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

#: Where an image comes from and goes to: registry, repository, tag, platform and the Dockerfile's name.
PLACE_VARIABLES = ("IMAGE_REGISTRY", "IMAGE_REPOSITORY", "IMAGE_TAG", "IMAGE_PLATFORM", "IMAGE_DOCKERFILE")

_NAME = '"$IMAGE_REGISTRY/$IMAGE_REPOSITORY:{}"'
_LOGIN = (
    'aws ecr get-login-password --region "$AWS_REGION" | docker login --username AWS --password-stdin "$IMAGE_REGISTRY"'
)


def buildspec(
    build_args: Mapping[str, str], labels: Mapping[str, str], more_tags: Sequence[str] = (), network: str = ""
) -> str:
    """The buildspec's text, which is JSON, and so YAML as well.

    Of ``build_args`` and ``labels`` only the names are in it, and which values are empty. ``more_tags`` are set next to
    that in IMAGE_TAG; ``network`` is that of the RUN steps, Docker's own default where it is empty.
    """
    names = [_NAME.format(tag) for tag in ("$IMAGE_TAG", *more_tags)]
    document = {
        "version": 0.2,
        "phases": {
            "pre_build": {"commands": [_LOGIN]},
            # A push belongs to the same phase: POST_BUILD runs after a failed BUILD, too.
            "build": {
                "commands": [_build(build_args, labels, names, network), *(f"docker push {name}" for name in names)]
            },
        },
    }
    return json.dumps(document, indent=2)


def label_variables(labels: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that hold the labels' values."""
    return {f"IMAGE_LABEL_{number}": labels[name] for number, name in enumerate(sorted(labels), start=1)}


def _build(build_args: Mapping[str, str], labels: Mapping[str, str], names: Sequence[str], network: str) -> str:
    options = [
        '--platform "$IMAGE_PLATFORM"',
        '--file "$IMAGE_DOCKERFILE"',
        # Attestations would make an image index of the image, which SageMaker refuses.
        "--provenance=false",
        "--sbom=false",
        # Where the default builder keeps images to itself.
        "--load",
    ]
    if network:
        options.append(f"--network {network}")
    # Without a value, Docker takes the one of the environment variable of that name. CodeBuild has no empty ones.
    options += [f"--build-arg {name}" if build_args[name] else f"--build-arg {name}=" for name in sorted(build_args)]
    options += [
        f'--label "{name}=${variable}"' for name, variable in zip(sorted(labels), label_variables(labels), strict=True)
    ]
    options += [f"--tag {name}" for name in names]
    return " ".join(["docker buildx build", *options, "."])
