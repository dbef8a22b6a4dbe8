# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts on alarms, on bounds that moved, and on the clock. It sleeps while there is nothing to act on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..cloudwatch.evaluator import Observation
from ..store import Document
from . import activities as words
from .activities import FAILED, SUCCESSFUL, ScalingActivities
from .alarms import PolicyAlarm, is_action_of
from .capacity_decision import LastScaling, TargetState, Trigger, decide
from .records import POLICIES, SCHEDULED, TARGETS, Records
from .resources import Scalable, scalable_of
from .scaler import Scaler
from .schedule import parse_schedule
from .target_rules import bounded, check_bounds
from .variants import Variants

# How often a target is looked at whose endpoint is in the middle of something else.
_RETRY_SECONDS = 0.5
# The clock may be set: no sleep is longer than this.
_LONGEST_SLEEP = 60.0

# An alarm: the account and region, and its name.
_Key = tuple[Caller, str]

logger = logging.getLogger("local_cloud.autoscaling")


class Controller:
    """Decides with capacity_decision, and acts through the scaler."""

    def __init__(
        self,
        records: Records,
        variants: Variants,
        activities: ScalingActivities,
        scaler: Scaler,
        time_scale: float,
    ) -> None:
        self._records = records
        self._variants = variants
        self._activities = activities
        self._scaler = scaler
        self._time_scale = time_scale
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # What has been said of an alarm since it went into its state, so that it is said once.
        self._told: dict[_Key, str] = {}
        # Alarms in a state that was set by hand, and that has been acted on: they act once.
        self._by_hand: set[_Key] = set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """Something may be due earlier than it was."""
        self._wake.set()

    # Bounds.

    def enforce(self, caller: Caller, scalable: Scalable) -> None:
        """Bring the capacity between the target's bounds, as soon as the endpoint can be changed.

        AWS does so when a target is registered, updated, or changed by its schedule, and at no other time.
        """
        target = self._records.target(caller, scalable)
        if target is not None:
            self._records.put_target(caller, {**target, "_bounds_due": True, "_bounds_refused": False})
            self._wake.set()

    def _enforce_due(self, caller: Caller, target: Document) -> None:
        scalable = scalable_of(target)
        current = self._variants.desired(caller, scalable)
        if self._scaler.is_busy(caller, scalable):
            return
        desired = None if current is None else bounded(current, target["MinCapacity"], target["MaxCapacity"])
        if current is not None and desired is not None and desired != current:
            if target["_bounds_refused"] and not self._variants.can_change(caller, scalable):
                return
            if not self._scaler.begin(caller, scalable, desired, words.caused_by_bound(desired, current)):
                waits = not self._variants.can_change(caller, scalable)
                self._records.put_target(caller, {**target, "_bounds_refused": True, "_bounds_due": waits})
                return
        self._records.put_target(caller, {**target, "_bounds_due": False})

    # Alarms.

    def observe(self, caller: Caller, observations: Sequence[Observation]) -> None:
        """Act on the alarms of an account. Called after each round of their evaluation.

        An alarm goes on invoking a scaling policy for as long as it is in its state, unlike its other actions.
        """
        policies = self._records.all(POLICIES, caller)
        triggers: dict[Scalable, list[Trigger]] = defaultdict(list)
        for seen in observations:
            alarm = PolicyAlarm(seen.alarm)
            for policy in self._invoked(caller, alarm, seen.by_hand, policies):
                if trigger := _trigger(alarm, seen.values, policy):
                    triggers[scalable_of(policy)].append(trigger)
        for scalable, of_target in triggers.items():
            self._act(caller, scalable, of_target, policies)
        self._forget_all_but(caller, {str(seen.alarm["AlarmName"]) for seen in observations})

    def _invoked(self, caller: Caller, alarm: PolicyAlarm, by_hand: bool, policies: list[Document]) -> list[Document]:
        """The policies that an alarm invokes in the state that it is in."""
        key = (caller, alarm.name)
        if not by_hand:
            self._by_hand.discard(key)
        actions = alarm.actions(alarm.state)
        invoked = [policy for policy in policies if any(is_action_of(arn, policy["PolicyARN"]) for arn in actions)]
        if not invoked:
            self._told.pop(key, None)
        if key in self._by_hand:
            return []
        if by_hand and invoked:
            self._by_hand.add(key)
        return invoked

    def _forget_all_but(self, caller: Caller, alarm_names: set[str]) -> None:
        self._told = {k: said for k, said in self._told.items() if k[0] != caller or k[1] in alarm_names}
        self._by_hand = {key for key in self._by_hand if key[0] != caller or key[1] in alarm_names}

    def _act(self, caller: Caller, scalable: Scalable, triggers: list[Trigger], policies: list[Document]) -> None:
        target = self._records.target(caller, scalable)
        current = self._variants.desired(caller, scalable)
        if target is None or current is None or self._scaler.is_busy(caller, scalable):
            return
        own = [policy for policy in policies if scalable_of(policy) == scalable]
        decision = decide(_state(target, current, own), triggers, time.time(), self._time_scale)
        if decision is None:
            return
        alarm_name, policy_name = decision.trigger.alarm_name, decision.trigger.policy["PolicyName"]
        cause = words.caused_by_alarm(alarm_name, policy_name, decision.trigger.state)
        key = (caller, alarm_name)
        if decision.desired is None:
            self._tell(key, caller, scalable, cause, decision.not_scaled or {})
        elif self._told.get(key) == "refused" and not self._variants.can_change(caller, scalable):
            pass  # it is tried again when the endpoint is through
        elif self._scaler.begin(caller, scalable, decision.desired, cause, decision.cooldown):
            self._told.pop(key, None)
        else:
            self._told[key] = "refused"

    def _tell(self, key: _Key, caller: Caller, scalable: Scalable, cause: str, reason: dict[str, Any]) -> None:
        """A not scaled activity, once for as long as its reason and its alarm last."""
        if self._told.get(key) == reason["Code"]:
            return
        self._told[key] = reason["Code"]
        self._activities.add(
            caller,
            scalable,
            Description="Attempting to scale due to alarm triggered",
            Cause=cause,
            StatusCode=FAILED,
            NotScaledReasons=[reason],
        )

    # The clock.

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._next_delay())
            self._wake.clear()
            try:
                self._run_due()
            except Exception:
                logger.exception("the scheduled actions were not looked at")
                await asyncio.sleep(_RETRY_SECONDS)

    def _next_delay(self) -> float | None:
        """Seconds until something is due, None where nothing ever is."""
        if any(target.get("_bounds_due") for _, target in self._records.everywhere(TARGETS)):
            return _RETRY_SECONDS
        due = [action["_next"] for _, action in self._records.everywhere(SCHEDULED) if action["_next"] is not None]
        return max(0.0, min(min(due) - time.time(), _LONGEST_SLEEP)) if due else None

    def _run_due(self) -> None:
        now = time.time()
        for caller, action in list(self._records.everywhere(SCHEDULED)):
            if action["_next"] is not None and action["_next"] <= now:
                upcoming = parse_schedule(action, action["CreationTime"]).after(now)
                self._records.put(SCHEDULED, caller, {**action, "_next": upcoming})
                self._run_action(caller, action)
        for caller, target in list(self._records.everywhere(TARGETS)):
            if target.get("_bounds_due"):
                self._enforce_due(caller, target)

    def _run_action(self, caller: Caller, action: Document) -> None:
        """Set the bounds that a scheduled action has, and bring the capacity between them."""
        scalable = scalable_of(action)
        target = self._records.target(caller, scalable)
        if target is None or target["SuspendedState"]["ScheduledScalingSuspended"]:
            return
        wanted = action["ScalableTargetAction"]
        low = wanted.get("MinCapacity", target["MinCapacity"])
        high = wanted.get("MaxCapacity", target["MaxCapacity"])
        shown = " and ".join(
            f"{noun} capacity to {wanted[member]}"
            for member, noun in (("MinCapacity", "min"), ("MaxCapacity", "max"))
            if member in wanted
        )
        described = {
            "Description": f"Setting {shown}",
            "Cause": words.caused_by_schedule(action["ScheduledActionName"]),
        }
        try:
            check_bounds(low, high)
        except AwsError as error:
            status, message = FAILED, f"Failed to set {shown}. Reason: {error.message}"
        else:
            self._records.put_target(caller, {**target, "MinCapacity": low, "MaxCapacity": high})
            status, message = SUCCESSFUL, f"Successfully set {shown}"
        activity = self._activities.add(caller, scalable, **described, StatusCode=status, StatusMessage=message)
        self._activities.end(caller, activity, status, message)
        logger.info("%s: %s, %s", scalable.resource_id, described["Cause"], message)
        if status == SUCCESSFUL:
            self.enforce(caller, scalable)


def _trigger(alarm: PolicyAlarm, values: tuple[float, ...], policy: Document) -> Trigger | None:
    """The alarm's call of a policy; None for target tracking without data, which has nothing to track."""
    above = str(alarm.described["ComparisonOperator"]).startswith("Greater")
    if not values and policy["PolicyType"] == "TargetTrackingScaling":
        return None
    return Trigger(policy, alarm.name, above, values, float(alarm.described["Threshold"]), alarm.state)


def _state(target: Document, current: int, policies: list[Document]) -> TargetState:
    suspended = target["SuspendedState"]
    return TargetState(
        current,
        target["MinCapacity"],
        target["MaxCapacity"],
        policies,
        in_suspended=suspended["DynamicScalingInSuspended"],
        out_suspended=suspended["DynamicScalingOutSuspended"],
        last_out=LastScaling(**target["_last_out"]) if target.get("_last_out") else None,
        last_in=LastScaling(**target["_last_in"]) if target.get("_last_in") else None,
    )
