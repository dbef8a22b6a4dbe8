# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares what a variant's containers share (image, model artifact), and starts them one by one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..aws.caller import Caller
from ..iam.execution_role import ExecutionRole
from ..ministack_backend import Ministack
from ..settings import Settings
from .container_log import ContainerLog
from .image import Image, ImageError, find_image
from .image_reference import parse_image_reference
from .model_artifact import copy_model, parse_artifact_url, unpack_model_artifact
from .process_runner import ProcessRunner
from .runner import ContainerSpec, Runner, RunningContainer

if TYPE_CHECKING:
    from .docker_runner import DockerRunner

KEPT_LOGS = 50

logger = logging.getLogger("local_cloud.launcher")


@dataclass(frozen=True)
class VariantSpec:
    """What the containers of one variant are made of. container: a ContainerDefinition of CreateModel."""

    caller: Caller
    endpoint_name: str
    variant_name: str
    container: dict[str, Any]
    execution_role_arn: str

    @property
    def artifact_url(self) -> str | None:
        """Where the model artifact is, or None where there is none."""
        return artifact_url(self.container)

    @property
    def hostname(self) -> str:
        """What AWS calls the container in its messages."""
        name: str = self.container.get("ContainerHostname", "container_1")
        return name


class Launchers:
    """Makes a launcher for each variant of each deployment."""

    def __init__(self, settings: Settings, ministack: Ministack) -> None:
        self.settings = settings
        self.ministack = ministack
        self._process_runner = ProcessRunner(settings, ministack)
        self._docker_runner: DockerRunner | None = None
        self._images: Counter[str] = Counter()

    def images_in_use(self) -> set[str]:
        """The digests ("sha256:...") of the images of every prepared variant."""
        return {digest for digest, count in self._images.items() if count}

    async def prepare(self, spec: VariantSpec) -> Launcher:
        """Look up the image and unpack the artifact. Raises ImageError or ArtifactError."""
        role = self.role_of(spec)
        self._check_permissions(spec, role)
        image = await self.resolve(spec.caller, spec.container["Image"])
        runner = self._runner_for(image)
        directory = self.settings.endpoints_dir / spec.endpoint_name
        directory.mkdir(parents=True, exist_ok=True)
        shared_model = directory / f"model-{uuid.uuid4().hex[:12]}"
        try:
            if url := spec.artifact_url:
                await unpack_model_artifact(self.ministack, spec.caller, url, shared_model, spec.hostname)
            else:
                shared_model.mkdir()
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, shared_model, ignore_errors=True)
            raise
        self._images[image.digest] += 1
        return Launcher(spec, image, runner, directory, shared_model, self)

    def release(self, image: Image) -> None:
        """A variant that was prepared with this image is gone."""
        self._images[image.digest] -= 1

    def role_of(self, spec: VariantSpec) -> ExecutionRole:
        """What a variant's containers may do."""
        return ExecutionRole(spec.execution_role_arn, spec.caller.region, self.settings.enforce_iam)

    def _check_permissions(self, spec: VariantSpec, role: ExecutionRole) -> None:
        image, url = spec.container["Image"], spec.artifact_url
        if reference := parse_image_reference(image, spec.caller, self.settings.port):
            role.check_image(reference.owner, reference.repository, image)
        if url and (place := parse_artifact_url(url)):
            role.check_artifact(*place, url, spec.hostname)

    async def resolve(self, caller: Caller, image: str) -> Image:
        """The image as it is in the local ECR now. Raises ImageError where it is not there."""
        reference = parse_image_reference(image, caller, self.settings.port)
        found = await find_image(self.ministack, reference) if reference else None
        if found is None:
            raise ImageError(f"Requested image {image} not found.")
        return found

    def _runner_for(self, image: Image) -> Runner:
        if image.is_process_image:
            return self._process_runner
        if self.settings.docker_host is None:
            raise ImageError(
                "It is a Docker image, and the local cloud was started without a Docker engine: set DOCKER_HOST and "
                "start it again, or push the image as a process image."
            )
        return self._docker()

    def remove_leftovers(self) -> None:
        """Remove what a killed cloud left on the Docker engine. Blocking; a dead engine is only logged."""
        if self.settings.docker_host is not None and any(self.settings.endpoints_dir.iterdir()):
            try:
                self._docker().remove_leftovers()
            except Exception:
                logger.exception("the Docker engine at %s does not answer", self.settings.docker_host)

    def _docker(self) -> DockerRunner:
        if self._docker_runner is None:
            # Imported only where it is used: the SDK costs 10 MB and a tenth of a second.
            from .docker_runner import DockerRunner

            self._docker_runner = DockerRunner(self.settings)
        return self._docker_runner


