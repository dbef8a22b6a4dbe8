# SPDX-License-Identifier: GPL-3.0-or-later
"""The alarms that watch an endpoint: what is made, changed and removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.modelhost.sagemaker.plugins.module_utils._endpoint_alarms.alarms import (
    Alarm,
    alarm_from_boto,
    foreign,
    plan,
    wanted_alarms,
)
from ansible_collections.modelhost.sagemaker.plugins.modules import endpoint_alarms
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

API = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"))
OWNER = {"modelhost:project": "modelhost", "modelhost:stage": "prod"}
ERRORS = {
    "name": "errors",
    "metric_name": "Invocation5XXErrors",
    "statistic": "Sum",
    "threshold": 1,
    "comparison": "GreaterThanOrEqualToThreshold",
    "period": 60,
    "evaluation_periods": 1,
}


def wanted(*options: dict[str, Any], **tags: str) -> list[Alarm]:
    return wanted_alarms("modelhost-prod", "AllTraffic", options, {**OWNER, **tags})


def as_found(alarm: Alarm) -> Alarm:
    """The alarm as CloudWatch tells of it once it is made."""
    arn = f"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{alarm.name}"
    answer = {"AlarmName": alarm.name, "AlarmArn": arn, "StateValue": "OK", **alarm.content}
    return alarm_from_boto(answer, alarm.tags)


def test_a_new_alarm_carries_its_tags() -> None:
    (step,) = plan([], wanted(ERRORS), OWNER)
    assert step.sentence == "new alarm modelhost-prod-errors: Sum of Invocation5XXErrors >= 1 for 1 x 60 s"
    assert {tag["Key"]: tag["Value"] for tag in step.parameters["Tags"]} == OWNER


def test_what_is_as_wanted_is_left_alone() -> None:
    alarms = wanted(ERRORS)
    assert plan([as_found(alarm) for alarm in alarms], alarms, OWNER) == []


def test_a_changed_threshold_changes_the_alarm_and_keeps_its_tags() -> None:
    (before,), after = wanted(ERRORS), wanted({**ERRORS, "threshold": 5})
    (step,) = plan([as_found(before)], after, OWNER)
    assert step.operation == "put_metric_alarm"
    assert "Tags" not in step.parameters
    assert step.sentence.endswith(
        "Sum of Invocation5XXErrors >= 1 for 1 x 60 s → Sum of Invocation5XXErrors >= 5 for 1 x 60 s"
    )


def test_tags_are_set_and_removed() -> None:
    (before,) = wanted(ERRORS, old="x")
    steps = plan([as_found(before)], wanted(ERRORS, team="search"), OWNER)
    assert [step.operation for step in steps] == ["tag_resource", "untag_resource"]
    assert steps[1].parameters["TagKeys"] == ["old"]


def test_an_alarm_that_is_no_longer_wanted_goes() -> None:
    (before,) = wanted(ERRORS)
    (step,) = plan([as_found(before)], [], OWNER)
    assert (step.operation, step.parameters) == ("delete_alarms", {"AlarmNames": ["modelhost-prod-errors"]})


def test_an_alarm_of_somebody_else_is_neither_removed_nor_changed() -> None:
    theirs = replace(as_found(wanted(ERRORS)[0]), tags={"modelhost:stage": "prod-2"})
    assert plan([theirs], [], OWNER) == []
    assert foreign([theirs], wanted(ERRORS), OWNER) == ["modelhost-prod-errors"]


@pytest.mark.parametrize("found", [[], ["tagged"], ["other"]])
def test_every_step_is_a_call_that_botocore_takes(found: list[str]) -> None:
    (before,) = wanted({**ERRORS, "threshold": 3}, old="x")
    for step in plan(
        [as_found(before)] if found else [], wanted(ERRORS, team="y") if found != ["other"] else [], OWNER
    ):
        name = "".join(word.capitalize() for word in step.operation.split("_"))
        report = ParamValidator().validate(dict(step.parameters), API.operation_model(name).input_shape)
        assert not report.has_errors(), report.generate_report()


def test_every_option_is_documented_as_it_is_taken() -> None:
    documented = yaml.safe_load(endpoint_alarms.DOCUMENTATION)["options"]["alarms"]["suboptions"]
    told = {
        name: {key: facts[key] for key in ("type", "required", "default", "choices") if key in facts}
        for name, facts in documented.items()
    }
    assert told == endpoint_alarms.ALARM
