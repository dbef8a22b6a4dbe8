# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from local_cloud.cloudwatch.evaluation import alarm_rule, evaluate, last_period_end, local_seconds
from local_cloud.cloudwatch.scaling_alarms import counts_a_rate, zero_since

DESCRIBED = {
    "MetricName": "Load",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 5.0,
    "Period": 60,
    "EvaluationPeriods": 3,
}
END = 6000


def state_of(data: str, before: str = "OK", zero: float | None = None, **changes: Any) -> str:
    """The state after `data`: a letter a period of a minute, oldest first; X breaches, 0 does not, - is missing."""
    rule = alarm_rule({**DESCRIBED, **changes}, time_scale=1)
    assert rule is not None
    values = {"X": 9.0, "0": 1.0}
    starts = range(END - 60 * len(data), END, 60)
    datapoints = {start: values[letter] for start, letter in zip(starts, data, strict=True) if letter != "-"}
    return evaluate(rule, datapoints, END, before, zero).state


# The rows of CloudWatch's guide, "How alarm state is evaluated when data is missing".
@pytest.mark.parametrize(
    ("data", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0-X-X", "OK", "OK", "OK", "OK"),
        ("0----", "OK", "OK", "OK", "OK"),
        ("-----", "INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
        ("0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("----X", "INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
        ("X----", "ALARM", "kept", "ALARM", "OK"),
    ],
)
def test_three_of_three_periods_decide_and_missing_ones_count_as_the_alarm_says(
    data: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    assert state_of(data, "kept", TreatMissingData="missing") == missing
    assert state_of(data, "kept", TreatMissingData="ignore") == ignore
    assert state_of(data, "kept", TreatMissingData="breaching") == breaching
    assert state_of(data, "kept", TreatMissingData="notBreaching") == not_breaching


@pytest.mark.parametrize(
    ("data", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0-X-X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("00X0X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0-X--", "OK", "OK", "ALARM", "OK"),
        ("----0", "OK", "OK", "ALARM", "OK"),
        ("----X", "INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
    ],
)
def test_two_of_three_breaching_periods_are_enough_where_the_alarm_says_so(
    data: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    assert state_of(data, "kept", DatapointsToAlarm=2, TreatMissingData="missing") == missing
    assert state_of(data, "kept", DatapointsToAlarm=2, TreatMissingData="ignore") == ignore
    assert state_of(data, "kept", DatapointsToAlarm=2, TreatMissingData="breaching") == breaching
    assert state_of(data, "kept", DatapointsToAlarm=2, TreatMissingData="notBreaching") == not_breaching


def test_what_breaches_alone_is_an_alarm_when_its_first_datum_is_old_enough() -> None:
    assert state_of("---XX") == "INSUFFICIENT_DATA"
    assert state_of("--X--") == "ALARM"


@pytest.mark.parametrize(
    ("operator", "at_the_threshold", "below"),
    [
        ("GreaterThanThreshold", "OK", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM", "OK"),
        ("LessThanThreshold", "OK", "ALARM"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM"),
    ],
)
def test_each_comparison_is_what_its_name_says(operator: str, at_the_threshold: str, below: str) -> None:
    def with_threshold(threshold: float) -> str:
        return state_of("XXX", ComparisonOperator=operator, Threshold=threshold)

    assert (with_threshold(9.0), with_threshold(10.0)) == (at_the_threshold, below)


def test_only_the_newest_periods_count() -> None:
    assert state_of("XXX000") == "OK"
    assert state_of("000XXX") == "ALARM"


def test_a_variant_without_traffic_counts_as_zero_from_the_alarms_first_second_on() -> None:
    low = {"ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 3}
    assert state_of("-----", zero=END - 180, **low) == "ALARM"
    assert state_of("-----", before="INSUFFICIENT_DATA", zero=END - 120, **low) == "INSUFFICIENT_DATA"
    assert state_of("XX---", zero=0, **low) == "ALARM"


def test_an_alarm_without_a_metric_of_its_own_is_not_evaluated() -> None:
    assert alarm_rule({**DESCRIBED, "MetricName": None}, 1) is None
    assert alarm_rule({**DESCRIBED, "ComparisonOperator": "GreaterThanUpperThreshold"}, 1) is None


@pytest.mark.parametrize(("period", "scale", "seconds"), [(60, 1, 60), (60, 0.1, 6), (60, 0.01, 1), (10, 0.001, 1)])
def test_a_period_is_as_long_as_the_time_scale_says_but_never_below_a_second(
    period: int, scale: float, seconds: int
) -> None:
    assert local_seconds(period, scale) == seconds


def test_a_period_is_looked_at_when_its_data_had_time_to_come_in() -> None:
    assert last_period_end(121.5, 60) == 60
    assert last_period_end(122.0, 60) == 120


def test_the_reason_names_the_datapoints_and_the_threshold() -> None:
    rule = alarm_rule(DESCRIBED, 1)
    assert rule is not None
    data = {END - 60: 9.0, END - 120: 8.0, END - 180: 7.5}
    result = evaluate(rule, data, END, "OK")
    assert result.values == (9.0, 8.0, 7.5)
    assert result.reason == "Threshold Crossed: 3 datapoints [9, 8, 7.5] were greater than the threshold (5.0)."
    calm = evaluate(rule, dict.fromkeys(data, 1.0), END, "ALARM")
    assert calm.reason == "Threshold Crossed: 3 datapoints [1, 1, 1] were not greater than the threshold (5.0)."


def test_only_what_a_scaling_policys_alarm_counts_is_a_rate() -> None:
    policy = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:1:resource/sagemaker/endpoint/e/variant/v"
    scaling = {"AlarmActions": [policy], "Statistic": "Sum", "Namespace": "AWS/SageMaker"}
    scaling |= {"MetricName": "InvocationsPerInstance", "AlarmConfigurationUpdatedTimestamp": 7}
    assert counts_a_rate(scaling)
    assert not counts_a_rate({**scaling, "Statistic": "Average"})
    assert not counts_a_rate({**scaling, "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:topic"]})
    assert zero_since(scaling) == 7.0
    assert zero_since({**scaling, "MetricName": "ModelLatency"}) is None
    assert zero_since({**scaling, "AlarmActions": []}) is None
