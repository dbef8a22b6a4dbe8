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
  - A large archive goes up in parts, each with a SHA-256 that S3 compares. An upload that was broken off is gone on with,
    and uploads of a day ago that nobody ended are ended.
author:
  - modelhost contributors (@modelhost)
options:
  path:
    description:
      - The model directory. All of its files are packed, except hidden ones.
    type: path
    required: true
  build:
    description:
      - The directory for packed archives. An archive is deleted when it has arrived.
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
  digest:
    description:
      - The digest of the directory's content, where it is known. Only then may O(path) be missing in check mode.
    type: str
    default: ""
  progress:
    description:
      - A file for lines about the progress. The action plugin of the same name sets it and shows the lines.
    type: path
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
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact import s3
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.archive import pack
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import (
    ModelDirectoryError,
    content_digest,
    model_files,
    sums_of,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.hub_cache import only_one
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.upload import UploadError, upload_file
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import MEGABYTE, Progress


def deliver(client: Any, root: Path, archive: Path, bucket: str, key: str, progress: Progress) -> None:
    """Packs the directory, uploads the archive and deletes it; one that an interrupted run has packed is taken up."""
    with only_one(archive.parent):
        if not archive.exists():
            sums = sums_of(root, model_files(root))
            count = progress.bytes(f"packing {archive.name}", sum((root / name).stat().st_size for name in sums))
            pack(root, sums, archive, count.add)
        size = archive.stat().st_size
        progress.say(f"uploading {archive.name}: {size / MEGABYTE:.0f} MB to s3://{bucket}/{key}")
        there = upload_file(client, archive, bucket, key, progress.bytes(f"uploading {archive.name}", size).add)
        if there:
            progress.say(f"uploading {archive.name}: {there / MEGABYTE:.0f} MB of it were there from an earlier run")
        archive.unlink()


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "build": {"type": "path", "required": True},
            "bucket": {"type": "str", "required": True},
            "prefix": {"type": "str", "default": "model"},
            "digest": {"type": "str", "default": ""},
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    root, bucket = Path(module.params["path"]), module.params["bucket"]
    try:
        digest = module.params["digest"] or content_digest(sums_of(root, model_files(root)))
        key = f"{module.params['prefix']}/{digest}/model.tar.gz"
        client = _aws.client(module, "s3")
        changed = not s3.has_object(client, bucket, key)
        if changed and not module.check_mode:
            archive = Path(module.params["build"]) / digest / "model.tar.gz"
            deliver(client, root, archive, bucket, key, Progress(module.params["progress"]))
    except (ModelDirectoryError, UploadError, OSError) as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot upload the model to bucket {bucket}")
    url = f"s3://{bucket}/{key}"
    diff = {"before": "", "after": f"{url}\n"}
    module.exit_json(changed=changed, digest=digest, url=url, **({"diff": diff} if changed else {}))


if __name__ == "__main__":
    main()
