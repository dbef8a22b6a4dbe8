# SPDX-License-Identifier: GPL-3.0-or-later
"""What several faults make of one call, and what a read answered before a write."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from local_cloud.call_identity import Call, Resource, digest_of, identify
from local_cloud.exchange import Captured, Request
from local_cloud.faults.book import FaultBook
from local_cloud.faults.document import parse_fault
from local_cloud.faults.plan import Plan, plan, role_refusal, subject_of
from local_cloud.faults.stale_memory import KEPT_READS, MAX_ANSWER_BYTES, Memory, Stale

ROLE = "arn:aws:iam::000000000000:role/execution"


def call(target: str, **parameters: Any) -> Call:
    scope = {"method": "POST", "path": "/", "headers": [(b"x-amz-target", f"SageMaker.{target}".encode())]}
    signed = b"AWS4-HMAC-SHA256 Credential=1/20261123/us-east-1/sagemaker/aws4_request, SignedHeaders=x, Signature=0"
    scope["headers"].append((b"authorization", signed))  # type: ignore[attr-defined]
    return identify(Request.of(scope), "000000000000", "us-east-1", "k", json.dumps(parameters).encode())


def meet(book: FaultBook, asked: Call, now: float = 0) -> Plan:
    return plan(asked, book.covering(subject_of(asked)), now)


def book_of(*faults: dict[str, Any]) -> FaultBook:
    book = FaultBook()
    for fault in faults:
        book.add(parse_fault(fault))
    return book


def test_delays_add_up_and_the_first_end_wins() -> None:
    book = book_of(
        {"kind": "delay", "seconds": 1},
        {"id": "first", "kind": "drop", "nth": 2},
        {"kind": "delay", "seconds": 2, "after_work": True},
        {"id": "second", "kind": "throttle"},
    )
    made = [meet(book, call("ListModels")) for _ in range(3)]
    assert [[armed.fault.seconds for armed in each.delays] for each in made] == [[1, 2]] * 3
    assert [each.end.fault.id for each in made if each.end] == ["second", "first", "second"]
    assert {shown["id"]: shown["struck"] for shown in book.active() if shown["id"] in ("first", "second")} == {
        "first": 1,
        "second": 2,
    }


@pytest.mark.parametrize(
    ("fault", "touches"),
    [
        ({"kind": "drop"}, False),
        ({"kind": "drop", "after_work": True}, True),
        ({"kind": "delay", "seconds": 1, "after_work": True}, True),
        ({"kind": "cut_answer"}, True),
        ({"kind": "throttle"}, False),
    ],
)
def test_an_answer_is_kept_back_only_where_something_happens_after_the_work(
    fault: dict[str, Any], touches: bool
) -> None:
    assert meet(book_of(fault), call("ListModels")).touches_answer is touches


def test_a_role_is_refused_for_some_seconds_from_its_first_refusal() -> None:
    book = book_of({"kind": "role_not_assumable", "seconds": 5})
    assert meet(book, call("ListModels"), 0).end is None
    assert meet(book, call("CreateModel", ExecutionRoleArn=ROLE), 100).end
    assert meet(book, call("CreateModel", ExecutionRoleArn=ROLE), 104).end
    assert meet(book, call("CreateModel", ExecutionRoleArn=ROLE + "2"), 104).end
    assert meet(book, call("CreateModel", ExecutionRoleArn=ROLE), 105).end is None
    assert meet(book, call("CreateModel", ExecutionRoleArn=ROLE + "2"), 105).end


def test_a_config_without_a_role_of_its_own_is_not_refused() -> None:
    book = book_of({"kind": "role_not_assumable"})
    assert meet(book, call("CreateEndpointConfig", EndpointConfigName="c")).end is None
    assert meet(book, call("CreateEndpointConfig", EndpointConfigName="c", ExecutionRoleArn=ROLE)).end


def test_the_refusal_of_a_role_names_it() -> None:
    assert ROLE in role_refusal(call("CreateModel", ExecutionRoleArn=ROLE), ROLE).message


DESCRIBE = call("DescribeEndpoint", EndpointName="e")
LIST = call("ListEndpoints")
CREATE, UPDATE = call("CreateEndpoint", EndpointName="e"), call("UpdateEndpoint", EndpointName="E")


def answer(text: str) -> Captured:
    captured = Captured()
    captured.status = 200
    captured._body += text.encode()
    return captured


def said(stale: Stale | None) -> str | None:
    return stale.answer.body.decode() if stale and stale.answer else None


def test_a_read_is_stale_after_a_write_to_the_same_thing_for_as_long_as_it_says() -> None:
    memory = Memory()
    memory.answered(DESCRIBE, answer("old"), 1, 2)
    memory.wrote(UPDATE, 3, 4)
    assert said(memory.stale(DESCRIBE, 5, seconds=10)) == "old"
    assert memory.stale(DESCRIBE, 14.5, seconds=10) is None
    assert memory.stale(call("DescribeEndpoint", EndpointName="other"), 5, seconds=10) is None


def test_a_thing_of_another_kind_with_the_same_name_is_not_stale() -> None:
    memory = Memory()
    memory.wrote(CREATE, 3, 4)
    assert memory.stale(call("DescribeEndpointConfig", EndpointConfigName="e"), 5, seconds=10) is None


def test_between_two_writes_the_state_is_the_one_between_them() -> None:
    memory = Memory()
    memory.answered(DESCRIBE, answer("first"), 1, 2)
    memory.wrote(UPDATE, 3, 4)
    memory.answered(DESCRIBE, answer("second"), 5, 6)
    memory.wrote(UPDATE, 7, 8)
    assert said(memory.stale(DESCRIBE, 9, seconds=10)) == "first"
    assert said(memory.stale(DESCRIBE, 15, seconds=10)) == "second"


def test_an_answer_from_before_an_older_write_is_never_given() -> None:
    memory = Memory()
    memory.answered(DESCRIBE, answer("first"), 1, 2)
    memory.wrote(UPDATE, 3, 4)
    memory.wrote(UPDATE, 20, 21)
    assert memory.stale(DESCRIBE, 25, seconds=10) is None


def test_an_answer_that_was_given_while_a_write_went_on_tells_of_neither_side() -> None:
    memory = Memory()
    memory.answered(DESCRIBE, answer("who knows"), 2, 3.5)
    memory.wrote(UPDATE, 3, 4)
    assert memory.stale(DESCRIBE, 5, seconds=10) is None


def test_what_was_just_created_was_not_there() -> None:
    memory = Memory()
    memory.wrote(CREATE, 3, 4)
    assert memory.stale(DESCRIBE, 5, seconds=10) == Stale(None, True)


def test_a_list_is_stale_after_any_write_if_it_was_read_before() -> None:
    memory = Memory()
    memory.wrote(CREATE, 3, 4)
    assert memory.stale(LIST, 5, seconds=10) == Stale(None, False)
    memory = Memory()
    memory.answered(LIST, answer("[]"), 1, 2)
    memory.wrote(CREATE, 3, 4)
    assert said(memory.stale(LIST, 5, seconds=10)) == "[]"


def test_the_memory_is_bounded() -> None:
    memory = Memory()
    memory.answered(DESCRIBE, answer("x" * (MAX_ANSWER_BYTES + 1)), 1, 2)
    memory.answered(LIST, answer("[]"), 1, 2)
    for number in range(KEPT_READS):
        other = replace(DESCRIBE, resources=(Resource("endpoint", str(number)),), digest=digest_of({"n": number}))
        memory.answered(other, answer("x"), 1, 2)
    memory.wrote(UPDATE, 3, 4)
    assert memory.stale(DESCRIBE, 5, seconds=10) is None
    assert said(memory.stale(LIST, 5, seconds=10)) is None
