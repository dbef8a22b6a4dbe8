# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled actions: PutScheduledAction, its Describe and Delete."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError, validation
from ..store import Document
from .records import SCHEDULED, Records, matching, page
from .resources import check_filters, scalable_of
from .schedule import check_time, parse_schedule
from .target_rules import check_bounds

MAX_ACTIONS = 200
_TIMES = ("StartTime", "EndTime")


class ScheduledActions:
    """The operations on scheduled actions. changed: called when the next one may be due at another time."""

    def __init__(self, records: Records, changed: Callable[[], None]) -> None:
        self._records = records
        self._changed = changed

    async def put(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        scalable = scalable_of(parameters)
        self._records.existing_target(caller, scalable, "No scalable target registered")
        before = self._records.find(SCHEDULED, caller, scalable, parameters["ScheduledActionName"])
        action = self._merged(caller, parameters, before)
        if before is None and len(self._records.of(SCHEDULED, caller, scalable)) >= MAX_ACTIONS:
            raise AwsError("LimitExceededException", f"A scalable target has at most {MAX_ACTIONS} scheduled actions.")
        action["_next"] = parse_schedule(action, action["CreationTime"]).after(time.time())
        self._records.put(SCHEDULED, caller, action)
        self._changed()
        return {}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        check_filters(parameters, [parameters["ResourceId"]] if "ResourceId" in parameters else [])
        names = parameters.get("ScheduledActionNames")
        found = matching(self._records.all(SCHEDULED, caller), parameters, "ScheduledActionName", names)
        shown, token = page(found, parameters)
        return {"ScheduledActions": shown, "NextToken": token}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        scalable = scalable_of(parameters)
        name = parameters["ScheduledActionName"]
        action = self._records.find(SCHEDULED, caller, scalable, name)
        if action is None:
            raise scalable.not_found("No scheduled action found", f", scheduled action name: {name}")
        self._records.delete(SCHEDULED, caller, action)
        self._changed()
        return {}

    def _merged(self, caller: Caller, parameters: dict[str, Any], before: Document | None) -> Document:
        """What is not given stays, but start and end: those are deleted (PutScheduledAction's page)."""
        times = {name: check_time(parameters[name], name) for name in _TIMES if name in parameters}
        kept = {name: value for name, value in (before or {}).items() if name not in _TIMES}
        action: Document = {**kept, **parameters, **times}
        if "Schedule" not in action:
            raise validation("Schedule must be specified")
        wanted = action.get("ScalableTargetAction") or {}
        if not wanted:
            raise validation("ScalableTargetAction must be specified, with MinCapacity, MaxCapacity or both")
        low, high = wanted.get("MinCapacity", 0), wanted.get("MaxCapacity", wanted.get("MinCapacity", 0))
        check_bounds(low, high)
        if before is None:
            name = f"resource/sagemaker/{action['ResourceId']}:scheduledActionName/{action['ScheduledActionName']}"
            action["CreationTime"] = round(time.time(), 3)
            action["ScheduledActionARN"] = caller.arn("autoscaling", f"scheduledAction:{uuid.uuid4()}:{name}")
        return action
