# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud of the tests' own, an endpoint on it with a model of a few lines, and the role `demo_api` to run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACCOUNT = "000000000000"
REGION = "us-east-1"
VENV = "0" * 16
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    url: str
    venvs: Path

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="stage-has-no-secret",
        )

    def calls(self, since: int) -> tuple[list[dict[str, Any]], int]:
        """The calls answered after the given number, and the number to ask with next."""
        with urllib.request.urlopen(f"{self.url}/_local_cloud/calls?since={since}") as response:
            answer = json.load(response)
        return answer["calls"], answer["next"]

    def writes_of(self, action: Callable[[], object]) -> list[str]:
        """Run the action and return the writing operations that the cloud answered meanwhile."""
        _, before = self.calls(0)
        action()
        calls, _ = self.calls(before)
        return [call["operation"] for call in calls if call["access"] == "write"]


@dataclass(frozen=True)
class Run:
    """The outcome of a playbook."""

    returncode: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks reported a change."""
        return int(re.findall(r"changed=(\d+)", self.output)[-1])

    @property
    def url(self) -> str:
        """The URL that the playbook printed last."""
        return re.findall(r"demo_api_url: ['\"]?([^'\"\s]*)", self.output)[-1]


@dataclass
class Stage:
    """A stage with nothing but the role `demo_api`."""

    cloud: Cloud
    directory: Path
    name: str
    variables: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    @property
    def api_name(self) -> str:
        return f"modelhost-{self.name}-demo"

    def run(self, tasks_from: str = "main", *arguments: str, ok: bool = True, **variables: Any) -> Run:
        """Run the role's tasks; fail the test where the playbook fails and `ok` is not False."""
        keys = {"modelhost:project": "modelhost", "modelhost:stage": self.name}
        play = {
            "hosts": "stage",
            "gather_facts": False,
            "vars": {
                "stage_name": self.name,
                "stage_project": "modelhost",
                "stage_region": REGION,
                "stage_account_id": ACCOUNT,
                "stage_root": str(ROOT),
                "stage_tags": {**keys, "team": "x"},
                **self.variables,
                **variables,
            },
            "module_defaults": {
                "group/modelhost.sagemaker.aws": {
                    "endpoint_url": self.cloud.url,
                    "region": REGION,
                    "access_key": ACCOUNT,
                    "secret_key": "stage-has-no-secret",
                }
            },
            "tasks": [
                {
                    "name": "Run the role",
                    "ansible.builtin.import_role": {"name": "modelhost.sagemaker.demo_api", "tasks_from": tasks_from},
                },
                {
                    "name": "Show the URL",
                    "ansible.builtin.debug": {"var": "demo_api_url"},
                    "when": "demo_api_url is defined",
                },
            ],
        }
        playbook = self.directory / "playbook.yml"
        playbook.write_text(yaml.safe_dump([play], sort_keys=False))
        return self.play(playbook, *arguments, ok=ok)

    def module(self, module: str, ok: bool = True, **options: Any) -> Run:
        """Run one module of the collection against the cloud, with its result printed."""
        aws = {
            "endpoint_url": self.cloud.url,
            "region": REGION,
            "access_key": ACCOUNT,
            "secret_key": "stage-has-no-secret",
        }
        task = {"name": "Run the module", f"modelhost.sagemaker.{module}": {**aws, **options}}
        playbook = self.directory / "module.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "stage", "gather_facts": False, "tasks": [task]}]))
        return self.play(playbook, "-v", ok=ok)

    def play(self, playbook: Path, *arguments: str, ok: bool) -> Run:
        inventory = self.directory / "hosts.yml"
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory.write_text(yaml.safe_dump({"stage": {"hosts": {"localhost": host}}}))
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))},
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), str(playbook), *arguments]
        done = subprocess.run(command, env=environment, cwd=self.directory, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        if ok:
            assert done.returncode == 0, output
        return Run(done.returncode, output)

    def deploy(self, *arguments: str, **variables: Any) -> Run:
        return self.run("main", *arguments, **variables)

    def writes(self, tasks_from: str = "main", *arguments: str, **variables: Any) -> list[str]:
        """The writing calls of a run."""
        return self.cloud.writes_of(lambda: self.run(tasks_from, *arguments, **variables))


@dataclass(frozen=True)
class Answer:
    """An HTTP response; header names are in small letters."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def document(self) -> Any:
        return json.loads(self.text)


def _post(url: str, body: bytes | str, headers: dict[str, str] | None = None) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, headers=headers or {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return Answer(response.status, _lower(response.headers), response.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, _lower(error.headers), error.read().decode())


def _lower(headers: Any) -> dict[str, str]:
    return {key.lower(): value for key, value in headers.items()}


@pytest.fixture(scope="session")
def post() -> Callable[..., Answer]:
    """Post a body to a URL: `post(url, body, headers=None)`."""
    return _post


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud on a port of its own, stopped at the end."""
    home = tmp_path_factory.mktemp("cloud")
    venvs = home / "venvs"
    (venvs / VENV).mkdir(parents=True)
    (venvs / VENV / ".complete").touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(os.environ.get("DEMO_API_TEST_PORT", "0"))))
        port = probe.getsockname()[1]
    place = ["--home", str(home / "home"), "--port", str(port)]
    command = [sys.executable, "-m", "local_cloud"]
    directory = ROOT / "files" / "local_cloud"
    subprocess.run([*command, "start", *place, "--venvs", str(venvs)], cwd=directory, check=True)
    try:
        yield Cloud(f"http://127.0.0.1:{port}", venvs)
    finally:
        subprocess.run([*command, "stop", *place], cwd=directory, check=True)