class Launcher:
    """Starts the containers of one variant. Each has a directory of its own with its model and its log."""

    def __init__(
        self, spec: VariantSpec, image: Image, runner: Runner, directory: Path, shared_model: Path, parent: Launchers
    ) -> None:
        self.spec = spec
        self.image = image
        self._runner = runner
        self._directory = directory
        self._shared_model = shared_model
        self._parent = parent
        self._role = parent.role_of(spec)
        self._closed = False

    async def launch(self, container_id: str) -> tuple[RunningContainer, ContainerLog]:
        """Start one container. Raises ImageError where it cannot be started."""
        base_dir = self._directory / container_id
        base_dir.mkdir()
        # Where the disk has no hard links, these are gigabytes.
        await asyncio.to_thread(copy_model, self._shared_model, base_dir / "model")
        log = ContainerLog(
            base_dir / "container.log",
            self._parent.ministack,
            self.spec.caller,
            log_group(self.spec.endpoint_name),
            f"{self.spec.variant_name}/{container_id}",
            self._role,
        )
        container = ContainerSpec(
            container_id,
            self.image,
            base_dir,
            self.spec.container.get("Environment") or {},
            platform_environment(self.spec, self._role, self._parent.settings),
        )
        try:
            return await self._runner.start(container, log), log
        except BaseException as error:
            log.write(f"{error}\n".encode())
            await log.close()
            raise

    async def dispose(self, container_id: str) -> None:
        """Remove what a container that is gone left behind, all but its log."""
        await asyncio.to_thread(_dispose, self._directory, container_id)

    async def close(self) -> None:
        """Remove what the variant's containers shared. None of them may be running."""
        if self._closed:
            return
        self._closed = True
        self._parent.release(self.image)
        await asyncio.to_thread(shutil.rmtree, self._shared_model, ignore_errors=True)


def artifact_url(container: dict[str, Any]) -> str | None:
    """Where a ContainerDefinition's model artifact is, or None where it has none."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    url: str | None = container.get("ModelDataUrl") or source.get("S3Uri")
    return url


def log_group(endpoint_name: str) -> str:
    """The CloudWatch Logs group that SageMaker writes an endpoint's containers' output to."""
    return f"/aws/sagemaker/Endpoints/{endpoint_name}"


def platform_environment(spec: VariantSpec, role: ExecutionRole, settings: Settings) -> dict[str, str]:
    """What SageMaker sets in every container, and how the container reaches this cloud instead of AWS."""
    return {
        "AWS_REGION": spec.caller.region,
        "AWS_DEFAULT_REGION": spec.caller.region,
        "SAGEMAKER_REGION": spec.caller.region,
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        **role.environment(spec.caller.account),
    }


def _dispose(directory: Path, container_id: str) -> None:
    base_dir = directory / container_id
    for leftover in base_dir.iterdir() if base_dir.exists() else ():
        if leftover.name != "container.log":
            shutil.rmtree(leftover, ignore_errors=True)
    _forget_old_logs(directory)


def _forget_old_logs(directory: Path) -> None:
    ended = []
    for path in directory.glob("i-*"):
        with contextlib.suppress(OSError):  # another container's tidying may be at it, too
            if [child.name for child in path.iterdir()] == ["container.log"]:
                ended.append((path.stat().st_mtime, path))
    for _, path in sorted(ended)[:-KEPT_LOGS]:
        shutil.rmtree(path, ignore_errors=True)
