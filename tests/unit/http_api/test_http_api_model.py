# SPDX-License-Identifier: GPL-3.0-or-later
"""What http_api takes, and what it says about anything else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import (
    Cors,
    Integration,
    InvalidApi,
    Throttle,
    owner_tags,
    source_arn_template,
    split_function_arn,
    wanted_api,
)

LIVE = "arn:aws:lambda:eu-central-1:123456789012:function:demo:live"


def params(**more: Any) -> dict[str, Any]:
    route = {"route_key": "POST /demo", "function_arn": LIVE, "timeout_ms": 30000}
    return {
        "name": "demo",
        "description": "",
        "routes": [route],
        "cors": None,
        "throttle": None,
        "tags": None,
        **more,
    }


def cors(**more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {key: [] for key in ("allow_origins", "allow_methods", "allow_headers", "expose_headers")}
    return {**empty, "allow_credentials": False, "max_age": 0, **more}


def route(**more: Any) -> dict[str, Any]:
    return {"route_key": "POST /demo", "function_arn": LIVE, "timeout_ms": 30000, **more}


def test_the_options_become_an_api() -> None:
    wanted = wanted_api(
        params(
            cors=cors(allow_origins=["*"], max_age=60),
            throttle={"rate": 20, "burst": 40},
            tags={"modelhost:stage": "prod", "cost-centre": 7},
        )
    )
    assert wanted.routes == {"POST /demo": Integration(LIVE, 30000)}
    assert wanted.cors == Cors(allow_origins=("*",), max_age=60)
    assert wanted.throttle == Throttle(rate=20.0, burst=40)
    assert wanted.tags == {"modelhost:stage": "prod", "cost-centre": "7"}


@pytest.mark.parametrize("route_key", ["GET /", "ANY /{proxy+}", "DELETE /a/{id}", "$default"])
def test_every_kind_of_route_key_is_taken(route_key: str) -> None:
    assert list(wanted_api(params(routes=[route(route_key=route_key)])).routes) == [route_key]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"routes": []}, "routes is empty"),
        ({"routes": [route(route_key="/demo")]}, r"routes\[0\].route_key is '/demo'; it must be like 'POST /demo'"),
        ({"routes": [route(route_key="post /demo")]}, r"routes\[0\].route_key"),
        ({"routes": [route(), route()]}, r"routes\[1\].route_key is 'POST /demo', which another route has already"),
        ({"routes": [route(timeout_ms=49)]}, r"routes\[0\].timeout_ms is 49; it must be from 50 to 30000"),
        ({"routes": [route(timeout_ms=30001)]}, r"routes\[0\].timeout_ms is 30001"),
        ({"routes": [route(function_arn="demo")]}, r"routes\[0\].function_arn is 'demo'; it must be an ARN"),
        ({"routes": [route(function_arn=LIVE.removesuffix(":live"))]}, r"means \$LATEST.*Name an alias or a version"),
        ({"routes": [route(function_arn=LIVE.replace("live", "$LATEST"))]}, r"means \$LATEST"),
        ({"cors": cors(allow_origins=["*"], allow_credentials=True)}, "cors.allow_credentials needs origins by name"),
        ({"throttle": {"rate": 0, "burst": 1}}, "must be above 0"),
        ({"throttle": {"rate": 1.0, "burst": -1}}, "must be above 0"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_option(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidApi, match=sentence):
        wanted_api(params(**more))


def test_only_the_tags_of_project_and_stage_say_whose_an_api_is() -> None:
    tags = {"modelhost:project": "p", "modelhost:stage": "s", "team": "x"}
    assert owner_tags(tags) == {"modelhost:project": "p", "modelhost:stage": "s"}


@pytest.mark.parametrize(
    ("arn", "parts"),
    [
        (LIVE, (LIVE.removesuffix(":live"), "live")),
        (LIVE.replace("live", "7"), (LIVE.removesuffix(":live"), "7")),
        (LIVE.removesuffix(":live"), (LIVE.removesuffix(":live"), None)),
    ],
)
def test_a_function_arn_is_split_into_function_and_qualifier(arn: str, parts: tuple[str, str | None]) -> None:
    assert split_function_arn(arn) == parts


@pytest.mark.parametrize(
    ("route_key", "place"),
    [
        ("POST /demo", "*/POST/demo"),
        ("GET /", "*/GET/"),
        ("ANY /a", "*/*/a"),
        ("GET /a/{id}/b", "*/GET/a/*/b"),
        ("ANY /{proxy+}", "*/*/*"),
        ("$default", "*/$default"),
    ],
)
def test_a_permission_is_for_one_route_of_one_api(route_key: str, place: str) -> None:
    template = source_arn_template(LIVE, "eu-central-1", route_key)
    assert template.format("a1b2") == f"arn:aws:execute-api:eu-central-1:123456789012:a1b2/{place}"


def test_a_permission_stays_in_the_partition_of_the_function() -> None:
    template = source_arn_template(LIVE.replace("arn:aws:", "arn:aws-cn:"), "cn-north-1", "GET /")
    assert template.startswith("arn:aws-cn:execute-api:cn-north-1:")
