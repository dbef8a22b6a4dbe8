# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented policies as IAM users of a local cloud, and which of their actions a run made use of."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from stage_project import REPOSITORY, Project

# Calls whose action has another name (Service Authorization Reference, "Amazon S3").
S3_ACTIONS = {
    "HeadBucket": ["ListBucket"],
    "HeadObject": ["GetObject"],
    "ListObjectVersions": ["ListBucketVersions"],
    "DeleteObjects": ["DeleteObject", "DeleteObjectVersion"],
    "GetPublicAccessBlock": ["GetBucketPublicAccessBlock"],
    "PutPublicAccessBlock": ["PutBucketPublicAccessBlock"],
    "CreateMultipartUpload": ["PutObject"],
    "UploadPart": ["PutObject"],
    "CompleteMultipartUpload": ["PutObject"],
    "ListMultipartUploads": ["ListBucketMultipartUploads"],
    "ListParts": ["ListMultipartUploadParts"],
    "ListObjectsV2": ["ListBucket"],
}
# Services whose actions begin with another name than they sign with.
PREFIXES = {"tagging": "tag", "monitoring": "cloudwatch"}
# API Gateway's actions are HTTP's methods.
API_GATEWAY_METHODS = {
    "Get": "GET",
    "Create": "POST",
    "Tag": "POST",
    "Update": "PATCH",
    "Delete": "DELETE",
    "Untag": "DELETE",
}
# What a call needs besides its own action: every resource is made with tags.
DEPENDENT = {
    "sagemaker:CreateModel": ["iam:PassRole", "sagemaker:AddTags"],
    "codebuild:CreateProject": ["iam:PassRole"],
    "lambda:CreateFunction": ["iam:PassRole", "lambda:TagResource"],
    "ecr:CreateRepository": ["ecr:TagResource"],
    "logs:CreateLogGroup": ["logs:TagResource"],
    "iam:CreateRole": ["iam:TagRole"],
    "apigateway:CreateApi": ["apigateway:TagResource"],
    "application-autoscaling:RegisterScalableTarget": [
        "iam:CreateServiceLinkedRole",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
    ],
}


@dataclass(frozen=True)
class User:
    """An IAM user with an access key."""

    arn: str
    access_key: str
    secret_key: str

    def client(self, project: Project, service: str) -> Any:
        """A boto3 client that signs as this user."""
        return boto3.client(
            service,
            endpoint_url=project.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What signs a run as this user."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}


def start_cloud(project: Project, stage: str) -> None:
    """Starts the local cloud of a stage before it is deployed, as a person does who makes users in it first.

    By the command itself where that can be: a check, which starts it too, takes longer.
    """
    venvs = REPOSITORY / ".local_cloud" / "venvs"
    requirements = (project.root / "files" / "local_cloud" / "requirements.txt").read_bytes()
    venv = venvs / f"cloud-{hashlib.sha256(requirements).hexdigest()[:16]}"
    if not (venv / ".complete").exists():
        project.play("deploy", stage, "--check")
        return
    home = project.root / ".local_cloud" / str(project.port)
    arguments = ["--home", home, "--port", project.port, "--venvs", venvs, "--enforce-iam"]
    subprocess.run(
        [str(each) for each in (venv / "bin" / "python", "-m", "local_cloud", "start", *arguments)],
        cwd=project.root / "files" / "local_cloud", check=True, capture_output=True, text=True,
    )  # fmt: skip


def new_user(project: Project, name: str, policies: Path, *documents: str) -> User:
    """A user with these of the filled-in documents."""
    iam = project.client("iam")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    for document in documents:
        text = (policies / f"{document}.json").read_text()
        policy = iam.create_policy(PolicyName=f"{name}-{document}", PolicyDocument=text)["Policy"]["Arn"]
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return User(arn, key["AccessKeyId"], key["SecretAccessKey"])


def demo_url(project: Project) -> str:
    """Where the only API of the cloud answers."""
    (api,) = project.client("apigatewayv2").get_apis()["Items"]
    return f"{project.endpoint_url}/_aws/execute-api/{api['ApiId']}/demo"


def actions_of(calls: Iterable[dict[str, Any]], user: User) -> set[str]:
    """The actions that a user's calls needed."""
    used: set[str] = set()
    for call in calls:
        if call["access_key"] == user.access_key:
            used |= _actions(call["service"], call["operation"])
    return used


def actions_in(policies: Path, document: str) -> set[str]:
    """The actions that a policy allows."""
    found: set[str] = set()
    for statement in json.loads((policies / f"{document}.json").read_text())["Statement"]:
        actions = statement["Action"]
        found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def denied(calls: Iterable[dict[str, Any]]) -> list[str]:
    """The calls that were refused for want of a permission or of a good signature."""
    return [
        f"{call['service']}:{call['operation']} {call['error']}"
        for call in calls
        if call["error"] and ("AccessDenied" in call["error"] or call["status"] == 403)
    ]


def _actions(service: str, operation: str) -> set[str]:
    more = set(DEPENDENT.get(f"{service}:{operation}", ()))
    if service == "s3":
        return more | {f"s3:{action}" for action in S3_ACTIONS.get(operation, [operation])}
    if service == "apigateway":
        verb = next(verb for verb in API_GATEWAY_METHODS if operation.startswith(verb))
        return more | {f"apigateway:{API_GATEWAY_METHODS[verb]}"}
    return more | {f"{PREFIXES.get(service, service)}:{operation}"}
