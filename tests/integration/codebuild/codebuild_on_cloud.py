# SPDX-License-Identifier: GPL-3.0-or-later
"""The module codebuild_image on a local cloud, run by ansible-playbook as a role runs it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from local_cloud_process import LocalCloud

ROOT = Path(__file__).parents[3]
ACCOUNT, REGION = "000000000000", "us-east-1"
REPOSITORY, CONTEXTS, ROLE_NAME, LOG_GROUP = "serving", "contexts", "builder", "/aws/codebuild/tests"


@dataclass(frozen=True)
class Run:
    """What a playbook of one task printed, and the task's result."""

    output: str
    result: dict[str, Any]
    writes: list[str]


@dataclass
class Stage:
    """A build context below a directory of the test's own, and a project with a name of its own."""

    cloud: LocalCloud
    directory: Path
    name: str = field(default_factory=lambda: f"stage-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        self.context = self.directory / "context"
        self.context.mkdir()
        self.write("Dockerfile.serve", f"FROM scratch\nLABEL name={self.name}\n")

    def write(self, name: str, text: str) -> None:
        (self.context / name).write_text(text)

    @property
    def digest(self) -> str:
        content = sorted((path.name, path.read_text()) for path in self.context.iterdir())
        return hashlib.sha256(json.dumps([self.name, content]).encode()).hexdigest()

    @property
    def tag(self) -> str:
        return f"context-{self.digest[:32]}"

    def options(self, **changes: Any) -> dict[str, Any]:
        wanted = {
            "name": self.name,
            "context": str(self.context),
            "context_digest": self.digest,
            "pack_directory": str(self.directory / "packed"),
            "bucket": CONTEXTS,
            "prefix": f"codebuild/{self.name}",
            "repository": REPOSITORY,
            "registry": f"127.0.0.1:{self.cloud.port}",
            "image_tags": [self.tag, f"latest-{self.name}"],
            "dockerfile": "Dockerfile.serve",
            "build_args": {"RUNTIME": "compiled", "EXTRA_INDEX_URL": ""},
            "labels": {"org.opencontainers.image.title": "two words"},
            "service_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}",
            "log_group": LOG_GROUP,
            "poll_interval": 0.2,
            "tags": {"modelhost:stage": self.name},
        }
        return {**wanted, **changes}

    def build(self, *arguments: str, fails: bool = False, **changes: Any) -> Run:
        return self.run(self.options(**changes), *arguments, fails=fails)

    def remove(self, *arguments: str) -> Run:
        absent = {"name": self.name, "state": "absent", "bucket": CONTEXTS, "prefix": f"codebuild/{self.name}"}
        return self.run(absent, *arguments)

    def run(self, options: dict[str, Any], *arguments: str, fails: bool = False) -> Run:
        before = self.cloud.get("/_local_cloud/calls?since=0")["next"]
        result = self.directory / "result.json"
        result.unlink(missing_ok=True)
        done = subprocess.run(
            self._command(options, result, *arguments), env=_environment(), cwd=self.directory,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output
        calls = self.cloud.get(f"/_local_cloud/calls?since={before}")["calls"]
        writes = [call["operation"] for call in calls if call["access"] == "write"]
        return Run(output, json.loads(result.read_text()), writes)

    def break_off(self, at: str) -> str:
        """Start the build and press Ctrl-C when C(at) is printed; what was printed until the end."""
        command = self._command(self.options(), self.directory / "result.json")
        process = subprocess.Popen(
            command, env=_environment(), cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert process.stdout
        printed = ""
        for line in process.stdout:
            printed += line
            if at in line:
                break
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                printed += process.communicate(timeout=10)[0]
        return printed

    def builds(self) -> list[str]:
        return self.cloud.client("codebuild").list_builds_for_project(projectName=self.name)["ids"]

    def keys(self) -> list[str]:
        found = self.cloud.client("s3").list_objects_v2(Bucket=CONTEXTS, Prefix=f"codebuild/{self.name}/")
        return [item["Key"] for item in found.get("Contents", [])]

    def image_digest(self) -> str:
        details = self.cloud.client("ecr").describe_images(
            repositoryName=REPOSITORY, imageIds=[{"imageTag": self.tag}]
        )["imageDetails"]
        return str(details[0]["imageDigest"])

    def log(self, build_id: str) -> str:
        stream = build_id.partition(":")[2]
        events = self.cloud.client("logs").get_log_events(
            logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True
        )["events"]
        return "\n".join(event["message"] for event in events)

    def _command(self, options: dict[str, Any], result: Path, *arguments: str) -> list[str]:
        connection = {"region": REGION, "access_key": ACCOUNT, "secret_key": "none", "endpoint_url": self.cloud.url}
        tasks = [
            {
                "name": "Build",
                "modelhost.sagemaker.codebuild_image": options,
                "register": "outcome", "ignore_errors": True,
            },
            {
                "name": "Keep the result",
                "ansible.builtin.copy": {"content": "{{ outcome | to_json }}", "dest": str(result), "mode": "0600"},
                "check_mode": False, "diff": False,
            },
            {"name": "End as it did", "ansible.builtin.assert": {"that": "outcome is not failed", "quiet": True}},
        ]  # fmt: skip
        play = {
            "hosts": "stage", "gather_facts": False, "tasks": tasks,
            "module_defaults": {"group/modelhost.sagemaker.aws": connection},
        }  # fmt: skip
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        (self.directory / "ansible.cfg").write_text("[defaults]\n")
        (self.directory / "hosts.yml").write_text(yaml.safe_dump({"stage": {"hosts": {"localhost": host}}}))
        (self.directory / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        return [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml", *arguments]


def lines_of(output: str, pattern: str) -> list[str]:
    """The lines of an output that match a pattern."""
    return [line for line in output.splitlines() if re.search(pattern, line)]


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
    return kept | {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
