# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling for SageMaker's variants: each operation that we serve, by its name."""

from __future__ import annotations

from typing import Any

from ..aws.caller import Caller
from ..aws.json_service import JsonService, Operation
from ..cloudwatch.client import CloudWatch
from ..cloudwatch.evaluator import AlarmEvaluator
from ..ministack_backend import Ministack
from ..sagemaker.endpoint_manager import EndpointManager
from ..settings import Settings
from ..store import Store
from .activities import ScalingActivities
from .controller import Controller
from .policies import ScalingPolicies
from .records import POLICIES, SCHEDULED, TARGETS, Records, matching, page
from .resources import Scalable, check_filters
from .scaler import Scaler
from .scheduled_actions import ScheduledActions
from .service_linked_role import ServiceLinkedRole
from .targets import ScalableTargets
from .variants import Variants

__all__ = ["POLICIES", "TARGETS", "ApplicationAutoScaling"]


class ApplicationAutoScaling(JsonService):
    """Answers calls, and scales between them. `start` begins the scaling, `stop` ends it."""

    def __init__(self, store: Store, manager: EndpointManager, ministack: Ministack, settings: Settings) -> None:
        cloudwatch = CloudWatch(ministack)
        variants = Variants(store, manager)
        self._records = records = Records(store)
        self._activities = ScalingActivities(store)
        self._scaler = Scaler(records, variants, self._activities)
        self._controller = Controller(records, variants, self._activities, self._scaler, settings.time_scale)
        self._alarms = AlarmEvaluator(cloudwatch, settings.time_scale, self._controller.observe)
        self._policies = ScalingPolicies(records, cloudwatch)
        scheduled = ScheduledActions(records, self._controller.wake)
        self._targets = ScalableTargets(
            records, variants, ServiceLinkedRole(ministack), self._controller.enforce, self._forget
        )
        operations: dict[str, Operation] = {
            "RegisterScalableTarget": self._targets.register,
            "DescribeScalableTargets": self._targets.describe,
            "DeregisterScalableTarget": self._targets.deregister,
            "TagResource": self._targets.tag,
            "UntagResource": self._targets.untag,
            "ListTagsForResource": self._targets.list_tags,
            "PutScalingPolicy": self._policies.put,
            "DescribeScalingPolicies": self._policies.describe,
            "DeleteScalingPolicy": self._policies.delete,
            "PutScheduledAction": scheduled.put,
            "DescribeScheduledActions": scheduled.describe,
            "DeleteScheduledAction": scheduled.delete,
            "DescribeScalingActivities": self._describe_activities,
        }
        super().__init__("Application Auto Scaling", "application-autoscaling", operations)

    def start(self) -> None:
        """Go on with what was there when the cloud was last stopped or killed."""
        self._scaler.resume()
        self._controller.start()
        self._alarms.start()

    async def stop(self) -> None:
        """End the scaling. What is remembered is already on disk."""
        await self._alarms.stop()
        await self._controller.stop()
        await self._scaler.stop()

    # What SageMaker asks for.

    def registered_variants(self, caller: Caller, endpoint_name: str) -> set[str]:
        """The names of the endpoint's variants that are scalable targets, in either dimension."""
        return self._targets.registered_variants(caller, endpoint_name)

    async def endpoint_deleted(self, caller: Caller, endpoint_name: str) -> None:
        """Deregister the endpoint's scalable targets.

        SageMaker's guide, "Delete endpoints configured for auto scaling": they are deregistered without notice.
        """
        for scalable in self._targets.of_endpoint(caller, endpoint_name):
            await self._targets.remove(caller, scalable)

    async def _forget(self, caller: Caller, scalable: Scalable) -> None:
        for policy in self._records.of(POLICIES, caller, scalable):
            await self._policies.remove(caller, policy)
        for action in self._records.of(SCHEDULED, caller, scalable):
            self._records.delete(SCHEDULED, caller, action)

    async def _describe_activities(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        check_filters(parameters, [parameters["ResourceId"]] if "ResourceId" in parameters else [])
        with_not_scaled = parameters.get("IncludeNotScaledActivities", False)
        found = [
            activity
            for activity in matching(self._activities.newest_first(caller), parameters)
            if with_not_scaled or "NotScaledReasons" not in activity
        ]
        shown, token = page(found, parameters)
        return {"ScalingActivities": shown, "NextToken": token}
