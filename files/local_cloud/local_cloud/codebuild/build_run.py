# SPDX-License-Identifier: GPL-3.0-or-later
"""One build on its way through its phases.

Source: CodeBuild's user guide, "Build phase transitions".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
import zipfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..containers.container_log import ContainerLog
from ..iam.execution_role import ExecutionRole
from ..ministack_backend import Ministack
from ..settings import Settings
from ..store import Document
from .build_record import FAILED, SUCCEEDED, begin_phase, complete, end_phase, log_place
from .buildspec import COMMAND_PHASES, DEFAULT_FILE, Buildspec, BuildspecError, is_inline, parse
from .commands import run_script
from .environment import environment_of, furnish
from .phase_script import DIRECTORY, failed_command, phase_script
from .project_rules import trusts_codebuild

logger = logging.getLogger("local_cloud.codebuild")

TIMED_OUT, STOPPED, FAULT = "TIMED_OUT", "STOPPED", "FAULT"


class PhaseFailed(Exception):
    """A phase failed. code, message: its context, in CodeBuild's words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BuildRun:
    """Runs a build to its end. save: keeps the build, after every change of it.

    place: awaited for the right to run, since a machine runs few builds at a time.
    """

    def __init__(
        self,
        settings: Settings,
        ministack: Ministack,
        caller: Caller,
        build: Document,
        place: asyncio.Semaphore,
        save: Callable[[Document], None],
    ) -> None:
        self.build = build
        self._settings = settings
        self._ministack = ministack
        self._caller = caller
        self._place = place
        self._save = save
        unique = build["id"].rpartition(":")[2]
        self._role = ExecutionRole(build["serviceRole"], caller.region, settings.enforce_iam, f"AWSCodeBuild-{unique}")
        self._directory = settings.builds_dir / unique
        self._log: ContainerLog | None = None
        self._buildspec = Buildspec()
        self._ending = FAULT

    def ends_as(self, status: str) -> None:
        """What the build's status is to be when it is cancelled."""
        self._ending = status

    async def run(self) -> None:
        """Run the build; its status is in its record then, whatever happened."""
        status = FAULT
        try:
            self._end_phase(SUCCEEDED)
            self._begin("QUEUED")
            async with self._place:
                self._end_phase(SUCCEEDED)
                async with asyncio.timeout(self.build["timeoutInMinutes"] * 60):
                    status = await self._phases()
        except asyncio.CancelledError:
            status = self._ending
        except TimeoutError:
            status = TIMED_OUT
            minutes = self.build["timeoutInMinutes"]
            self._end_phase(TIMED_OUT, "BUILD_TIMED_OUT", f"Build has timed out. It may take {minutes} minutes.")
        except Exception:
            logger.exception("build %s", self.build["id"])
        finally:
            # Whoever sees the build complete finds its whole log, and none of its files.
            if self._log is not None:
                await self._log.close()
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)
            complete(self.build, status, _now())
            self._save(self.build)

    async def _phases(self) -> str:
        """Go through the phases up to FINALIZING; the status that the build ends with."""
        succeeded = False
        with contextlib.suppress(PhaseFailed):
            await self._phase("PROVISIONING", self._provision)
            await self._phase("DOWNLOAD_SOURCE", self._download)
            succeeded = await self._commands(self._buildspec)
        self._begin("FINALIZING")
        self._end_phase(SUCCEEDED)
        return SUCCEEDED if succeeded else FAILED

    async def _commands(self, buildspec: Buildspec) -> bool:
        """The phases with commands. A build that has come to BUILD goes on to POST_BUILD and UPLOAD_ARTIFACTS."""
        environment = environment_of(
            self._settings,
            self.build,
            self._directory,
            buildspec.variables,
            self._role.environment(self._caller.account),
            self._caller.region,
        )
        succeeded = True
        for name in COMMAND_PHASES:
            try:
                await self._phase(name.upper(), partial(self._run, buildspec, name, environment, succeeded))
            except PhaseFailed:
                succeeded = False
                if name in ("install", "pre_build") and not buildspec.phases[name].goes_on:
                    return False
        self._begin("UPLOAD_ARTIFACTS")
        self._end_phase(SUCCEEDED)
        return succeeded

    async def _phase(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do a phase's work. Raises PhaseFailed, once the phase is recorded as failed."""
        self._begin(name)
        self._say(f"Entering phase {name}")
        try:
            await work()
        except PhaseFailed as failure:
            self._end_phase(FAILED, failure.code, failure.message)
            self._say(f"Phase complete: {name} State: FAILED")
            self._say(f"Phase context status code: {failure.code} Message: {failure.message}")
            raise
        self._end_phase(SUCCEEDED)
        self._say(f"Phase complete: {name} State: SUCCEEDED")

    async def _provision(self) -> None:
        role, build = self.build["serviceRole"], self.build
        if not trusts_codebuild(await self._ministack.role_trust_policy(role)):
            raise PhaseFailed("ACCESS_DENIED", f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}")
        furnish(self._settings, self._directory)
        group, stream = log_place(build)
        if group:
            self._check_log(group, stream)
            self._log = ContainerLog(self._directory / "build.log", self._ministack, self._caller, group, stream)
        if build["environment"].get("privilegedMode") and not self._settings.docker_host:
            raise PhaseFailed(
                "CLIENT_ERROR",
                "This build is privileged, so it needs a Docker engine, and the local cloud was started without one. "
                "Start Docker, or point DOCKER_HOST at an engine, and start the local cloud again.",
            )

    def _check_log(self, group: str, stream: str) -> None:
        # The words: hyperswitch-cdk #37.
        arn = self._caller.arn("logs", f"log-group:{group}:log-stream:{stream}")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if denial := self._role.denial(action, arn):
                raise PhaseFailed(
                    "ACCESS_DENIED",
                    f"Service role {self.build['serviceRole']} does not allow AWS CodeBuild to create Amazon "
                    f"CloudWatch Logs log streams for build {self.build['arn']}. Error message: {denial}",
                )

    async def _download(self) -> None:
        source = self._directory / "src"
        if self.build["source"]["type"] == "S3":
            await self._download_zip(self.build["source"]["location"], source)
        (self._directory / "state" / DIRECTORY).write_text(f"{source}\n")
        try:
            self._buildspec = parse(self._buildspec_text(source))
        except BuildspecError as error:
            raise PhaseFailed("YAML_FILE_ERROR", str(error)) from error

    async def _download_zip(self, location: str, target: Path) -> None:
        bucket, _, key = location.removeprefix("arn:aws:s3:::").partition("/")
        if denial := self._role.denial("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"):
            raise PhaseFailed("CLIENT_ERROR", f"AccessDenied: {denial} for primary source")
        archive = self._directory / "source.zip"
        try:
            await self._ministack.download_object(self._caller, bucket, key, archive)
            await asyncio.to_thread(_unzip, archive, target)
        except AwsError as error:
            raise PhaseFailed("CLIENT_ERROR", f"{error.code}: {error.message} for primary source") from error
        except zipfile.BadZipFile as error:
            raise PhaseFailed("CLIENT_ERROR", f"{location} is no zip archive: {error} for primary source") from error
        finally:
            archive.unlink(missing_ok=True)

    def _buildspec_text(self, source: Path) -> str:
        buildspec = self.build["source"].get("buildspec") or DEFAULT_FILE
        if is_inline(buildspec):
            return str(buildspec)
        try:
            return (source / buildspec).read_text()
        except OSError:
            raise PhaseFailed("YAML_FILE_ERROR", f"YAML file does not exist: {buildspec}") from None

    async def _run(self, buildspec: Buildspec, name: str, environment: dict[str, str], succeeding: bool) -> None:
        phase = buildspec.phases[name]
        try:
            await self._run_commands(buildspec.shell, phase.commands, environment, succeeding)
        finally:
            await self._run_commands(buildspec.shell, phase.finally_commands, environment, succeeding)

    async def _run_commands(
        self, shell: str, commands: tuple[str, ...], environment: dict[str, str], succeeding: bool
    ) -> None:
        if not commands:
            return
        state = self._directory / "state"
        script = state / "script.sh"
        script.write_text(phase_script(commands, state, succeeding=succeeding))
        status = await run_script(shell, script, environment, self._directory, self._write)
        if status:
            command = failed_command(commands, state)
            raise PhaseFailed(
                "COMMAND_EXECUTION_ERROR", f"Error while executing command: {command}. Reason: exit status {status}"
            )

    def _begin(self, name: str) -> None:
        begin_phase(self.build, name, _now())
        self._save(self.build)

    def _end_phase(self, status: str, code: str = "", message: str = "") -> None:
        end_phase(self.build, status, _now(), code, message)
        self._save(self.build)

    def _say(self, text: str) -> None:
        self._write(f"[Container] {time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime())} {text}\n".encode())

    def _write(self, output: bytes) -> None:
        if self._log is not None:
            self._log.write(output)


def _unzip(archive: Path, target: Path) -> None:
    """Unpack a zip with the modes that it has for its files."""
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = Path(packed.extract(entry, target))
            mode = entry.external_attr >> 16 & 0o777
            if mode and path.is_file():
                path.chmod(mode)


def _now() -> float:
    return round(time.time(), 3)
