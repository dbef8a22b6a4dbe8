# SPDX-License-Identifier: GPL-3.0-or-later
"""Which calls and endpoints a fault strikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.faults.book import Armed, FaultBook
from local_cloud.faults.document import parse_fault
from local_cloud.faults.fault import Fault, Subject, When

HERE = Caller("000000000000", "us-east-1")
CALL = Subject(
    account="000000000000",
    region="us-east-1",
    service="sagemaker",
    operation="CreateModel",
    access="write",
    access_key="AKIA1",
    resources=("modelhost-local-1", "arn-tail"),
    digest="d",
)


def struck(count: int, **when: Any) -> list[int]:
    """The numbers, from 1, of those of `count` equal calls that a fault strikes."""
    armed = Armed(Fault("f", "throttle", when=When(**when)))
    return [number for number in range(1, count + 1) if armed.meet(CALL)]


def test_without_a_count_every_call_is_struck() -> None:
    assert struck(3) == [1, 2, 3]


def test_the_nth_call_alone_is_struck() -> None:
    assert struck(5, nth=3) == [3]


def test_every_nth_call_is_struck() -> None:
    assert struck(7, every=3) == [3, 6]


def test_calls_that_are_skipped_are_not_counted() -> None:
    assert struck(6, skip=2, times=3) == [3, 4, 5]
    assert struck(6, skip=2, nth=2) == [4]


def test_after_its_times_a_fault_strikes_no_more() -> None:
    assert struck(9, every=2, times=2) == [2, 4]


def test_a_probability_with_a_seed_strikes_the_same_calls_each_time() -> None:
    first, again, other = (struck(1000, probability=0.3, seed=seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert 230 < len(first) < 370


def test_each_distinct_call_is_struck_once() -> None:
    armed = Armed(Fault("f", "throttle", when=When(each_once=True)))
    calls = [CALL, CALL, replace(CALL, digest="e"), replace(CALL, operation="DescribeModel"), CALL]
    assert [armed.meet(call) for call in calls] == [True, False, True, True, False]


def test_looking_does_not_use_a_fault_up() -> None:
    armed = Armed(Fault("f", "throttle", when=When(probability=0.5, seed=1)))
    for _ in range(20):
        seen = {armed.would_strike(CALL) for _ in range(3)}
        assert seen == {armed.meet(CALL)}


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        ({}, True),
        ({"account": "111111111111"}, False),
        ({"region": "eu-west-1"}, False),
        ({"service": "sagemaker"}, True),
        ({"service": "s3"}, False),
        ({"operation": "CreateModel"}, True),
        ({"operation": "Create*"}, True),
        ({"operation": "createmodel"}, False),
        ({"access": "read"}, False),
        ({"access_key": "AKIA1"}, True),
        ({"access_key": "AKIA2"}, False),
        ({"resource": "modelhost-local"}, True),
        ({"resource": "ModelHost-Local"}, True),
        ({"resource": "arn"}, True),
        ({"resource": "local"}, False),
        ({"resource": "modelhost-local", "operation": "Describe*"}, False),
    ],
)
def test_a_scope_covers_what_it_names(where: dict[str, str], covered: bool) -> None:
    assert parse_fault({"kind": "throttle", **where}).where.covers(CALL) is covered


def test_a_prefix_counts_after_a_slash() -> None:
    fault = parse_fault({"kind": "throttle", "resource": "modelhost-local"})
    assert fault.where.covers(replace(CALL, resources=("/aws/lambda/modelhost-local-demo",)))
    assert not fault.where.covers(replace(CALL, resources=("my-modelhost-local",)))


def test_an_endpoints_fault_is_taken_once() -> None:
    book = FaultBook()
    book.add(parse_fault({"kind": "stuck", "seconds": 3, "resource": "demo"}))
    assert book.take("stuck", HERE, "other") is None
    assert book.take("capacity_shortage", HERE, "demo-1") is None
    looked = book.is_armed("stuck", HERE, "demo-1")
    taken = book.take("stuck", HERE, "demo-1")
    assert looked is taken
    assert taken is not None
    assert taken.seconds == 3
    assert book.take("stuck", HERE, "demo-1") is None
    assert book.is_armed("stuck", HERE, "demo-1") is None
    (shown,) = book.active()
    assert (shown["seen"], shown["struck"], shown["spent"]) == (2, 1, True)


def test_an_endpoints_fault_stays_in_its_account_and_region() -> None:
    book = FaultBook()
    book.add(parse_fault({"kind": "silent_rollback", "account": "111111111111", "region": "eu-west-1"}))
    assert book.take("silent_rollback", HERE, "demo") is None
    assert book.take("silent_rollback", Caller("111111111111", "eu-west-1"), "demo") is not None


def test_of_two_faults_the_first_strikes_and_both_count() -> None:
    book = FaultBook()
    for fault_id in ("one", "two"):
        book.add(parse_fault({"id": fault_id, "kind": "never_healthy", "times": 2}))
    assert [fault.id for _ in range(5) if (fault := book.take("never_healthy", HERE, "x"))] == ["one"] * 2 + ["two"] * 2
    assert {shown["id"]: shown["seen"] for shown in book.active()} == {"one": 5, "two": 5}


def test_a_fault_is_found_and_removed_by_its_id() -> None:
    book = FaultBook()
    first, second = (book.add(parse_fault({"kind": "throttle"})).id for _ in range(2))
    assert first != second
    assert book.remove(first)
    assert not book.remove(first)
    assert [shown["id"] for shown in book.active()] == [second]
    assert book.clear() == 1
    assert not book


def test_a_fault_with_the_id_of_another_takes_its_place() -> None:
    book = FaultBook()
    book.add(parse_fault({"id": "mine", "kind": "throttle"}))
    book.add(parse_fault({"id": "mine", "kind": "drop"}))
    assert [shown["kind"] for shown in book.active()] == ["drop"]


def test_writes_count_for_stale_reads_whatever_operation_shall_be_stale() -> None:
    book = FaultBook()
    book.add(parse_fault({"kind": "stale_reads", "seconds": 1, "operation": "DescribeModel", "access": "read"}))
    assert len(book.covering(CALL)) == 1
    assert not book.covering(replace(CALL, operation="ListModels", access="read"))
