# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom SageMaker acts for a variant: its Model's execution role."""

from __future__ import annotations

from ...aws.caller import Caller
from ...iam.execution_role import ExecutionRole
from ..deployment import Variant


class ExecutionRoles:
    """The execution roles of variants. enforced: whether permissions are; where not, every role may do everything."""

    def __init__(self, enforced: bool) -> None:
        self._enforced = enforced

    def of(self, variant: Variant, caller: Caller) -> ExecutionRole:
        """The role of a variant of one of `caller`'s endpoints."""
        return self.named(variant.model["ExecutionRoleArn"], caller)

    def named(self, arn: str, caller: Caller) -> ExecutionRole:
        """The role with this ARN, for one of `caller`'s endpoints."""
        return ExecutionRole(arn, caller.region, self._enforced)
