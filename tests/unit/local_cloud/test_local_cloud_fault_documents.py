# SPDX-License-Identifier: GPL-3.0-or-later
"""How faults are written down, and what is said where one is written wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_cloud.faults.commands import read_script, sentence
from local_cloud.faults.document import FaultError, parse_fault, parse_faults, to_document


@pytest.mark.parametrize(
    "document",
    [
        {"id": "a", "kind": "throttle", "service": "sagemaker", "operation": "Describe*", "every": 2, "times": 3},
        {"id": "a", "kind": "throttle", "probability": 0.3, "seed": 7, "skip": 2},
        {"id": "a", "kind": "error", "code": "AccessDenied", "status": 403, "message": "No.", "after_work": True},
        {"id": "a", "kind": "delay", "seconds": 1.5, "each_once": True, "access_key": "AKIA1"},
        {"id": "a", "kind": "stuck", "seconds": 3, "resource": "modelhost-local", "times": 1},
    ],
)
def test_a_fault_reads_as_it_is_written(document: dict[str, Any]) -> None:
    assert to_document(parse_fault(document)) == document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("throttle", 'A fault is an object such as {"kind": "throttle", "operation": "CreateModel"}, not "throttle".'),
        ({}, 'A fault needs a "kind": one of throttle, error,'),
        ({"kind": "throtle"}, 'There is no fault of kind "throtle". Did you mean throttle?'),
        ({"kind": ["throttle"]}, "There is no fault of kind ['throttle']."),
        ({"kind": "throttle", "operaton": "X"}, 'A fault has no "operaton". Did you mean operation?'),
        ({"kind": "throttle", "nth": 0}, "nth is a whole number from 1, not 0."),
        ({"kind": "throttle", "nth": True}, "nth is a whole number from 1, not True."),
        ({"kind": "throttle", "nth": 1, "every": 2}, "nth and every contradict each other; choose one."),
        ({"kind": "throttle", "nth": 1, "times": 2}, "nth strikes once, so it takes no times;"),
        ({"kind": "throttle", "probability": 30}, "probability is above 0 and up to 1 (0.3 is 30 %), not 30."),
        ({"kind": "throttle", "probability": float("nan")}, "probability is above 0"),
        ({"kind": "throttle", "seed": 1}, "seed goes with a probability"),
        ({"kind": "throttle", "each_once": "yes"}, 'each_once is true or false, not "yes".'),
        ({"kind": "throttle", "account": "12"}, 'account is a number of 12 digits, not "12".'),
        ({"kind": "throttle", "access": "writes"}, 'access is read, write or data, not "writes".'),
        ({"kind": "throttle", "service": 3}, "service is a text, not 3."),
        ({"kind": "throttle", "id": "a b"}, "id is 1 to 100 letters"),
        ({"kind": "throttle", "seconds": 3}, "throttle takes no seconds."),
        (
            {"kind": "throttle", "after_work": True},
            "throttle cannot strike after the work; error, delay, drop, hold can.",
        ),
        ({"kind": "delay"}, "delay needs seconds: how long."),
        ({"kind": "delay", "seconds": -1}, "seconds is a number above 0"),
        ({"kind": "delay", "seconds": 1, "code": "X"}, "delay takes no code; error and throttle do."),
        ({"kind": "error", "status": 200}, "status is an HTTP status from 400 to 599, not 200."),
        ({"kind": "error", "status": 403}, "An error with the status 403 needs a code"),
        ({"kind": "error", "code": "no good"}, "code is one of AWS's error codes"),
        ({"kind": "drop", "message": "x"}, "drop answers no message."),
        (
            {"kind": "stuck", "seconds": 1, "operation": "X"},
            "stuck strikes endpoints, whoever calls, so it takes no operation",
        ),
        ({"kind": "stuck", "seconds": 1, "each_once": True}, "each_once tells calls apart"),
    ],
)
def test_a_wrong_fault_is_refused_with_what_would_be_right(document: Any, said: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(document)
    assert str(caught.value).startswith(said)


def test_an_error_has_the_status_that_belongs_to_its_code() -> None:
    assert (parse_fault({"kind": "error"}).code, parse_fault({"kind": "error"}).status) == ("InternalFailure", 500)
    assert parse_fault({"kind": "error", "status": 503}).code == "ServiceUnavailable"
    assert parse_fault({"kind": "error", "code": "ResourceNotFoundException"}).status == 400
    assert parse_fault({"kind": "error", "code": "ServiceUnavailable"}).status == 503


def test_services_have_their_clients_names_too() -> None:
    assert parse_fault({"kind": "throttle", "service": "cloudwatch"}).where.service == "monitoring"
    runtime = parse_fault({"kind": "throttle", "service": "sagemaker-runtime"}).where
    assert (runtime.service, runtime.operation) == ("sagemaker", "InvokeEndpoint*")


def test_an_endpoints_fault_strikes_once_unless_it_says_otherwise() -> None:
    assert parse_fault({"kind": "capacity_shortage"}).when.times == 1
    assert parse_fault({"kind": "capacity_shortage", "times": 5}).when.times == 5
    assert parse_fault({"kind": "capacity_shortage", "nth": 2}).when.times is None


def test_a_script_gives_its_scope_to_each_of_its_faults() -> None:
    faults = parse_faults(
        {"resource": "modelhost-local", "faults": [{"kind": "drop"}, {"kind": "hold", "resource": "x"}]}
    )
    assert [fault.where.resource for fault in faults] == ["modelhost-local", "x"]


def test_a_script_says_which_of_its_faults_is_wrong() -> None:
    with pytest.raises(FaultError, match=r"^Fault 2: delay needs seconds"):
        parse_faults([{"kind": "drop"}, {"kind": "delay"}])
    with pytest.raises(FaultError, match="There is no fault in it"):
        parse_faults([])


def test_a_script_is_json_or_yaml(tmp_path: Path) -> None:
    for name, text in (("f.json", '[{"kind": "drop"}]'), ("f.yml", "- kind: drop\n")):
        (tmp_path / name).write_text(text)
        assert read_script(tmp_path / name) == [{"kind": "drop"}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("f.json", b"[{", "is not JSON"), ("f.yml", b"a: [", "is not YAML"), ("f.json", b"\xff", "is no text in UTF-8")],
)
def test_a_file_that_is_no_script_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FaultError, match=said):
        read_script(tmp_path / name)
    with pytest.raises(FaultError, match="cannot be read: No such file or directory"):
        read_script(tmp_path / "none.json")


def test_an_armed_fault_is_one_line() -> None:
    shown = {"id": "throttle-1", "kind": "throttle", "operation": "CreateModel", "nth": 2}
    line = sentence({**shown, "seen": 2, "struck": 1, "spent": True})
    assert line == "throttle-1: throttle operation=CreateModel nth=2 (struck 1 of 2, spent)"
