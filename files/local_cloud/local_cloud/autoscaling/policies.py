# SPDX-License-Identifier: GPL-3.0-or-later
"""Scaling policies: PutScalingPolicy, its Describe and Delete, and the CloudWatch alarms of target tracking."""

from __future__ import annotations

import time
import uuid
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..cloudwatch.client import CloudWatch
from ..store import Document
from .alarms import tracking_alarms
from .policy_rules import TRACKING, check_only_one, check_policy, merged_policy
from .records import POLICIES, Records, matching, page
from .resources import Scalable, check_filters, scalable_of

MAX_POLICIES = 50
# DescribeScalingPolicies' own page: it reads every policy's alarms.
_PAGE = 10


class ScalingPolicies:
    """The operations on policies."""

    def __init__(self, records: Records, cloudwatch: CloudWatch) -> None:
        self._records = records
        self._cloudwatch = cloudwatch

    async def put(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        scalable = scalable_of(parameters)
        self._records.existing_target(caller, scalable, "No scalable target registered")
        before = self._records.find(POLICIES, caller, scalable, parameters["PolicyName"])
        policy = merged_policy(parameters, before)
        check_policy(policy, before)
        known = self._records.of(POLICIES, caller, scalable)
        check_only_one(policy, [other for other in known if other["PolicyName"] != policy["PolicyName"]])
        if before is None:
            if len(known) >= MAX_POLICIES:
                raise AwsError("LimitExceededException", f"A scalable target has at most {MAX_POLICIES} policies.")
            policy |= _born(caller, scalable, policy["PolicyName"])
        if policy["PolicyType"] == TRACKING:
            await self._replace_alarms(caller, policy)
        self._records.put(POLICIES, caller, policy)
        return {"PolicyARN": policy["PolicyARN"], "Alarms": policy["Alarms"]}

    async def describe(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        check_filters(parameters, [parameters["ResourceId"]] if "ResourceId" in parameters else [])
        names = parameters.get("PolicyNames")
        found = matching(self._records.all(POLICIES, caller), parameters, "PolicyName", names)
        shown, token = page(found, parameters, _PAGE)
        described = [{**policy, "Alarms": await self._alarms_of(caller, policy)} for policy in shown]
        return {"ScalingPolicies": described, "NextToken": token}

    async def delete(self, caller: Caller, parameters: dict[str, Any]) -> dict[str, Any]:
        scalable = scalable_of(parameters)
        policy = self._records.find(POLICIES, caller, scalable, parameters["PolicyName"])
        if policy is None:
            raise scalable.not_found("No scaling policy found", f", policy name: {parameters['PolicyName']}")
        await self.remove(caller, policy)
        return {}

    async def remove(self, caller: Caller, policy: Document) -> None:
        """Delete a policy. A target tracking policy's alarms go with it; a step scaling policy's stay, as on AWS."""
        self._records.delete(POLICIES, caller, policy)
        await self._cloudwatch.delete_alarms(caller, [alarm["AlarmName"] for alarm in policy["Alarms"]])

    async def _replace_alarms(self, caller: Caller, policy: Document) -> None:
        """Every put makes new alarms, with new names, and then deletes the old."""
        old = [alarm["AlarmName"] for alarm in policy["Alarms"]]
        wanted = tracking_alarms(policy, f"{policy['PolicyARN']}:createdBy/{policy['_createdBy']}")
        for alarm in wanted:
            await self._cloudwatch.put_alarm(caller, alarm)
        policy["Alarms"] = [
            {"AlarmName": alarm["AlarmName"], "AlarmARN": caller.arn("cloudwatch", f"alarm:{alarm['AlarmName']}")}
            for alarm in wanted
        ]
        policy["_alarms"] = wanted
        await self._cloudwatch.delete_alarms(caller, old)

    async def _alarms_of(self, caller: Caller, policy: Document) -> list[dict[str, str]]:
        """A step scaling policy has the alarms that name it as an action, whoever made them."""
        if policy["PolicyType"] == TRACKING:
            alarms: list[dict[str, str]] = policy["Alarms"]
            return alarms
        return [
            {"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]}
            for alarm in self._cloudwatch.alarms_with_action(caller, policy["PolicyARN"])
        ]


def _born(caller: Caller, scalable: Scalable, name: str) -> Document:
    resource = f"resource/sagemaker/{scalable.resource_id}"
    return {
        "CreationTime": round(time.time(), 3),
        "PolicyARN": caller.arn("autoscaling", f"scalingPolicy:{uuid.uuid4()}:{resource}:policyName/{name}"),
        "Alarms": [],
        "_createdBy": str(uuid.uuid4()),
    }
