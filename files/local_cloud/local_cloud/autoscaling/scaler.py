# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes a target's capacity, and writes down what happens as a scaling activity."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..store import Document
from . import activities as words
from .activities import FAILED, IN_PROGRESS, SUCCESSFUL, ScalingActivities
from .records import Records
from .resources import Scalable, scalable_of
from .variants import Variants

_LOOK_EVERY = 0.1
# After a change that SageMaker refused or rolled back the next one waits, however loud the alarm is.
_PAUSE_SECONDS = 5.0

logger = logging.getLogger("local_cloud.autoscaling")


class Scaler:
    """One change at a time for an endpoint, as SageMaker allows."""

    def __init__(self, records: Records, variants: Variants, activities: ScalingActivities) -> None:
        self._records = records
        self._variants = variants
        self._activities = activities
        self._watched: dict[tuple[Caller, str], asyncio.Task[None]] = {}
        # Endpoints that have just said no, until when on time.monotonic()'s clock.
        self._paused: dict[tuple[Caller, str], float] = {}

    def resume(self) -> None:
        """Follow the activities that a cloud that was stopped or killed had begun."""
        for caller, activity in self._activities.in_progress():
            self._watch(caller, scalable_of(activity), activity)

    async def stop(self) -> None:
        """Leave the activities as they are."""
        for task in self._watched.values():
            task.cancel()
        await asyncio.gather(*self._watched.values(), return_exceptions=True)

    def is_busy(self, caller: Caller, scalable: Scalable) -> bool:
        """Whether a change of ours is on its way at the endpoint, or one was refused a moment ago."""
        key = (caller, scalable.endpoint_name)
        if self._paused.get(key, 0.0) > time.monotonic():
            return True
        self._paused.pop(key, None)
        return key in self._watched

    def begin(
        self, caller: Caller, scalable: Scalable, desired: int, cause: str, cooldown: float | None = None
    ) -> bool:
        """Begin a change; False where SageMaker refuses it, which is an activity as well.

        cooldown: the policy's, in AWS's seconds; None where no policy asks.
        """
        before = self._variants.desired(caller, scalable)
        described = {"Description": words.setting(scalable, desired), "Cause": cause}
        try:
            self._variants.set(caller, scalable, desired)
        except AwsError as error:
            message = words.refused(scalable, desired, error)
            activity = self._activities.add(caller, scalable, **described, StatusCode=FAILED, StatusMessage=message)
            self._activities.end(caller, activity, FAILED, message)
            if self._variants.can_change(caller, scalable):
                self._pause(caller, scalable)
            return False
        activity = self._activities.add(
            caller,
            scalable,
            **described,
            StatusCode=IN_PROGRESS,
            StatusMessage=words.waiting(scalable, desired),
            _desired=desired,
            _before=before,
            _cooldown=cooldown,
        )
        logger.info("%s: %s %s", scalable.resource_id, described["Description"], cause)
        self._watch(caller, scalable, activity)
        return True

    def _watch(self, caller: Caller, scalable: Scalable, activity: Document) -> None:
        key = (caller, scalable.endpoint_name)
        task = asyncio.create_task(_logged(self._follow(caller, scalable, activity)))
        self._watched[key] = task

        def done(finished: asyncio.Task[None]) -> None:
            if self._watched.get(key) is finished:
                del self._watched[key]

        task.add_done_callback(done)

    async def _follow(self, caller: Caller, scalable: Scalable, activity: Document) -> None:
        """Wait until SageMaker is through with it."""
        while self._variants.is_changing(caller, scalable):
            await asyncio.sleep(_LOOK_EVERY)
        desired = activity["_desired"]
        if self._variants.desired(caller, scalable) != desired:
            reason = self._variants.failure_reason(caller, scalable)
            self._activities.end(caller, activity, FAILED, words.failed(scalable, desired, reason))
            self._pause(caller, scalable)
            return
        self._activities.end(caller, activity, SUCCESSFUL, words.fulfilled(scalable, desired))
        self._begin_cooldown(caller, scalable, activity)

    def _pause(self, caller: Caller, scalable: Scalable) -> None:
        self._paused[(caller, scalable.endpoint_name)] = time.monotonic() + _PAUSE_SECONDS

    def _begin_cooldown(self, caller: Caller, scalable: Scalable, activity: Document) -> None:
        """A cooldown begins when the change is there; scaling out ends the one of scaling in."""
        target = self._records.target(caller, scalable)
        if target is None or activity["_cooldown"] is None:
            return
        last = {"end": activity["EndTime"], "before": activity["_before"], "cooldown": activity["_cooldown"]}
        if activity["_desired"] > (activity["_before"] or 0):
            self._records.put_target(caller, {**target, "_last_out": last, "_last_in": None})
        else:
            self._records.put_target(caller, {**target, "_last_in": last})


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await work
        except Exception:
            logger.exception("a scaling activity is lost from sight")
