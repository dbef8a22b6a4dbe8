# SPDX-License-Identifier: GPL-3.0-or-later
"""Scaling activities: what was done to a target, why, and how it went. Kept for six weeks, as on AWS."""

from __future__ import annotations

import time
import uuid
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..store import Document, Store
from .resources import Scalable

KIND = "scaling-activity"
IN_PROGRESS, SUCCESSFUL, FAILED = "InProgress", "Successful", "Failed"
_KEPT_SECONDS = 6 * 7 * 86400
_KEPT = 1000


class ScalingActivities:
    """The activities of every account and region."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest = 0

    def add(self, caller: Caller, scalable: Scalable, **members: Any) -> Document:
        """A new activity that starts now. members: the rest of ScalingActivity."""
        self._newest = max(time.time_ns(), self._newest + 1)
        activity: Document = {
            "ActivityId": str(uuid.uuid4()),
            "_key": f"{self._newest:020}",
            **scalable.members,
            "StartTime": round(self._newest / 1e9, 3),
            **members,
        }
        self._store.put(KIND, caller, activity["_key"], activity)
        self._forget_old(caller)
        return activity

    def end(self, caller: Caller, activity: Document, status: str, message: str) -> None:
        """The activity is over."""
        activity |= {"StatusCode": status, "StatusMessage": message, "EndTime": round(time.time(), 3)}
        self._store.put(KIND, caller, activity["_key"], activity)

    def newest_first(self, caller: Caller) -> list[Document]:
        return self._store.list(KIND, caller)[::-1]

    def in_progress(self) -> list[tuple[Caller, Document]]:
        """What a cloud that was stopped or killed had begun."""
        return [(caller, found) for caller, found in self._store.everywhere(KIND) if found["StatusCode"] == IN_PROGRESS]

    def _forget_old(self, caller: Caller) -> None:
        oldest = time.time() - _KEPT_SECONDS
        known = self._store.list(KIND, caller)
        for index, activity in enumerate(known):
            if activity["StartTime"] < oldest or index < len(known) - _KEPT:
                self._store.delete(KIND, caller, activity["_key"])


def setting(scalable: Scalable, capacity: int) -> str:
    """The Description of an activity, in AWS's words."""
    return f"Setting {scalable.noun} to {capacity}."


def waiting(scalable: Scalable, capacity: int) -> str:
    """The StatusMessage while SageMaker is at it."""
    return f"Successfully set {scalable.noun} to {capacity}. Waiting for change to be fulfilled by sagemaker."


def fulfilled(scalable: Scalable, capacity: int) -> str:
    """The StatusMessage of one that worked."""
    return f"Successfully set {scalable.noun} to {capacity}. Change successfully fulfilled by sagemaker."


def refused(scalable: Scalable, capacity: int, error: AwsError) -> str:
    """The StatusMessage of one that SageMaker refused."""
    return (
        f"Failed to set {scalable.noun} to {capacity}. Reason: {error.message} (Service: AmazonSageMaker; "
        f"Status Code: {error.status}; Error Code: {error.code}; Request ID: {uuid.uuid4()})."
    )


def failed(scalable: Scalable, capacity: int, reason: str | None) -> str:
    """The StatusMessage of one that SageMaker began and rolled back."""
    return f"Failed to set {scalable.noun} to {capacity}. Reason: {reason or 'the endpoint was rolled back.'}"


def caused_by_alarm(alarm_name: str, policy_name: str, state: str) -> str:
    return f"monitor alarm {alarm_name} in state {state} triggered policy {policy_name}"


def caused_by_bound(desired: int, current: int) -> str:
    return f"{'minimum' if desired > current else 'maximum'} capacity was set to {desired}"


def caused_by_schedule(name: str) -> str:
    return f"scheduled action name {name} was triggered"
