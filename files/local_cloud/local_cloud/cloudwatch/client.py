# SPDX-License-Identifier: GPL-3.0-or-later
"""What our services ask of ministack's CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..aws.caller import Caller
from ..ministack_backend import Ministack

_TARGET = "GraniteServiceVersion20100801"
# GetMetricData's own limit of queries a call.
_MAX_QUERIES = 500


@dataclass(frozen=True)
class MetricQuery:
    """A statistic of a metric over a period in whole seconds, from a time (seconds since 1970) on."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    seconds: int
    since: float


class CloudWatch:
    """Calls of CloudWatch's API, in the account and region that they are for."""

    def __init__(self, ministack: Ministack) -> None:
        self._ministack = ministack

    async def put_alarm(self, caller: Caller, alarm: dict[str, Any]) -> None:
        """alarm: PutMetricAlarm's parameters. Raises AwsError."""
        await self._call(caller, "PutMetricAlarm", alarm)

    async def delete_alarms(self, caller: Caller, names: Sequence[str]) -> None:
        """Delete alarms, those that are there. Raises AwsError where a composite alarm needs one of them."""
        if names:
            await self._call(caller, "DeleteAlarms", {"AlarmNames": list(names)})

    async def set_alarm_state(self, caller: Caller, name: str, state: str, reason: str) -> None:
        """Set the state and run the alarm's actions. Raises AwsError for an alarm that is gone."""
        await self._call(caller, "SetAlarmState", {"AlarmName": name, "StateValue": state, "StateReason": reason})

    async def data(self, caller: Caller, queries: Sequence[MetricQuery]) -> list[dict[int, float]]:
        """For each query, the values by the start of their periods (seconds since 1970); gaps are left out."""
        results: list[dict[int, float]] = []
        for first in range(0, len(queries), _MAX_QUERIES):
            part = queries[first : first + _MAX_QUERIES]
            answer = await self._call(
                caller,
                "GetMetricData",
                {
                    "StartTime": min(query.since for query in part),
                    "EndTime": 2**33,
                    "MetricDataQueries": [_query(f"m{index}", query) for index, query in enumerate(part)],
                },
            )
            found = {result["Id"]: result for result in answer["MetricDataResults"]}
            results += [_values(found[f"m{index}"]) for index in range(len(part))]
        return results

    def metric_alarms(self) -> Iterator[tuple[Caller, dict[str, Any]]]:
        """Every metric alarm there is, as DescribeAlarms shows it, without a call for each account and region."""
        from ministack.services import cloudwatch

        for (account, region, _name), alarm in cloudwatch._alarms.all_items():
            yield Caller(account, region), alarm

    def alarms_with_action(self, caller: Caller, action: str) -> list[dict[str, Any]]:
        """The account's metric alarms that have this action, in any state."""
        members = ("AlarmActions", "OKActions", "InsufficientDataActions")
        return [
            alarm
            for owner, alarm in self.metric_alarms()
            if owner == caller and any(action in (alarm.get(member) or []) for member in members)
        ]

    async def _call(self, caller: Caller, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return await self._ministack.json_call(caller, "monitoring", f"{_TARGET}.{operation}", parameters)


def _query(query_id: str, query: MetricQuery) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions]
    metric = {"Namespace": query.namespace, "MetricName": query.name, "Dimensions": dimensions}
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": query.seconds, "Stat": query.statistic}}


def _values(result: dict[str, Any]) -> dict[int, float]:
    return {_seconds(when): value for when, value in zip(result["Timestamps"], result["Values"], strict=True)}


def _seconds(when: float | str) -> int:
    return int(datetime.fromisoformat(when).timestamp() if isinstance(when, str) else when)
