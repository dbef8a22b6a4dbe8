# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a plan."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import (
    Later,
    Step,
    StepFailed,
    resolve,
    run,
    tag_changes,
)

CREATE = Step("Create it", "s", "create", {"Name": "n"}, saves={"Id": "the_id"})
USE = Step("Use it", "s", "use", {"Id": Later("the_id"), "Deep": [{"Target": Later("the_id", "things/{}")}]})


class Refused(Exception):
    pass


def test_what_a_step_saves_is_filled_in_wherever_a_later_one_needs_it() -> None:
    calls: list[tuple[str, dict[str, Any]]] = []

    def call(step: Step, parameters: dict[str, Any]) -> dict[str, str]:
        calls.append((step.operation, parameters))
        return {"Id": "42"}

    assert run([CREATE, USE], call, (Refused,)) == {"the_id": "42"}
    assert calls == [("create", {"Name": "n"}), ("use", {"Id": "42", "Deep": [{"Target": "things/42"}]})]


def test_a_failing_step_ends_the_plan_and_tells_what_was_done_before() -> None:
    def call(step: Step, parameters: dict[str, Any]) -> dict[str, str]:
        if step is USE:
            raise Refused("no")
        return {"Id": "42"}

    with pytest.raises(StepFailed, match="This step failed: Use it") as caught:
        run([CREATE, USE, CREATE], call, (Refused,))
    assert caught.value.done == (CREATE,)
    assert isinstance(caught.value.error, Refused)


def test_values_keep_their_type_where_nothing_is_put_around_them() -> None:
    assert resolve({"n": Later("n"), "b": b"zip"}, {"n": 7}) == {"n": 7, "b": b"zip"}


def test_tags_are_compared_by_key_and_value() -> None:
    assert tag_changes({"a": "1", "b": "2", "aws:x": "3"}, {"a": "1", "b": "3", "c": "4"}) == ({"b": "3", "c": "4"}, [])
    assert tag_changes({"a": "1", "old": "2"}, {"a": "1"}) == ({}, ["old"])
