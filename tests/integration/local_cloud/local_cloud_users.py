# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM users and roles of a local cloud that enforces permissions, and clients that sign as them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from local_cloud_process import LocalCloud

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class Refusal:
    """How AWS refused a call."""

    code: str
    status: int
    message: str


@dataclass(frozen=True)
class Identity:
    """Somebody with keys."""

    cloud: LocalCloud
    arn: str
    access_key: str
    secret_key: str
    session_token: str | None = None

    def client(self, service: str, **changes: Any) -> Any:
        """A client that never tries twice. `changes` replace arguments of boto3.client."""
        arguments: dict[str, Any] = {
            "endpoint_url": self.cloud.url,
            "region_name": REGION,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token,
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return boto3.client(service, **{**arguments, **changes})


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Mapping[str, Any]) -> dict[str, Any]:
    """A statement of a policy. condition: by operator."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def deny(action: str | list[str], resource: str | list[str] = "*") -> dict[str, Any]:
    return {**allow(action, resource), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def new_user(cloud: LocalCloud, *statements: dict[str, Any]) -> Identity:
    """An IAM user with these statements as its one policy."""
    iam, name = cloud.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Identity(cloud, arn, key["AccessKeyId"], key["SecretAccessKey"])


def new_role(cloud: LocalCloud, *statements: dict[str, Any], trusts: Mapping[str, str]) -> str:
    """The name of a role with these statements as its one policy, which `trusts` may assume."""
    iam, name = cloud.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": dict(trusts), "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=document(*statements))
    return name


def assume(cloud: LocalCloud, role: str) -> Identity:
    """A session of a role that trusts the account."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    answer = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")
    keys = answer["Credentials"]
    return Identity(
        cloud, answer["AssumedRoleUser"]["Arn"], keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
    )


def refusal(call: Any, **parameters: Any) -> Refusal | None:
    """How a call is refused; None where it is not."""
    try:
        call(**parameters)
    except ClientError as error:
        answer = error.response
        return Refusal(
            answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]
        )
    return None


def denial(identity: Identity, action: str, resource: str) -> str:
    """AWS's sentence for what no policy allows."""
    return (
        f"User: {identity.arn} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def sagemaker_arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
