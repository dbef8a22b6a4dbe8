#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what a runtime needs of a model under the digest of its content."""

from __future__ import annotations

DOCUMENTATION = r"""
module: model_package
version_added: 0.1.0
short_description: Keep what a runtime needs of a model under the digest of its content
description:
  - Chooses those files of a model directory that a runtime reads and copies them into a directory of their own, which is
    never changed again. V(compiled) needs the graph and the descriptions, V(toolkit) everything but graphs.
  - What is deployed is that copy, so that an edit of the original does not change what a digest stands for.
author:
  - modelhost contributors (@modelhost)
options:
  path:
    description:
      - The model directory.
    type: path
    required: true
  runtime:
    description:
      - What is to serve the model.
    type: str
    choices: [compiled, toolkit]
    required: true
  packages:
    description:
      - The directory for packages.
    type: path
    required: true
  keep:
    description:
      - How many packages are kept, the latest used ones. What was deployed lies in S3 or in an image.
    type: int
    default: 3
  allow_pickled_weights:
    description:
      - Whether a model without safetensors weights is packaged.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode, and gives the digest that the package would have.
    support: full
  diff_mode:
    description: Shows the files of a new package.
    support: full
  idempotent:
    description: A package that is there is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Choose what the compiled runtime reads
  modelhost.sagemaker.model_package:
    path: files/model/distilbert-demo
    runtime: compiled
    packages: build/packages
"""

RETURN = r"""
path:
  description: The directory of the package. In check mode it may not be there yet.
  returned: success
  type: str
  sample: build/packages/6d1f0b2c3d4e5f60718293a4b5c6d7e8
digest:
  description: 32 hexadecimal digits over the names and contents of the files.
  returned: success
  type: str
  sample: 6d1f0b2c3d4e5f60718293a4b5c6d7e8
bytes:
  description: How large the files are together.
  returned: success
  type: int
  sample: 67108864
source:
  description: The C(model_id) and C(commit) of a model that comes from the hub; both empty for another.
  returned: success
  type: dict
  sample: {"model_id": "organisation/name", "commit": "714eb0fa89d2f80546fda750413ed43d93601a13"}
report:
  description: The compiler's report on the graph; empty where there is none.
  returned: success
  type: dict
  sample: {"precision": "int8", "agreement": {"same_label": 1.0, "texts": 500}}
summary:
  description: The report in one or two lines for people; empty for the runtime V(toolkit).
  returned: success
  type: str
  sample: "int8 agrees with the original: same label on 100.00% of 500, scores differ by 0.004 on average and 0.02 at most."
"""

import os
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.compilation import (
    read_report,
    read_source,
    summary,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import (
    ModelDirectoryError,
    content_digest,
    files_for,
    model_files,
    sums_of,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.hub_cache import only_one


def make(root: Path, sums: dict[str, str], destination: Path) -> None:
    """Copies the files, completely or not at all; what was changed meanwhile is noticed."""
    unfinished = destination.with_name(f".{destination.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in sums:
        target = unfinished / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    if sums_of(unfinished, [Path(name) for name in sums]) != sums:
        shutil.rmtree(unfinished)
        raise ModelDirectoryError(f"{root} was changed while it was packaged. Deploy again when it is at rest.")
    unfinished.rename(destination)


def forget(packages: Path, keep: int) -> None:
    """Removes the packages that were not used for the longest time."""
    there = [path for path in packages.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for path in sorted(there, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "runtime": {"type": "str", "choices": ["compiled", "toolkit"], "required": True},
            "packages": {"type": "path", "required": True},
            "keep": {"type": "int", "default": 3},
            "allow_pickled_weights": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params, root = module.params, Path(module.params["path"])
    try:
        files = files_for(params["runtime"], model_files(root), params["allow_pickled_weights"])
        sums = sums_of(root, files)
        digest = content_digest(sums)
        package = Path(params["packages"]) / digest
        report = read_report(root) if params["runtime"] == "compiled" else {}
        size = sum((root / path).stat().st_size for path in files)
        changed = not package.is_dir()
        if not module.check_mode:
            with only_one(package):
                changed = not package.is_dir()
                if changed:
                    make(root, sums, package)
                os.utime(package)
                forget(package.parent, max(1, params["keep"]))
    except ModelDirectoryError as error:
        module.fail_json(msg=f"{root} cannot be served: {error}")
    except OSError as error:
        module.fail_json(msg=f"{root} cannot be packaged: {error}")
    diff = {"before": "", "after": "".join(f"{name}\n" for name in sorted(sums))}
    module.exit_json(
        changed=changed,
        path=str(package),
        digest=digest,
        bytes=size,
        source=read_source(root),
        report=report,
        summary=summary(report) if params["runtime"] == "compiled" else "",
        **({"diff": diff} if changed else {}),
    )


if __name__ == "__main__":
    main()
