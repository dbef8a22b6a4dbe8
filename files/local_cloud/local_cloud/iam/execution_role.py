# SPDX-License-Identifier: GPL-3.0-or-later
"""A Model's execution role: what SageMaker does for its endpoint, and the container itself, may do as that role.

Source: SageMaker's developer guide, "CreateModel API: Execution role permissions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..aws.caller import Caller
from ..containers.image import ImageError
from ..containers.model_artifact import ArtifactError
from . import evaluator
from .ecr import repository_arn
from .permissions import Permission


@dataclass(frozen=True)
class ExecutionRole:
    """The role at `arn`, acting in `region`. Where permissions are not enforced, it may do everything.

    session: the name of the session in which the service acts as the role.
    """

    arn: str
    region: str
    enforced: bool
    session: str = evaluator.SAGEMAKER_SESSION

    def environment(self, account: str) -> dict[str, str]:
        """The credentials of a container, as environment variables."""
        if not self.enforced:
            return {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "local"}
        return evaluator.role_session(self.arn, self.session)

    def allows(self, action: str, resource: str = "*", conditions: Mapping[str, Any] | None = None) -> bool:
        """Whether the role may do this."""
        return self.denial(action, resource, conditions) is None

    def denial(self, action: str, resource: str = "*", conditions: Mapping[str, Any] | None = None) -> str | None:
        """AWS's sentence that the role may not do this, or None where it may."""
        if not self.enforced:
            return None
        denial = evaluator.check_role(
            self.arn, self.region, Permission(action, resource, conditions or {}), self.session
        )
        return denial.message if denial else None

    def check_image(self, owner: Caller, repository: str, image: str) -> None:
        """Raises ImageError, in the words of AWS's FailureReason, unless the role may pull from the repository.

        owner: the registry's account and region. image: the Model's Image. The words: sagemaker-python-sdk #2002.
        """
        arn = repository_arn(owner, repository)
        for action, resource in (
            ("ecr:GetAuthorizationToken", "*"),
            ("ecr:BatchGetImage", arn),
            ("ecr:GetDownloadUrlForLayer", arn),
            ("ecr:BatchCheckLayerAvailability", arn),
        ):
            if not self.allows(action, resource):
                permission = action.partition(":")[2]
                raise ImageError(
                    f"The role '{self.arn}' does not have {permission} permission for the image: '{image}'."
                )

    def check_artifact(self, bucket: str, key: str, url: str, container: str) -> None:
        """Raises ArtifactError, in the words of AWS's FailureReason, unless the role may read the artifact."""
        if not self.allows("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"):
            raise ArtifactError(
                f'Failed to download model data for container "{container}" from URL: "{url}". Please ensure that '
                "there is an object located at the URL and that the role passed to CreateModel has permissions to "
                "download the object."
            )

    def may_write_log(self, account: str, group: str, stream: str) -> bool:
        """Whether the container's output reaches CloudWatch Logs."""
        arn = f"arn:aws:logs:{self.region}:{account}:log-group:{group}:log-stream:{stream}"
        return self.allows("logs:CreateLogStream", arn) and self.allows("logs:PutLogEvents", arn)
