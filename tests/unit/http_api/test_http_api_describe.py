# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL that http_api gives back, and the two sides of its diff."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.describe import (
    describe_found,
    describe_wanted,
    invoke_url,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._http_api.model import (
    FoundApi,
    FoundIntegration,
    FoundRoute,
    FoundStage,
    Integration,
    Throttle,
    WantedApi,
)

LIVE = "arn:aws:lambda:eu-central-1:123456789012:function:demo:live"
ENDPOINT = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    "endpoint_url", ["https://apigateway.eu-central-1.amazonaws.com", "https://apigateway.example.com", "", "http://["]
)
def test_on_aws_requests_go_to_the_apis_own_endpoint(endpoint_url: str) -> None:
    assert invoke_url("a1b2c3", ENDPOINT, endpoint_url) == ENDPOINT


@pytest.mark.parametrize(
    "endpoint_url",
    [
        "http://127.0.0.1:4566",
        "http://127.0.0.1:4566/",
        "http://127.8.8.8:4566",
        "http://localhost:4566",
        "http://cloud.localhost:4566",
        "http://[::1]:4566",
    ],
)
def test_on_a_local_cloud_requests_go_to_the_address_that_resolves(endpoint_url: str) -> None:
    expected = f"{endpoint_url.rstrip('/')}/_aws/execute-api/a1b2c3"
    assert invoke_url("a1b2c3", "http://a1b2c3.execute-api.localhost:4566", endpoint_url) == expected


def test_an_api_as_wanted_has_no_difference() -> None:
    wanted = WantedApi(
        name="demo",
        routes={"POST /demo": Integration(LIVE, 30000)},
        description="d",
        throttle=Throttle(1.0, 2),
        tags={"a": "b"},
    )
    found = FoundApi(
        api_id="a1b2c3",
        name="demo",
        api_endpoint=ENDPOINT,
        description="d",
        tags={"a": "b"},
        integrations=(FoundIntegration("i1", LIVE, 30000),),
        routes=(FoundRoute("r1", "POST /demo", "i1"),),
        stage=FoundStage(auto_deploy=True, throttle=Throttle(1.0, 2)),
    )
    assert describe_found(found) == describe_wanted(wanted, found)


def test_throttling_that_nobody_asked_about_is_no_difference() -> None:
    wanted = WantedApi(name="demo", routes={})
    found = FoundApi("a", "demo", ENDPOINT, stage=FoundStage(auto_deploy=True, throttle=Throttle(1.0, 2)))
    assert describe_found(found) == describe_wanted(wanted, found)


def test_a_route_that_leads_nowhere_is_shown_as_such() -> None:
    found = FoundApi("a", "demo", ENDPOINT, routes=(FoundRoute("r1", "POST /demo", "gone"),))
    assert describe_found(found)["routes"] == [{"route_key": "POST /demo", "function_arn": None, "timeout_ms": None}]


def test_no_api_is_an_empty_side() -> None:
    assert describe_found(None) == {}
