# SPDX-License-Identifier: GPL-3.0-or-later
"""The service-linked role that Application Auto Scaling acts as: made in IAM with the first scalable target."""

from __future__ import annotations

import json
import logging
from urllib.parse import urlencode

from ..aws.caller import Caller
from ..ministack_backend import Ministack

SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
NAME = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
_PATH = f"/aws-service-role/{SERVICE}/"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}],
}

logger = logging.getLogger("local_cloud.autoscaling")


class ServiceLinkedRole:
    """AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint of each account."""

    def __init__(self, ministack: Ministack) -> None:
        self._ministack = ministack

    async def ensure(self, caller: Caller) -> str:
        """Make the role where it is missing. Returns its ARN, which scalable targets show."""
        arn = f"arn:aws:iam::{caller.account}:role{_PATH}{NAME}"
        if await self._ministack.role_trust_policy(arn) is None:
            # ministack's CreateServiceLinkedRole would give it another name.
            parameters = {
                "Action": "CreateRole",
                "Version": "2010-05-08",
                "RoleName": NAME,
                "Path": _PATH,
                "AssumeRolePolicyDocument": json.dumps(_TRUST),
            }
            answer = await self._ministack.request(
                caller,
                "iam",
                "POST",
                "/",
                headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
                body=urlencode(parameters).encode(),
            )
            if answer.status != 200:
                logger.warning("%s was not made in IAM: %s", NAME, answer.body.decode(errors="replace")[:200])
        return arn
