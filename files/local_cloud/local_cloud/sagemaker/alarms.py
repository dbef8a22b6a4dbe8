# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudWatch says of the alarms that guard an update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..iam.execution_role import ExecutionRole
from ..ministack_backend import Ministack
from ..settings import Settings

_DESCRIBE = "GraniteServiceVersion20100801.DescribeAlarms"
_ACTION = "cloudwatch:DescribeAlarms"


class AlarmTripped(Exception):
    """An alarm is in ALARM, or cannot be watched. The message is the update's FailureReason."""


class Alarms:
    """Looks alarms up as the endpoint's execution role."""

    def __init__(self, ministack: Ministack, settings: Settings) -> None:
        self._ministack = ministack
        self._settings = settings

    async def check(self, caller: Caller, names: Sequence[str], role_arn: str) -> None:
        """Return where every alarm is OK or has no data yet. Raises AlarmTripped otherwise."""
        if not names:
            return
        role = ExecutionRole(role_arn, caller.region, self._settings.enforce_iam)
        for name in names:
            if denial := role.denial(_ACTION, caller.arn("cloudwatch", f"alarm:{name}")):
                raise AlarmTripped(denial)
        parameters = {"AlarmNames": list(names), "AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100}
        try:
            answer = await self._ministack.json_call(caller, "monitoring", _DESCRIBE, parameters)
        except AwsError as error:
            raise AlarmTripped(f"The CloudWatch alarms could not be described: {error.message}") from error
        judge(names, answer)


def judge(names: Sequence[str], answer: dict[str, Any]) -> None:
    """Raise AlarmTripped where DescribeAlarms' answer has one of `names` in ALARM, or not at all. Pure."""
    found = [*(answer.get("MetricAlarms") or ()), *(answer.get("CompositeAlarms") or ())]
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
    if tripped := [name for name in names if states.get(name) == "ALARM"]:
        raise AlarmTripped(f"CloudWatch alarm(s) {', '.join(tripped)} went into ALARM state during the deployment.")
    if missing := [name for name in names if name not in states]:
        raise AlarmTripped(f"CloudWatch alarm(s) {', '.join(missing)} of the AutoRollbackConfiguration do not exist.")
