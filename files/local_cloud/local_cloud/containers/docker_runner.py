# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a Docker image as SageMaker does, on the Docker engine of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from ..ecr.tokens import docker_credentials
from ..settings import BIND_HOST, Settings
from .image import ImageError
from .runner import STOP_GRACE_SECONDS, ContainerSpec, LogSink

CONTAINER_PORT = 8080
# Names the cloud that started a container, so that its next start can remove what a killed one left behind.
LABEL_HOME = "modelhost.sagemaker.local-cloud.home"
_ENGINE_SECONDS = 120

logger = logging.getLogger("local_cloud.docker")


class DockerRunner:
    """Starts containers with their port on 127.0.0.1, and the model read-only where SageMaker puts it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = docker.DockerClient(base_url=settings.docker_host, timeout=_ENGINE_SECONDS)

    async def start(self, spec: ContainerSpec, log: LogSink) -> RunningDockerContainer:
        """Pull the image from the local ECR where the engine has it not, and start it with `serve`."""
        (spec.base_dir / "model").mkdir(exist_ok=True)
        try:
            container = await asyncio.to_thread(self._run, spec)
            port = await asyncio.to_thread(_published_port, container)
        except DockerException as error:
            raise ImageError(f"The Docker engine refused the image: {error}") from error
        return RunningDockerContainer(container, port, log)

    def remove_leftovers(self) -> None:
        """Remove the containers that an earlier run of this cloud left behind. Blocking."""
        filters = {"label": f"{LABEL_HOME}={self._settings.home}"}
        for container in self._client.containers.list(all=True, filters=filters):
            logger.warning("removing the container %s that an earlier run left behind", container.name)
            with contextlib.suppress(NotFound):
                container.remove(force=True, v=True)

    def _run(self, spec: ContainerSpec) -> Any:
        registry = f"{BIND_HOST}:{self._settings.port}"
        image = f"{registry}/{spec.image.reference.repository}@{spec.image.digest}"
        try:
            self._client.images.get(image)
        except ImageNotFound:
            credentials = docker_credentials(self._settings, spec.image.reference.owner)
            self._client.images.pull(image, auth_config=credentials)
        return self._client.containers.run(
            image,
            ["serve"],
            name=f"modelhost-{spec.container_id}",
            detach=True,
            environment={
                **self._settings.network,
                **spec.environment,
                **spec.platform_environment,
                "AWS_ENDPOINT_URL": f"http://host.docker.internal:{self._settings.port}",
                "SAGEMAKER_BIND_TO_PORT": str(CONTAINER_PORT),
            },
            extra_hosts={"host.docker.internal": "host-gateway"},
            labels={LABEL_HOME: str(self._settings.home)},
            ports={f"{CONTAINER_PORT}/tcp": (BIND_HOST, None)},
            volumes={str(spec.base_dir / "model"): {"bind": "/opt/ml/model", "mode": "ro"}},
        )


class RunningDockerContainer:
    """A started container. Two threads of its own follow it: one its output, one its end."""

    def __init__(self, container: Any, port: int, log: LogSink) -> None:
        self.port = port
        self.pid = None
        self.docker_id: str = container.id
        self._container = container
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._written: asyncio.Future[None] = self._loop.create_future()
        for follow in (self._follow_output, self._follow_end):
            threading.Thread(target=follow, daemon=True, name=f"{container.name}-{follow.__name__}").start()

    async def wait(self) -> int:
        """Return the exit status, once the container has ended and all it wrote is in the log."""
        status = await asyncio.shield(self._ended)
        await asyncio.shield(self._written)
        return status

    async def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """SIGTERM, SIGKILL after `grace` seconds, and remove the container."""
        with contextlib.suppress(NotFound, APIError):
            await asyncio.to_thread(self._container.stop, timeout=int(grace))
        await self.wait()
        with contextlib.suppress(NotFound, APIError):
            await asyncio.to_thread(self._container.remove, force=True, v=True)

    async def kill(self) -> None:
        """SIGKILL."""
        with contextlib.suppress(NotFound, APIError):
            await asyncio.to_thread(self._container.kill)

    def _follow_output(self) -> None:
        with contextlib.suppress(DockerException):
            for chunk in self._container.logs(stream=True, follow=True):
                self._in_loop(self._log.write, chunk)
        self._in_loop(_resolve, self._written, None)

    def _follow_end(self) -> None:
        try:
            status = int(self._container.wait(timeout=None)["StatusCode"])
        except Exception:  # removed by somebody else, or the engine is gone: either way it serves no more
            status = -1
        self._in_loop(_resolve, self._ended, status)

    def _in_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the cloud's loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)


def _resolve(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _published_port(container: Any) -> int:
    container.reload()
    bindings = container.ports.get(f"{CONTAINER_PORT}/tcp")
    if not bindings:  # it has ended already; what it wrote says why
        return 1
    return int(bindings[0]["HostPort"])
