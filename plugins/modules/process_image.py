#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack and push the image that stands for a build on a local stage without a Docker engine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: process_image
version_added: 0.1.0
short_description: Push a build context as an image that a local cloud runs as a process
description:
  - Packs a build context into an OCI image, with a model in a layer of its own where one is named, and pushes it to the local cloud's ECR.
  - A local cloud runs it as a process of this machine, in a virtual environment that the image names. AWS cannot run it,
    and the module refuses to push it anywhere but to a loopback address.
author:
  - modelhost contributors (@modelhost)
options:
  path:
    description:
      - The build context.
    type: path
    required: true
  context_digest:
    description:
      - The digest of the context, from M(modelhost.sagemaker.build_context_info).
    type: str
    required: true
  runtime:
    description:
      - What runs the model, which the program is told.
    type: str
    required: true
  model:
    description:
      - The directory of a model that the image brings along. Without it there is none.
    type: path
  venv:
    description:
      - The name of the virtual environment in the local cloud's directory of environments.
    type: str
    required: true
  repository:
    description:
      - The name of the ECR repository.
    type: str
    required: true
  tags:
    description:
      - The tags the image gets.
    type: list
    elements: str
    required: true
  progress:
    description:
      - A file that lines on the progress are appended to. The action plugin of the same name sets it and shows them.
    type: path
attributes:
  check_mode:
    description: Can run in check mode, and gives the digest the image would have.
    support: full
  diff_mode:
    description: Shows the digest before and after.
    support: full
  idempotent:
    description: Pushes only what the repository does not hold under the first tag.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Push the serving image to the local cloud
  modelhost.sagemaker.process_image:
    path: files/docker
    context_digest: "{{ image_context.digest }}"
    runtime: compiled
    venv: 0a1b2c3d4e5f6071
    repository: modelhost-local
    tags:
      - "{{ image_context.tag }}"
      - latest
"""

RETURN = r"""
digest:
  description: The digest of the image's manifest.
  returned: success
  type: str
  sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import ecr
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import (
    MODEL_DIRECTORY,
    ContextError,
    read_context,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.oci import (
    Image,
    context_layer,
    model_layer,
    process_image,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import Progress


def pack(root: Path, parameters: dict[str, Any], model_tar: Path) -> Image:
    """The image of the context, and of the model where there is one, whose layer is written to ``model_tar``."""
    layers = [context_layer(root, read_context(root))]
    environment = {"SERVING_RUNTIME": parameters["runtime"]}
    if parameters["model"]:
        layers.append(model_layer(Path(parameters["model"]), model_tar))
        # Relative to the directory that the process is started in, which is the unpacked image.
        environment["SERVING_MODEL_DIR"] = MODEL_DIRECTORY
    labels = {
        "modelhost.sagemaker.kind": "process",
        "modelhost.sagemaker.context-digest": parameters["context_digest"],
        "modelhost.sagemaker.venv": parameters["venv"],
    }
    return process_image(tuple(layers), labels, environment)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "context_digest": {"type": "str", "required": True},
            "runtime": {"type": "str", "required": True},
            "model": {"type": "path"},
            "venv": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "tags": {"type": "list", "elements": "str", "required": True},
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    root, repository, tags = Path(module.params["path"]), module.params["repository"], module.params["tags"]
    client = _aws.client(module, "ecr")
    if urlsplit(client.meta.endpoint_url).hostname not in ("127.0.0.1", "localhost", "::1"):
        module.fail_json(
            msg=f"A process image can only be pushed to a local cloud, and {client.meta.endpoint_url} is none. "
            "AWS needs an image that Docker built: set image_builder to docker."
        )
    try:
        # A model may have gigabytes: its layer is a file, never whole in memory.
        with tempfile.TemporaryDirectory(prefix="modelhost-") as directory:
            image = pack(root, module.params, Path(directory) / "model.tar")
            there = ecr.image_by_tag(client, repository, tags[0])
            changed = there is None or there.digest != image.digest
            if changed and not module.check_mode:
                ecr.push(client, repository, image, tags, Progress(module.params["progress"]))
    except (ContextError, OSError, ecr.RegistryError) as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot push to repository {repository}")
    diff = {"before": f"{there.digest if there else 'no image'}\n", "after": f"{image.digest}\n"} if changed else None
    module.exit_json(changed=changed, digest=image.digest, **({"diff": diff} if diff else {}))


if __name__ == "__main__":
    main()
