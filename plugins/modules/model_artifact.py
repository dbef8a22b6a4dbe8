#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack a model directory and upload it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_artifact
version_added: 0.1.0
short_description: Pack a model directory as a model.tar.gz and upload it to S3
description:
  - Packs a model in Hugging Face format into the archive that SageMaker unpacks for the container, and uploads it under a
    key that holds the digest of its content. The same model is never packed or uploaded twice.
author:
  - modelhost contributors (@modelhost)
options:
  path:
    description:
      - The model directory.
    type: path
    required: true
  build:
    description:
      - The directory for packed archives.
    type: path
    required: true
  bucket:
    description:
      - The bucket.
    type: str
    required: true
  prefix:
    description:
      - What the key starts with. The key is C(<prefix>/<digest>/model.tar.gz).
    type: str
    default: model
attributes:
  check_mode:
    description: Can run in check mode, and gives the URL the artifact would have.
    support: full
  diff_mode:
    description: Shows the URL before and after.
    support: full
  idempotent:
    description: A model that is there already costs one reading call.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Upload the demonstration model
  modelhost.sagemaker.model_artifact:
    path: files/model/distilbert-demo
    build: build/model
    bucket: modelhost-prod-123456789012-eu-central-1
"""

RETURN = r"""
digest:
  description: 32 hexadecimal digits over the names and contents of the files.
  returned: success
  type: str
  sample: 6d1f0b2c3d4e5f60718293a4b5c6d7e8
url:
  description: Where the artifact lies.
  returned: success
  type: str
  sample: s3://modelhost-prod-123456789012-eu-central-1/model/6d1f0b2c3d4e5f60718293a4b5c6d7e8/model.tar.gz
"""

from pathlib import Path

try:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact import s3
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.archive import (
    ModelDirectoryError,
    content_digest,
    model_files,
    pack,
)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "build": {"type": "path", "required": True},
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": "model"},
        },
        supports_check_mode=True,
    )
    root, bucket = Path(module.params["path"]), module.params["bucket"]
    try:
        files = model_files(root)
        digest = content_digest(root, files)
        key = f"{module.params['prefix']}/{digest}/model.tar.gz"
        client = _aws.client(module, "s3")
        changed = not s3.has_object(client, bucket, key)
        if changed and not module.check_mode:
            archive = Path(module.params["build"]) / digest / "model.tar.gz"
            if not archive.exists():
                pack(root, files, archive)
            s3.upload(client, str(archive), bucket, key)
    except (ModelDirectoryError, S3UploadFailedError, OSError) as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot upload the model to bucket {bucket}")
    url = f"s3://{bucket}/{key}"
    diff = {"before": "", "after": f"{url}\n"}
    module.exit_json(changed=changed, digest=digest, url=url, **({"diff": diff} if changed else {}))


if __name__ == "__main__":
    main()