@pytest.fixture(scope="session")
def endpoint(cloud: Cloud) -> str:
    """The name of an endpoint that serves the stub model."""
    return _deploy_stub_model(cloud)


@pytest.fixture
def stage(cloud: Cloud, endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> Stage:
    """A stage with a name of the test's own, so that tests share the cloud and nothing on it."""
    name = "t" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:10]
    return Stage(cloud, tmp_path, name, {"demo_api_endpoint_name": endpoint})


@pytest.fixture(scope="module")
def deployed(cloud: Cloud, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A deployed stage for the tests of a file that only call it."""
    name = "d" + hashlib.sha256(str(tmp_path_factory.getbasetemp()).encode()).hexdigest()[:10]
    stage = Stage(cloud, tmp_path_factory.mktemp("stage"), name, {"demo_api_endpoint_name": endpoint})
    stage.url = stage.deploy().url
    yield stage
    stage.run("absent")


@pytest.fixture
def source(stage: Stage) -> Path:
    """A copy of the Lambda's source that a test may change; the stage deploys it."""
    root = stage.directory / "checkout"
    shutil.copytree(ROOT / "files" / "lambda", root / "files" / "lambda", ignore=shutil.ignore_patterns("__pycache__"))
    stage.variables["stage_root"] = str(root)
    return root / "files" / "lambda"


def _deploy_stub_model(cloud: Cloud) -> str:
    """Push the stub model as a process image and serve it, with boto3 alone: the role's own tasks are not used."""
    name = "demo-api-stub-model"
    image = _push_process_image(cloud, name)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": image})
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5},
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return name


def _push_process_image(cloud: Cloud, name: str) -> str:
    ecr = cloud.client("ecr")
    repository = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(Path(__file__).parent / "stub_model" / "stub_model.py", "stub_model.py")
    labels = {"modelhost.sagemaker.kind": "process", "modelhost.sagemaker.venv": VENV}
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": labels, "Cmd": [sys.executable, "stub_model.py"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(buffer.getvalue())]},
    }
    config_bytes = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _push_blob(ecr, name, CONFIG, config_bytes),
        "layers": [_push_blob(ecr, name, LAYER, buffer.getvalue())],
    }
    text = json.dumps(manifest)
    pushed = ecr.put_image(repositoryName=name, imageManifest=text, imageManifestMediaType=MANIFEST)
    return f"{repository}@{pushed['image']['imageId']['imageDigest']}"


def _push_blob(ecr: Any, name: str, media_type: str, content: bytes) -> dict[str, Any]:
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=len(content) - 1,
        layerPartBlob=content,
    )
    ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[_digest(content)])
    return {"mediaType": media_type, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
