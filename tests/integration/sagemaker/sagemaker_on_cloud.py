# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a local cloud, run the way a playbook runs it, and as a program of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import ClientError
from local_cloud_images import model_tar_gz

ROOT = Path(__file__).parents[3]

ACCOUNT = "000000000000"
REGION = "us-east-1"
SECRET = "stage-has-no-secret"
CONNECTION = {"region": REGION, "access_key": ACCOUNT, "secret_key": SECRET}


@dataclass(frozen=True)
class Cloud:
    """A running local cloud with a role, an image and an artifact to serve."""

    url: str
    role: str = ""
    image: str = ""

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key=SECRET,
        )

    @property
    def call_count(self) -> int:
        with urllib.request.urlopen(f"{self.url}/_local_cloud/calls?since=0") as response:
            return int(json.load(response)["next"])

    def calls_since(self, number: int) -> list[tuple[str, str]]:
        """(access, operation) of the calls answered since, without the data plane's."""
        with urllib.request.urlopen(f"{self.url}/_local_cloud/calls?since={number}") as response:
            calls = json.load(response)["calls"]
        return [(call["access"], call["operation"]) for call in calls if call["access"] != "data"]


@dataclass(frozen=True)
class Run:
    """The outcome of a playbook of one task."""

    output: str
    result: dict[str, Any]
    calls: list[tuple[str, str]]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))

    @property
    def message(self) -> str:
        """What the person is told of a failure."""
        return str(self.result.get("msg", ""))

    def operations(self, access: str) -> list[str]:
        return [operation for kind, operation in self.calls if kind == access]


@dataclass
class Endpoint:
    """An endpoint with a name of the test's own, and the options it is deployed with."""

    cloud: Cloud
    directory: Path
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def wanted(self, generation: str = "1", memory_size_mb: int = 2048, **options: Any) -> dict[str, Any]:
        """The module's options; more of C(environment) is added to what is there."""
        environment = {"GENERATION": generation, **options.pop("environment", {})}
        return {
            "name": self.name,
            "model": {
                "image": self.cloud.image,
                "execution_role_arn": self.cloud.role,
                "environment": environment,
                **options.pop("model", {}),
            },
            "production_variants": [{"serverless": {"memory_size_mb": memory_size_mb, "max_concurrency": 5}}],
            "tags": {"modelhost:stage": self.name, "Cost-Center": "42"},
            "poll_interval": 1,
            "wait_timeout": 600,
            **options,
        }

    def deploy(self, *arguments: str, generation: str = "1", fails: bool = False, **options: Any) -> Run:
        """Deploy; a run that ends otherwise than C(fails) says fails the test with its output."""
        wanted = self.wanted(generation, **options)
        return self.task(*arguments, module="sagemaker_endpoint", options=wanted, fails=fails)

    def remove(self, *arguments: str) -> Run:
        options = {"name": self.name, "state": "absent", "poll_interval": 1}
        return self.task(*arguments, module="sagemaker_endpoint", options=options)

    def roll_back(self, *arguments: str) -> Run:
        options = {"name": self.name, "state": "rolled_back", "poll_interval": 1}
        return self.task(*arguments, module="sagemaker_endpoint", options=options)

    def deploy_plainly(self, **options: Any) -> dict[str, Any]:
        """Run the module as a program, without its action plugin."""
        connection = {"endpoint_url": self.cloud.url, **CONNECTION}
        arguments = self.directory / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**self.wanted(**options), **connection}}))
        module = "ansible_collections.modelhost.sagemaker.plugins.modules.sagemaker_endpoint"
        done = subprocess.run(
            [sys.executable, "-m", module, str(arguments)],
            env=ansible_environment() | {"PYTHONPATH": str(ROOT / "collections")},
            capture_output=True,
            text=True,
            check=False,
        )
        return json.loads(done.stdout)

    def info(self, **options: Any) -> dict[str, Any]:
        return self.task(module="sagemaker_endpoint_info", options={"name": self.name, **options}).result

    def task(self, *arguments: str, module: str, options: dict[str, Any], fails: bool = False) -> Run:
        """Run one task; region, endpoint and credentials come through C(module_defaults) alone."""
        result = self.directory / "result.json"
        result.unlink(missing_ok=True)
        defaults = {"group/modelhost.sagemaker.aws": {"endpoint_url": self.cloud.url, **CONNECTION}}
        tasks = [
            {
                "name": "Run the module",
                f"modelhost.sagemaker.{module}": options,
                "register": "outcome",
                "ignore_errors": True,
            },
            {
                "name": "Keep its result",
                "ansible.builtin.copy": {"content": "{{ outcome | to_json }}", "dest": str(result), "mode": "0600"},
                "check_mode": False,
                "diff": False,
            },
            {
                "name": "Fail as it did",
                "ansible.builtin.assert": {"that": "outcome is not failed", "quiet": True},
            },
        ]
        play = {"hosts": "stage", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
        playbook = self.directory / "playbook.yml"
        playbook.write_text(yaml.safe_dump([play], sort_keys=False))
        before = self.cloud.call_count
        done = _ansible(self.directory, playbook, *arguments)
        calls = self.cloud.calls_since(before)
        found = json.loads(result.read_text()) if result.exists() else {}
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output
        return Run(output, found, calls)

    def describe(self) -> dict[str, Any]:
        return self.cloud.client("sagemaker").describe_endpoint(EndpointName=self.name)

    def answer(self) -> dict[str, Any]:
        """What the model answers; the stand-in tells its environment."""
        runtime = self.cloud.client("sagemaker-runtime")
        body = runtime.invoke_endpoint(EndpointName=self.name, ContentType="application/json", Body=b"{}")["Body"]
        return json.loads(body.read())

    def listed(self, operation: str, key: str) -> list[str]:
        """The names of what is left of this endpoint's Models or EndpointConfigs."""
        found = getattr(self.cloud.client("sagemaker"), operation)(NameContains=self.name)
        return [item[key] for item in found[operation.removeprefix("list_").title().replace("_", "")]]

    @contextmanager
    def asked_without_pause(self) -> Iterator[list[str]]:
        """Ask the endpoint all the time; the list holds what each request ended with."""
        endings: list[str] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                try:
                    endings.append(str(self.answer()["generation"]))
                except ClientError as error:
                    endings.append(str(error))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            yield endings
        finally:
            done.set()
            asking.join()


def _ansible(directory: Path, playbook: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inventory = directory / "hosts.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (directory / "ansible.cfg").write_text("[defaults]\n")
    inventory.write_text(yaml.safe_dump({"stage": {"hosts": {"localhost": host}}}))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(playbook), *arguments]
    return subprocess.run(
        command, env=ansible_environment(), cwd=directory, capture_output=True, text=True, check=False
    )


def ansible_environment() -> dict[str, str]:
    """The environment without anything that could lead a run to another AWS or another checkout."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
    return kept | {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }


def replace_artifact(cloud: Cloud, url: str) -> None:
    """Put other content under the same URL."""
    bucket, key = re.fullmatch(r"s3://([^/]+)/(.+)", url).groups()  # type: ignore[union-attr]
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=model_tar_gz({"weights.txt": "second"}))
