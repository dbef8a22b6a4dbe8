# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page of a running cloud. What it looks like is for tests/browser to see."""

from __future__ import annotations

import http.client
import re

import pytest
from botocore.exceptions import WaiterError
from local_cloud_process import LocalCloud
from local_cloud_workbench import Workbench

UI = "/_local_cloud/ui"
PLACE = "000000000000/us-east-1"


def fetch(cloud: LocalCloud, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    connection.request(method, path, headers={"accept": "text/html", **headers})
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer, content


def page(cloud: LocalCloud, path: str = "/") -> str:
    """A page that is there."""
    answer, content = fetch(cloud, path)
    assert answer.status == 200, content
    return content


def test_a_browser_gets_the_page_at_the_root_and_boto3_its_buckets(workbench: Workbench) -> None:
    assert "<h1>Local cloud</h1>" in page(workbench.cloud)
    assert [bucket["Name"] for bucket in workbench.cloud.client("s3").list_buckets()["Buckets"]] == ["models"]
    answer, content = fetch(workbench.cloud, "/", accept="*/*")
    assert "<ListAllMyBucketsResult" in content, answer.status


def test_reading_the_page_is_no_call_and_changes_nothing(workbench: Workbench) -> None:
    before = workbench.cloud.get("/_local_cloud/calls?since=0")["next"]
    for path in ("/", f"{UI}/endpoints", f"{UI}/models", f"{UI}/calls", f"{UI}/logs/cloud"):
        page(workbench.cloud, path)
    assert workbench.cloud.get("/_local_cloud/calls?since=0")["next"] == before
    assert fetch(workbench.cloud, f"{UI}/calls", "POST")[0].status == 405
    answer, content = fetch(workbench.cloud, "/", "HEAD")
    assert (answer.status, content) == (200, "")


def test_a_web_page_with_a_name_of_its_own_cannot_read_it(workbench: Workbench) -> None:
    answer, content = fetch(workbench.cloud, f"{UI}/calls", host="rebound.example:4566")
    assert answer.status == 403
    assert "CreateModel" not in content
    assert "<h1>Local cloud</h1>" not in fetch(workbench.cloud, "/", host="rebound.example:4566")[1]


def test_an_endpoint_has_a_page_with_its_process_its_requests_and_its_log(workbench: Workbench) -> None:
    endpoint = workbench.serving(GENERATION="blue")
    process = workbench.invoke(endpoint)["pid"]
    overview = page(workbench.cloud)
    content = page(workbench.cloud, f"{UI}/endpoints/{PLACE}/{endpoint}")
    for shown in (overview, content):
        assert re.search(rf">{endpoint}(</a>)?</h[13]><span class=\"badge good\">InService<", shown)
        assert f">pid {process}</td>" in shown
        assert 'role="cell" data-label="Answer"><span class="muted">200</span>' in shown
    assert "serving generation blue" in content
    log = re.search(rf'href="({UI}/logs/[^"]+)">log', content)
    assert log is not None
    assert "serving generation blue" in page(workbench.cloud, log[1])


def test_a_request_that_failed_is_listed_with_its_error(workbench: Workbench) -> None:
    endpoint = workbench.serving()
    with pytest.raises(workbench.runtime.exceptions.ModelError):
        workbench.invoke(endpoint, {"status": 500})
    assert "424 ModelError" in page(workbench.cloud, f"{UI}/endpoints/{PLACE}/{endpoint}")


def test_a_failed_endpoint_shows_its_reason_and_what_its_container_wrote(workbench: Workbench) -> None:
    name = workbench.name("broken")
    config = workbench.config(workbench.model(TEST_MODE="crash"))
    workbench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    with pytest.raises(WaiterError):
        workbench.wait("endpoint_in_service", name)
    content = page(workbench.cloud, f"{UI}/endpoints/{PLACE}/{name}")
    assert f'<p class="reason">{workbench.describe(name)["FailureReason"]}</p>' in content
    assert "this model is broken on purpose" in content


def test_an_endpoint_that_waits_for_its_container_says_what_ping_answers(workbench: Workbench) -> None:
    name = workbench.name("slow")
    config = workbench.config(workbench.model(TEST_MODE="unhealthy"))
    workbench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    while "/ping answers 503" not in (content := page(workbench.cloud, f"{UI}/endpoints/{PLACE}/{name}")):
        assert workbench.describe(name)["EndpointStatus"] == "Creating", "it failed, and never said what it waited for"
    assert ">starting</span>" in content


def test_what_a_container_writes_is_text_and_never_markup(workbench: Workbench) -> None:
    endpoint = workbench.serving(GENERATION="<script>alert(1)</script>")
    content = page(workbench.cloud, f"{UI}/endpoints/{PLACE}/{endpoint}")
    assert "serving generation &lt;script&gt;" in content
    assert "<script" not in content


def test_the_url_of_an_http_api_can_be_copied_and_works(workbench: Workbench) -> None:
    gateway = workbench.cloud.client("apigatewayv2")
    api = gateway.create_api(Name="demo-api", ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    gateway.create_route(ApiId=api, RouteKey="POST /demo")
    url = f"{workbench.cloud.url}/_aws/execute-api/{api}/demo"
    assert f"curl -sS -X POST &#x27;{url}&#x27;" in page(workbench.cloud)


def test_calls_can_be_searched(workbench: Workbench) -> None:
    with pytest.raises(workbench.sagemaker.exceptions.ClientError):
        workbench.describe("not-there")
    everything = page(workbench.cloud, f"{UI}/calls")
    assert "CreateRole" in everything
    refusals = page(workbench.cloud, f"{UI}/calls?show=errors&find=describeendpoint")
    assert "400 ValidationException" in refusals
    assert "CreateRole" not in refusals
    assert "CreateRole" in page(workbench.cloud, f"{UI}/calls?show=writes&before=99999")
    assert "No such call" in page(workbench.cloud, f"{UI}/calls?before=1")
    for nonsense in ("before=%F0%9F%92%A5", f"before={'9' * 5000}", "show=nothing&before=-1", "find=%ff%00"):
        page(workbench.cloud, f"{UI}/calls?{nonsense}")


def test_an_armed_fault_is_announced(workbench: Workbench) -> None:
    cloud = workbench.cloud
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    fault = b'{"kind": "throttle", "operation": "CreateModel", "resource": "nobody"}'
    connection.request("POST", "/_local_cloud/faults", fault, {"content-type": "application/json"})
    assert connection.getresponse().status < 300
    connection.close()
    content = page(cloud)
    assert "1 fault armed" in content
    assert ">CreateModel nobody…</td>" in content


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        f"/endpoints/{PLACE}/not-there",
        f"/logs/{PLACE}/not-there/i-0123456789abcdef0",
        f"/logs/{PLACE}/..%2F..%2Fstate/i-0123456789abcdef0",
        f"/logs/{PLACE}/../../cloud.log",
        f"/logs/{PLACE}/demo/..",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(workbench: Workbench, path: str) -> None:
    answer, content = fetch(workbench.cloud, UI + path)
    assert answer.status == 404
    assert "<h1>Not here</h1>" in content
