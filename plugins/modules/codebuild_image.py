#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have AWS CodeBuild build an image and push it to ECR."""

from __future__ import annotations

DOCUMENTATION = r"""
module: codebuild_image
version_added: 0.1.0
short_description: Build an image with AWS CodeBuild and push it to ECR
description:
  - Uploads a build context to S3, has a CodeBuild project build it with Docker and push the image, and waits for that. No
    Docker is needed where this runs.
  - An image that the repository has already is not built again. A build of the same context that runs already, from an
    interrupted run or of somebody else, is waited for instead of started twice.
  - Shows how far packing, uploading and building have come, and on failure the phase, its reason and the end of the log.
author:
  - modelhost contributors (@modelhost)
options:
  name:
    description:
      - The name of the CodeBuild project. It is made, or brought to what is asked for, before a build.
    type: str
    required: true
  state:
    description:
      - With V(absent) a running build is stopped, and the project, the records of its builds and the uploaded contexts are
        deleted.
    type: str
    choices: [present, absent]
    default: present
  context:
    description:
      - The directory to build from. All of its files are uploaded. Needed where O(state=present).
    type: path
  context_digest:
    description:
      - The digest of the context and of all that decides the image, from M(modelhost.sagemaker.build_context_info). Needed
        where O(state=present).
    type: str
  pack_directory:
    description:
      - The directory for packed contexts. One is deleted when it has arrived. Needed where O(state=present).
    type: path
  bucket:
    description:
      - The S3 bucket for contexts.
    type: str
    required: true
  prefix:
    description:
      - What the keys of contexts start with. Everything below it belongs to this project.
    type: str
    default: codebuild
  repository:
    description:
      - The name of the ECR repository. Needed where O(state=present).
    type: str
  registry:
    description:
      - The host of the registry, where it is not the one ECR names.
    type: str
  image_tags:
    description:
      - The tags the image gets. The first is the context's own, by which an image is known to be there. Needed where
        O(state=present).
    type: list
    elements: str
  dockerfile:
    description:
      - The name of the Dockerfile inside the context.
    type: str
    default: Dockerfile
  platform:
    description:
      - What the image is for. It is built on a machine of the same kind.
    type: str
    choices: [linux/amd64, linux/arm64]
    default: linux/amd64
  build_args:
    description:
      - The build arguments. They can be read in the build's description, so no secret belongs here.
    type: dict
    default: {}
  labels:
    description:
      - The image's labels.
    type: dict
    default: {}
  network:
    description:
      - The network of the build's RUN steps; Docker's own default where it is not given.
    type: str
  service_role_arn:
    description:
      - The role that the build acts as. Needed where O(state=present).
    type: str
  compute_type:
    description:
      - The size of the machine that builds.
    type: str
    choices:
      - BUILD_GENERAL1_SMALL
      - BUILD_GENERAL1_MEDIUM
      - BUILD_GENERAL1_LARGE
      - BUILD_GENERAL1_XLARGE
      - BUILD_GENERAL1_2XLARGE
    default: BUILD_GENERAL1_MEDIUM
  timeout_minutes:
    description:
      - How long a build may take, from 5 to 2160 minutes.
    type: int
    default: 60
  log_group:
    description:
      - The log group of the builds. Needed where O(state=present).
    type: str
  poll_interval:
    description:
      - How often to look at the build, in seconds.
    type: float
    default: 10
  tags:
    description:
      - All tags of the project.
    type: dict
    default: {}
  progress:
    description:
      - A file for lines about the progress. The action plugin of the same name sets it and shows the lines.
    type: path
attributes:
  check_mode:
    description: Can run in check mode, and makes the same plan.
    support: full
  diff_mode:
    description: Shows project and image before and after.
    support: full
  idempotent:
    description: Where the repository has the image, a second run makes reading calls alone.
    support: full
  action_group:
    description: Use C(group/modelhost.sagemaker.aws) in C(module_defaults) to set region and credentials once.
    support: full
    membership:
      - modelhost.sagemaker.aws
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Build the serving image without Docker
  modelhost.sagemaker.codebuild_image:
    name: modelhost-prod
    context: build/images/7f0c1a0b5d3e4c62
    context_digest: "{{ image_context.digest }}"
    pack_directory: build/codebuild
    bucket: modelhost-prod-123456789012-eu-central-1
    repository: modelhost-prod
    image_tags:
      - "{{ image_context.tag }}"
      - latest
    dockerfile: Dockerfile.serve
    service_role_arn: arn:aws:iam::123456789012:role/modelhost-prod-build
    log_group: /aws/codebuild/modelhost-prod

- name: Remove the project and what was uploaded for it
  modelhost.sagemaker.codebuild_image:
    name: modelhost-prod
    state: absent
    bucket: modelhost-prod-123456789012-eu-central-1
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one sentence for each call that writes.
  returned: success
  type: list
  elements: str
  sample:
    - create project modelhost-prod
    - upload the build context (1.2 MB) to s3://modelhost-prod-123456789012-eu-central-1/codebuild/7f0c1a0b5d3e4c62.zip
    - start a build of modelhost-prod:context-7f0c1a0b5d3e4c62a1f98d1f0b2c3d4e
digest:
  description: The digest of the image, empty in check mode where it is not built yet.
  returned: when O(state=present)
  type: str
  sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
build_id:
  description: The build that was waited for, empty where none had to be.
  returned: when O(state=present)
  type: str
  sample: modelhost-prod:2ca46003-a831-47ae-81a5-bd502eceed80
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

# AnsibleAWSModule says what is missing.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _steps
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.aws import ALL, CodeBuildClient
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.failure import failure_text
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.model import (
    COMPUTE_TYPES,
    ENVIRONMENTS,
    QUEUED_TIMEOUT_MINUTES,
    Found,
    FoundBuild,
    InvalidBuild,
    Wanted,
    wanted,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.package import (
    InvalidContext,
    context_bytes,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.plan import (
    describe_found,
    describe_wanted,
    plan_absent,
    plan_present,
    plan_sweep,
    running_build,
    starts_again,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._codebuild.wait import (
    BuildLost,
    Patience,
    until_complete,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.upload import UploadError
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import MEGABYTE, Progress

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "context": {"type": "path"},
    "context_digest": {"type": "str"},
    "pack_directory": {"type": "path"},
    "bucket": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": "codebuild"},
    "repository": {"type": "str"},
    "registry": {"type": "str"},
    "image_tags": {"type": "list", "elements": "str"},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "platform": {"type": "str", "choices": list(ENVIRONMENTS), "default": "linux/amd64"},
    "build_args": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
    "network": {"type": "str"},
    "service_role_arn": {"type": "str"},
    "compute_type": {"type": "str", "choices": list(COMPUTE_TYPES), "default": "BUILD_GENERAL1_MEDIUM"},
    "timeout_minutes": {"type": "int", "default": 60},
    "log_group": {"type": "str"},
    "poll_interval": {"type": "float", "default": 10},
    "tags": {"type": "dict", "default": {}},
    "progress": {"type": "path"},
}
_NEEDED = ["context", "context_digest", "pack_directory", "repository", "image_tags", "service_role_arn", "log_group"]
# A fresh role is refused for a minute at most; a build that is refused so ends within a quarter of that.
_STARTS = 5
# CodeBuild ends a build itself; this is for what comes on top of its own limits.
_SLACK_MINUTES = 10


class BuildFailed(Exception):
    """A build ended without an image; the message is for people."""


class Builder:
    """Reads, plans and applies; the sentences of all plans so far are in C(plan)."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._module, self._params = module, module.params
        self._progress = Progress(self._params["progress"])
        self._client = CodeBuildClient(module, Path(self._params["pack_directory"] or "."), self._progress)
        self.plan: list[str] = []

    def present(self) -> dict[str, Any]:
        """Have the image built where it is not there; return the result of the module."""
        params = self._params
        registry = params["registry"] or self._client.registry(params["repository"])
        request = wanted(params, registry)
        found = self._find(request)
        diff = {"before": describe_found(found), "after": describe_wanted(request, found)}
        steps = self._plan_build(request, found)
        running = running_build(request.build, found)
        changed = bool(steps or running)
        build_id = running.id if running else ""
        if changed and not self._module.check_mode:
            build = self._build(request, found)
            build_id, digest = build.id, self._digest(request, build)
            self._apply(plan_sweep(params["bucket"], self._find(request)))
        else:
            self.plan += [step.sentence for step in steps]
            digest = found.image_digest
        return {"changed": changed, "digest": digest, "build_id": build_id, **({"diff": diff} if changed else {})}

    def absent(self) -> dict[str, Any]:
        """Remove all that builds have made, but the images; return the result of the module."""
        params = self._params
        found = self._client.find(params["name"], params["bucket"], params["prefix"], latest=ALL)
        steps = plan_absent(params["name"], params["bucket"], found)
        self._apply(steps)
        diff = {"before": describe_found(found), "after": {}}
        return {"changed": bool(steps), **({"diff": diff} if steps else {})}

    def _find(self, request: Wanted) -> Found:
        params = self._params
        found = self._client.find(params["name"], params["bucket"], params["prefix"])
        digest = self._client.image_digest(request.build.repository, request.build.tag)
        return Found(found.project, digest, found.builds, found.keys)

    def _plan_build(self, request: Wanted, found: Found) -> list[_steps.Step]:
        root = Path(request.build.upload.path)
        # In check mode the context may not have been put together yet.
        unknown = self._module.check_mode and not root.is_dir()
        return plan_present(request, found, "" if unknown else f"{context_bytes(root) / MEGABYTE:.1f} MB")

    def _build(self, request: Wanted, found: Found) -> FoundBuild:
        """Start or adopt a build and wait for its end; raise `BuildFailed` where it has made no image."""
        for _start in range(_STARTS):
            running = running_build(request.build, found)
            if running:
                self._progress.say(f"build {running.id} of this context runs already; waiting for it")
                build_id = running.id
            else:
                build_id = self._apply(self._plan_build(request, found))["build"]["id"]
            build = self._wait(build_id)
            found = self._find(request)
            if build.status == "SUCCEEDED" or not starts_again(build, found.project):
                break
            self._progress.say("the service role is too new for CodeBuild; starting the build again")
        if build.status != "SUCCEEDED":
            raise BuildFailed(failure_text(build, self._client.log_tail(build)))
        return build

    def _wait(self, build_id: str) -> FoundBuild:
        minutes = self._params["timeout_minutes"] + QUEUED_TIMEOUT_MINUTES + _SLACK_MINUTES
        return until_complete(
            build_id,
            self._client.build,
            lambda build: "".join(self._client.log_tail(build, 1)),
            self._progress.say,
            Patience(timeout=minutes * 60.0, interval=max(0.2, self._params["poll_interval"])),
        )

    def _digest(self, request: Wanted, build: FoundBuild) -> str:
        digest = self._client.image_digest(request.build.repository, request.build.tag)
        if not digest:
            raise BuildFailed(
                f"Build {build.id} succeeded, yet repository {request.build.repository} has no image "
                f"{request.build.tag}. Somebody may have deleted it; deploy again."
            )
        return digest

    def _apply(self, steps: list[_steps.Step]) -> dict[str, Any]:
        self.plan += [step.sentence for step in steps]
        if self._module.check_mode:
            return {}
        for step in steps:
            if step.service == "codebuild" or step.operation == "upload":
                self._progress.say(step.sentence)
        return _steps.run(steps, self._client.call, (ClientError, BotoCoreError))


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", _NEEDED)],
        supports_check_mode=True,
    )
    try:
        builder = Builder(module)
        output = builder.present() if module.params["state"] == "present" else builder.absent()
    except (InvalidBuild, InvalidContext, BuildFailed, BuildLost, UploadError, OSError) as error:
        module.fail_json(msg=str(error))
    except _steps.StepFailed as error:
        module.fail_json_aws(error.error, msg=str(error), plan_done=[step.sentence for step in error.done])
    except (ClientError, BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"Cannot read CodeBuild project {module.params['name']}")
    module.exit_json(plan=builder.plan, **output)


if __name__ == "__main__":
    main()
