#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push a local Docker image to Amazon ECR."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image_push
version_added: 0.1.0
short_description: Push an image from the local Docker engine to Amazon ECR
description:
  - Tags a local image for the repository, pushes it, and gives the digest that ECR has for it.
  - The password for the registry lives in this module's memory alone. No C(docker login) is left behind in a file, and
    nothing shows in a process list.
  - C(community.docker.docker_image_push) inspects before it pushes, so its digest and its C(changed) can be those of an
    earlier image. Here both come from ECR, after the push.
author:
  - modelhost contributors (@modelhost)
requirements:
  - docker (the Python SDK) and a Docker engine
options:
  name:
    description:
      - The local image, as C(name:tag).
    type: str
    required: true
  repository:
    description:
      - The name of the ECR repository.
    type: str
    required: true
  registry:
    description:
      - The host to push to. The default is the host of the account's registry; a local cloud has an address of its own.
    type: str
  tags:
    description:
      - The tags the image gets. The first one decides whether it is there already.
    type: list
    elements: str
    required: true
  progress:
    description:
      - A file that lines on the progress are appended to. The action plugin of the same name sets it and shows them.
    type: path
attributes:
  check_mode:
    description: Can run in check mode. The digest of an image that was never pushed is not known then.
    support: full
  diff_mode:
    description: Shows the digest before and after.
    support: full
  idempotent:
    description: Not idempotent by itself, because a registry learns the digest by the push. Ask M(modelhost.sagemaker.ecr_image_info) first.
    support: none
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Push the serving image
  modelhost.sagemaker.ecr_image_push:
    name: modelhost-prod:context-7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
    repository: modelhost-prod
    tags:
      - context-7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
      - latest
"""

RETURN = r"""
digest:
  description: The digest ECR has for the image, or null in check mode.
  returned: success
  type: str
  sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""

import base64

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import docker_engine, ecr
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import Progress


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "registry": {"type": "str"},
            "tags": {"type": "list", "elements": "str", "required": True},
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    repository, tags = module.params["repository"], module.params["tags"]
    client = _aws.client(module, "ecr")
    try:
        before = ecr.image_by_tag(client, repository, tags[0])
        if module.check_mode:
            module.exit_json(changed=True, digest=None)
        token = client.get_authorization_token()["authorizationData"][0]
        user, password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)
        registry = module.params["registry"] or token["proxyEndpoint"].split("://", 1)[-1]
        progress = Progress(module.params["progress"])
        docker_engine.push(module.params["name"], f"{registry}/{repository}", tags, user, password, progress)
        after = ecr.image_by_tag(client, repository, tags[0])
    except docker_engine.DockerError as error:
        module.fail_json(msg=f"Cannot push {module.params['name']} to repository {repository}: {error}")
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot push to repository {repository}")
    if after is None:
        module.fail_json(msg=f"The push ended without an error, yet repository {repository} has no image {tags[0]}.")
    changed = before is None or before.digest != after.digest
    module.exit_json(
        changed=changed,
        digest=after.digest,
        diff={"before": f"{before.digest if before else 'no image'}\n", "after": f"{after.digest}\n"},
    )


if __name__ == "__main__":
    main()
