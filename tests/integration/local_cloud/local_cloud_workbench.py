# SPDX-License-Identifier: GPL-3.0-or-later
"""A local cloud with what most tests need to have in it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from local_cloud_images import make_venv, model_tar_gz, push_image
from local_cloud_process import TEST_PYTHON, LocalCloud

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass
class Workbench:
    """A cloud with a role, an image and an artifact in it, and short ways to make the rest."""

    cloud: LocalCloud
    image: str
    role_arn: str
    artifact: str

    @property
    def sagemaker(self) -> Any:
        return self.cloud.client("sagemaker")

    @property
    def runtime(self) -> Any:
        return self.cloud.client("sagemaker-runtime")

    def name(self, prefix: str = "demo") -> str:
        return f"{prefix}-{uuid.uuid4().hex[:8]}"

    def model(self, name: str | None = None, *, artifact: bool = True, **environment: str) -> str:
        name = name or self.name("model")
        container: dict[str, Any] = {"Image": self.image, "Environment": environment}
        if artifact:
            container["ModelDataUrl"] = self.artifact
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=self.role_arn, PrimaryContainer=container)
        return name

    def config(self, model: str, *, instances: int = 0, concurrency: int = 20, name: str | None = None) -> str:
        name = name or self.name("config")
        variant: dict[str, Any] = {"VariantName": "AllTraffic", "ModelName": model}
        if instances:
            variant |= {"InstanceType": "ml.m5.large", "InitialInstanceCount": instances}
        else:
            variant["ServerlessConfig"] = {"MemorySizeInMB": 2048, "MaxConcurrency": concurrency}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def endpoint(self, config: str, name: str | None = None) -> str:
        """An endpoint that is InService."""
        name = name or self.name("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.wait("endpoint_in_service", name)
        return name

    def serving(self, *, instances: int = 0, **environment: str) -> str:
        """An endpoint that serves a model with this environment."""
        return self.endpoint(self.config(self.model(**environment), instances=instances))

    def wait(self, waiter: str, endpoint: str) -> None:
        """One of boto3's own waiters, asking more often than it does on AWS."""
        self.sagemaker.get_waiter(waiter).wait(EndpointName=endpoint, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})

    def describe(self, endpoint: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
        return answer

    def invoke(self, endpoint: str, request: Any = None, **parameters: Any) -> dict[str, Any]:
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=json.dumps(request or {}), **parameters)
        content: dict[str, Any] = json.loads(answer["Body"].read())
        return content


def furnish(cloud: LocalCloud) -> Workbench:
    """Put a role, an image and an artifact into a cloud."""
    make_venv(cloud.venvs, TEST_PYTHON)
    ecr, iam, s3 = cloud.client("ecr"), cloud.client("iam"), cloud.client("s3")
    ecr.create_repository(repositoryName="demo/serving")
    role = iam.create_role(RoleName="execution", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="demo/model.tar.gz", Body=model_tar_gz({"weights.txt": "one"}))
    return Workbench(cloud, push_image(ecr, "demo/serving"), role["Arn"], "s3://models/demo/model.tar.gz")
