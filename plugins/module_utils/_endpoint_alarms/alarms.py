# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What alarms an endpoint is to have, and the steps from what is there to that. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Step, tag_changes

NAMESPACE = "AWS/SageMaker"
#: DeleteAlarms takes 100 names.
_DELETE_AT_ONCE = 100

_COMPARES = {
    "GreaterThanOrEqualToThreshold": ">=",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}


@dataclass(frozen=True)
class Alarm:
    """An alarm with its tags. C(content) holds what PutMetricAlarm takes besides name and tags."""

    name: str
    arn: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def condition(self) -> str:
        """How a person reads it, as in "Sum of Invocation5XXErrors >= 1 for 1 x 60 s"."""
        of = self.content
        compare = _COMPARES.get(of.get("ComparisonOperator", ""), "?")
        limit = f"{of.get('Statistic')} of {of.get('MetricName')} {compare} {of.get('Threshold', 0):g}"
        return f"{limit} for {of.get('EvaluationPeriods')} x {of.get('Period')} s"


def wanted_alarms(
    endpoint_name: str, variant_name: str, options: Sequence[Mapping[str, Any]], tags: Mapping[str, str]
) -> list[Alarm]:
    """Return the alarms that the module's options ask for."""
    return [
        Alarm(
            f"{endpoint_name}-{option['name']}",
            content={
                "AlarmDescription": f"{option['metric_name']} of the endpoint {endpoint_name}",
                "Namespace": NAMESPACE,
                "MetricName": option["metric_name"],
                "Dimensions": [
                    {"Name": "EndpointName", "Value": endpoint_name},
                    {"Name": "VariantName", "Value": variant_name},
                ],
                "Statistic": option["statistic"],
                "ComparisonOperator": option["comparison"],
                "Threshold": float(option["threshold"]),
                "Period": option["period"],
                "EvaluationPeriods": option["evaluation_periods"],
                # An endpoint without requests has no errors.
                "TreatMissingData": "notBreaching",
            },
            tags=dict(tags),
        )
        for option in options
    ]


def alarm_from_boto(answer: Mapping[str, Any], tags: Mapping[str, str]) -> Alarm:
    """Return an alarm as DescribeAlarms tells of it."""
    keys = (
        "AlarmDescription",
        "Namespace",
        "MetricName",
        "Dimensions",
        "Statistic",
        "ComparisonOperator",
        "Threshold",
        "Period",
        "EvaluationPeriods",
        "TreatMissingData",
    )
    content = {key: answer[key] for key in keys if key in answer}
    content["Dimensions"] = sorted(content.get("Dimensions", []), key=lambda each: str(each["Name"]))
    return Alarm(answer["AlarmName"], answer["AlarmArn"], content, dict(tags))


def foreign(found: Sequence[Alarm], wanted: Sequence[Alarm], owner_tags: Mapping[str, str]) -> list[str]:
    """Return the names that are wanted and that somebody else's alarm has."""
    names = {alarm.name for alarm in wanted}
    return sorted((names & {alarm.name for alarm in found}) - ours(found, owner_tags).keys())


def plan(found: Sequence[Alarm], wanted: Sequence[Alarm], owner_tags: Mapping[str, str]) -> list[Step]:
    """Return the steps to the wanted alarms and no others of ours."""
    known = ours(found, owner_tags)
    steps = [step for alarm in wanted for step in _towards(known.get(alarm.name), alarm)]
    gone = sorted(known.keys() - {alarm.name for alarm in wanted})
    for start in range(0, len(gone), _DELETE_AT_ONCE):
        names = gone[start : start + _DELETE_AT_ONCE]
        sentence = f"delete alarm {', '.join(names)}"
        steps.append(
            Step(sentence, "cloudwatch", "delete_alarms", {"AlarmNames": names}, gone_codes=("ResourceNotFound",))
        )
    return steps


def _towards(found: Alarm | None, wanted: Alarm) -> Iterator[Step]:
    put = {"AlarmName": wanted.name, **wanted.content}
    if found is None:
        tags = [{"Key": key, "Value": value} for key, value in sorted(wanted.tags.items())]
        sentence = f"new alarm {wanted.name}: {wanted.condition}"
        yield Step(sentence, "cloudwatch", "put_metric_alarm", {**put, "Tags": tags})
        return
    if found.content != wanted.content:
        sentence = f"change alarm {wanted.name}: {found.condition} → {wanted.condition}"
        yield Step(sentence, "cloudwatch", "put_metric_alarm", put)
    # PutMetricAlarm takes tags for a new alarm alone (its reference, parameter Tags).
    to_set, to_remove = tag_changes(found.tags, wanted.tags)
    if to_set:
        tags = [{"Key": key, "Value": value} for key, value in sorted(to_set.items())]
        sentence = f"tag alarm {wanted.name}: {', '.join(sorted(to_set))}"
        yield Step(sentence, "cloudwatch", "tag_resource", {"ResourceARN": found.arn, "Tags": tags})
    if to_remove:
        sentence = f"remove tags of alarm {wanted.name}: {', '.join(to_remove)}"
        yield Step(sentence, "cloudwatch", "untag_resource", {"ResourceARN": found.arn, "TagKeys": to_remove})


def ours(found: Sequence[Alarm], owner_tags: Mapping[str, str]) -> dict[str, Alarm]:
    """Return those alarms that carry the owner's tags, by their names."""
    return {alarm.name: alarm for alarm in found if owner_tags.items() <= alarm.tags.items()}
