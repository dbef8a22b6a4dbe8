# SPDX-License-Identifier: GPL-3.0-or-later
"""ListModels, ListEndpointConfigs and ListEndpoints by AWS's documented rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conformance_source import reference
from conformance_target import Target, instances, refusal

LISTS = pytest.mark.parametrize("kind", ["models", "endpoint_configs", "endpoints"])


@dataclass(frozen=True)
class Listed:
    """Five resources of one kind, whose names contain `part`, in the order in which they were made."""

    target: Target
    kind: str
    part: str
    names: list[str]

    @property
    def member(self) -> str:
        return {"models": "ModelName", "endpoint_configs": "EndpointConfigName", "endpoints": "EndpointName"}[self.kind]

    def call(self, **parameters: Any) -> dict[str, Any]:
        operation: Callable[..., dict[str, Any]] = getattr(self.target.sagemaker, f"list_{self.kind}")
        return operation(**{"NameContains": self.part, **parameters})

    def items(self, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.call(**parameters)
        (items,) = (value for value in answer.values() if isinstance(value, list))
        return items

    def listed(self, **parameters: Any) -> list[str]:
        return [item[self.member] for item in self.items(**parameters)]


@pytest.fixture(scope="session")
def made(aws: Target) -> dict[str, Listed]:
    """Five of each kind; the endpoints are not waited for."""
    model = aws.model()
    part = aws.name("listed")
    names = [f"{letter}-{part}" for letter in "bdace"]
    for name in names:
        aws.model(name)
    for name in names:
        aws.config(instances(model), name=name)
    for name in names:
        aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return {kind: Listed(aws, kind, part, names) for kind in ("models", "endpoint_configs", "endpoints")}


@reference(
    "ListModels",
)
@LISTS
def test_a_list_has_what_the_name_contains_and_the_newest_first(made: dict[str, Listed], kind: str) -> None:
    assert made[kind].listed() == made[kind].names[::-1]
    assert made[kind].listed(NameContains="no-such-part") == []


@reference("ListEndpoints: SortBy, SortOrder")
@LISTS
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_a_list_is_sorted_by_name(made: dict[str, Listed], kind: str, order: str) -> None:
    expected = sorted(made[kind].names, reverse=order == "Descending")
    assert made[kind].listed(SortBy="Name", SortOrder=order) == expected


@reference("ListEndpoints: the default of SortOrder is Descending")
@LISTS
def test_a_list_goes_down_unless_told_otherwise(made: dict[str, Listed], kind: str) -> None:
    assert made[kind].listed(SortBy="Name") == sorted(made[kind].names, reverse=True)


@reference("ListEndpoints: SortBy, SortOrder")
@LISTS
def test_a_list_is_sorted_by_creation_time(made: dict[str, Listed], kind: str) -> None:
    assert made[kind].listed(SortBy="CreationTime", SortOrder="Ascending") == made[kind].names


@reference("ListEndpoints: MaxResults, NextToken")
@LISTS
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_make_up_the_list(made: dict[str, Listed], kind: str, size: int) -> None:
    pages, token = [], {}
    while True:
        answer = made[kind].call(MaxResults=size, **token)
        (items,) = (value for value in answer.values() if isinstance(value, list))
        pages.append([item[made[kind].member] for item in items])
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    assert [name for page in pages for name in page] == made[kind].names[::-1]
    assert all(len(page) == size for page in pages[:-1])


@reference("ListEndpoints: MaxResults defaults to 10")
def test_a_page_has_ten_unless_told_otherwise(aws: Target) -> None:
    part = aws.name("eleven")
    for letter in "abcdefghijk":
        aws.model(f"{letter}-{part}")
    answer = aws.sagemaker.list_models(NameContains=part)
    assert len(answer["Models"]) == 10
    assert answer["NextToken"]


@reference("ListEndpoints: MaxResults, NameContains")
@LISTS
@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"MaxResults": 0}, "maxResults"),
        ({"MaxResults": 101}, "maxResults"),
        ({"NameContains": "no_underscore"}, "nameContains"),
        ({"SortBy": "Size"}, "sortBy"),
        ({"SortOrder": "Up"}, "sortOrder"),
    ],
)
def test_a_lists_parameters_have_limits(
    made: dict[str, Listed], kind: str, parameters: dict[str, Any], path: str
) -> None:
    message = refusal(lambda: made[kind].call(**parameters))
    assert f"at '{path}' failed to satisfy constraint: Member must " in message


@reference("ListEndpoints: NextToken is what the response before included")
@LISTS
def test_a_token_of_no_list_is_refused(made: dict[str, Listed], kind: str) -> None:
    refusal(lambda: made[kind].call(NextToken="bm9uc2Vuc2U="))


@reference("ListModels: CreationTimeAfter is greater than or equal to, CreationTimeBefore is before")
@LISTS
def test_a_list_is_limited_by_creation_time(made: dict[str, Listed], kind: str) -> None:
    times = {item[made[kind].member]: item["CreationTime"] for item in made[kind].items()}
    assert all(isinstance(moment, datetime) for moment in times.values())
    past, future = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    assert made[kind].listed(CreationTimeAfter=past, CreationTimeBefore=future) == made[kind].names[::-1]
    assert made[kind].listed(CreationTimeAfter=future) == []
    assert made[kind].listed(CreationTimeBefore=past) == []


@reference("ListEndpoints: LastModifiedTimeAfter, LastModifiedTimeBefore")
def test_endpoints_are_limited_by_the_time_of_their_last_change(made: dict[str, Listed]) -> None:
    endpoints = made["endpoints"]
    past, future = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    assert len(endpoints.listed(LastModifiedTimeAfter=past, LastModifiedTimeBefore=future)) == 5
    assert endpoints.listed(LastModifiedTimeAfter=future) == []
    assert endpoints.listed(LastModifiedTimeBefore=past) == []


@reference("ListEndpoints: StatusEquals")
def test_endpoints_are_limited_by_status(made: dict[str, Listed]) -> None:
    endpoints = made["endpoints"]
    for name in endpoints.names:
        endpoints.target.wait(name)
    assert len(endpoints.listed(StatusEquals="InService")) == 5
    assert endpoints.listed(StatusEquals="Failed") == []
    message = refusal(lambda: endpoints.call(StatusEquals="Asleep"))
    assert "at 'statusEquals' failed to satisfy constraint: Member must satisfy enum value set" in message


@reference("ModelSummary, EndpointConfigSummary, EndpointSummary")
@LISTS
def test_a_summary_has_the_documented_members(made: dict[str, Listed], kind: str) -> None:
    expected = {
        "models": {"ModelName", "ModelArn", "CreationTime"},
        "endpoint_configs": {"EndpointConfigName", "EndpointConfigArn", "CreationTime"},
        "endpoints": {"EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus"},
    }[kind]
    assert all(set(item) == expected for item in made[kind].items())
