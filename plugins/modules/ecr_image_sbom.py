#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an image's software bill of materials beside it in ECR."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image_sbom
version_added: 0.2.0
short_description: Keep the software bill of materials of an image beside it in Amazon ECR
description:
  - Writes the SBOM of an image as CycloneDX 1.6 and pushes it as an OCI artifact that refers to the image by its digest. The
    image and its manifest stay as they are, because SageMaker refuses an image index with attestations.
  - Clients find it by the OCI referrers API, and people by the tag C(sha256-<digest>.sbom).
  - What is in the image comes from the image itself where a Docker engine of this machine has it, the base's packages included.
    Elsewhere it comes from the locked requirements alone. The hashes come from those in either case.
author:
  - modelhost contributors (@modelhost)
requirements:
  - cyclonedx-python-lib
  - docker (the Python SDK)
options:
  repository:
    description:
      - The name of the ECR repository.
    type: str
    required: true
  digest:
    description:
      - The digest of the image.
    type: str
    required: true
  requirements:
    description:
      - The locked requirements files that were installed.
    type: list
    elements: path
    required: true
  platform:
    description:
      - The platform of the image.
    type: str
    required: true
  python:
    description:
      - The Python of the image, which decides what a locked requirement's marker means. Where a Docker engine has the image,
        the image is asked.
    type: str
    default: "3.11"
  name:
    description:
      - The image in the local Docker engine, as C(name:tag). Without it no engine is asked.
    type: str
  properties:
    description:
      - What else to say about the image, such as its base.
    type: dict
    default: {}
  dest:
    description:
      - A file to write the SBOM to as well.
    type: path
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows no diff.
    support: none
  idempotent:
    description: Does nothing where the image has an SBOM, and the file is there.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep the SBOM beside the image
  modelhost.sagemaker.ecr_image_sbom:
    repository: modelhost-prod
    digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    requirements:
      - files/docker/requirements-compiled.txt
    platform: linux/amd64
    dest: build/sbom/0123456789abcdef.cdx.json
"""

RETURN = r"""
digest:
  description: The digest of the artifact's manifest, or null in check mode where there is none yet.
  returned: success
  type: str
  sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
tag:
  description: The tag of the artifact.
  returned: success
  type: str
  sample: sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.sbom
packages:
  description: How many packages the SBOM names, where it was made now.
  returned: when changed
  type: int
  sample: 123
"""

from pathlib import Path
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image import docker_engine, ecr, sbom
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.retention import sbom_tag
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import Progress


def packages_of(parameters: dict[str, Any]) -> tuple[list[sbom.Package], str]:
    """What is in the image, and which of the two sources said so."""
    texts = [Path(path).read_text(encoding="utf-8") for path in parameters["requirements"]]
    locked = [
        package
        for text in texts
        for package in sbom.locked_packages(text, parameters["platform"], parameters["python"])
    ]
    report = docker_engine.run_python(parameters["name"], sbom.INVENTORY) if parameters["name"] else None
    found = sbom.reported_packages(report) if report else []
    return sbom.merged(locked, found), "image" if found else "locked requirements"


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "digest": {"type": "str", "required": True},
            "requirements": {"type": "list", "elements": "path", "required": True},
            "platform": {"type": "str", "required": True},
            "python": {"type": "str", "default": "3.11"},
            "name": {"type": "str"},
            "properties": {"type": "dict", "default": {}},
            "dest": {"type": "path"},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    repository, digest, tag = parameters["repository"], parameters["digest"], sbom_tag(parameters["digest"])
    dest = Path(parameters["dest"]) if parameters["dest"] else None
    client = _aws.client(module, "ecr")
    try:
        there = ecr.image_by_tag(client, repository, tag)
        if there is not None and (dest is None or dest.is_file()):
            module.exit_json(changed=False, digest=there.digest, tag=tag)
        if module.check_mode:
            module.exit_json(changed=True, digest=there.digest if there else None, tag=tag)
        manifest, media_type = ecr.manifest_of(client, repository, digest)
        packages, source = packages_of(parameters)
        properties = {f"modelhost:{key}": str(value) for key, value in parameters["properties"].items()}
        subject = sbom.Subject(
            repository, digest, media_type, len(manifest), {**properties, "modelhost:packages-from": source}
        )
        document = sbom.cyclonedx(subject, packages)
        artifact = sbom.artifact(subject, document)
        if there is None:
            ecr.push(client, repository, artifact, [tag], Progress(None))
        if dest is not None:
            dest.parent.mkdir(parents=True, exist_ok=True)
            dest.write_bytes(document)
    except (OSError, ecr.RegistryError) as error:
        module.fail_json(msg=f"Cannot keep the SBOM of {repository}@{digest}: {error}")
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the SBOM of {repository}@{digest}")
    module.exit_json(changed=True, digest=there.digest if there else artifact.digest, tag=tag, packages=len(packages))


if __name__ == "__main__":
    main()
