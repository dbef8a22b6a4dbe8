# SPDX-License-Identifier: GPL-3.0-or-later
"""What the conformance tests talk to: an AWS, be it the local cloud or moto, with a role, an image and an artifact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_cloud_process import free_port
from local_cloud_workbench import TRUST

ACCOUNT, REGION = "000000000000", "us-east-1"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"


@dataclass
class Target:
    """An AWS. Its clients neither check parameters nor try twice, so that a test sees what the service says."""

    url: str
    image: str
    role_arn: str
    artifact: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, max_pool_connections=16),
            )
        return self._clients[service]

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def name(self, prefix: str = "c") -> str:
        return f"{prefix}-{uuid.uuid4().hex[:10]}"

    def create_model(self, name: str, **changes: Any) -> Any:
        """CreateModel with what it needs, and `changes` to it; None leaves a parameter out."""
        parameters = {
            "ModelName": name,
            "ExecutionRoleArn": self.role_arn,
            "PrimaryContainer": {"Image": self.image, "ModelDataUrl": self.artifact},
            **changes,
        }
        return self.sagemaker.create_model(**{key: value for key, value in parameters.items() if value is not None})

    def model(self, name: str | None = None, **changes: Any) -> str:
        name = name or self.name("model")
        self.create_model(name, **changes)
        return name

    def create_config(self, name: str, *variants: dict[str, Any], **more: Any) -> Any:
        return self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants), **more)

    def config(self, *variants: dict[str, Any], name: str | None = None, **more: Any) -> str:
        name = name or self.name("config")
        self.create_config(name, *variants, **more)
        return name

    def endpoint(self, config: str, name: str | None = None, **more: Any) -> str:
        """An endpoint that is InService."""
        name = name or self.name("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        self.wait(name)
        return name

    def wait(self, endpoint: str, waiter: str = "endpoint_in_service") -> None:
        """One of boto3's own waiters, asking more often than it does on AWS."""
        self.sagemaker.get_waiter(waiter).wait(EndpointName=endpoint, WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})

    def describe(self, endpoint: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
        return answer


def instances(model: str, name: str = "AllTraffic", count: int = 1, **more: Any) -> dict[str, Any]:
    """A production variant of instances."""
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": count,
        **more,
    }


def serverless(model: str, name: str = "AllTraffic", memory: int = 1024, concurrency: int = 5, **more: Any) -> Any:
    """A serverless production variant; `more` goes into its ServerlessConfig."""
    limits = {"MemorySizeInMB": memory, "MaxConcurrency": concurrency, **more}
    return {"VariantName": name, "ModelName": model, "ServerlessConfig": limits}


def refusal(call: Any, code: str = "ValidationException") -> str:
    """The message of the ClientError that a call has to raise, with this code and, as these all have, status 400."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(response["Error"].get("Message", ""))


class MotoServer:
    """moto's server as a process of its own, on the Python that runs the tests."""

    def __init__(self) -> None:
        self.port = free_port()
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        environment = {**os.environ, "MOTO_ACCOUNT_ID": ACCOUNT}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(argv, env=environment, **quiet)

    def target(self) -> Target:
        """Wait until it answers, and furnish it. moto does not look whether an image or an artifact is there."""
        url = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/data.json").read()
                break
            except OSError:
                assert self._process.poll() is None, "moto's server ended"
                assert time.monotonic() < deadline, "moto's server does not answer"
                time.sleep(0.1)
        image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/demo/serving:latest"
        target = Target(url, image, "", "s3://models/demo/model.tar.gz")
        role = target.client("iam").create_role(RoleName="execution", AssumeRolePolicyDocument=json.dumps(TRUST))[
            "Role"
        ]
        target.role_arn = role["Arn"]
        return target

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
