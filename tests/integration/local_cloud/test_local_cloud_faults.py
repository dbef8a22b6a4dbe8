# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of calls, as boto3 meets them."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ResponseStreamingError
from botocore.parsers import create_parser
from local_cloud_process import SOURCE, LocalCloud, cloud_python
from local_cloud_workbench import Workbench

# One cheap call of each service that a stage uses.
CALLS: dict[str, Callable[[Any], Any]] = {
    "sagemaker": lambda client: client.list_models(),
    "sagemaker-runtime": lambda client: client.invoke_endpoint(EndpointName="demo", Body=b"{}"),
    "iam": lambda client: client.list_roles(),
    "s3": lambda client: client.list_objects_v2(Bucket="models"),
    "ecr": lambda client: client.describe_repositories(),
    "lambda": lambda client: client.list_functions(),
    "apigatewayv2": lambda client: client.get_apis(),
    "logs": lambda client: client.describe_log_groups(),
    "cloudwatch": lambda client: client.describe_alarms(),
    "application-autoscaling": lambda client: client.describe_scalable_targets(ServiceNamespace="sagemaker"),
    "sts": lambda client: client.get_caller_identity(),
}
THROTTLES = {
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "cloudwatch": ("Throttling", 400),
    "s3": ("SlowDown", 503),
    "lambda": ("TooManyRequestsException", 429),
    "apigatewayv2": ("TooManyRequestsException", 429),
    "sagemaker-runtime": ("ThrottlingException", 429),
}


class Faults:
    """The faults' API of a cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def ask(self, method: str, page: str, content: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.port)
        body = content if content is None or isinstance(content, bytes) else json.dumps(content)
        connection.request(method, f"/_local_cloud/{page}", body, {"content-type": "application/json", **headers})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def arm(self, kind: str, **fault: Any) -> str:
        status, answer = self.ask("POST", "faults", {"kind": kind, **fault})
        assert status == 200, answer
        fault_id: str = answer["faults"][0]["id"]
        return fault_id

    def struck(self, fault_id: str) -> int:
        count: int = self.ask("GET", f"faults/{fault_id}")[1]["struck"]
        return count

    def until_struck(self, fault_id: str, times: int = 1) -> None:
        while self.struck(fault_id) < times:
            time.sleep(0.02)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m local_cloud …` against this cloud."""
        return subprocess.run(
            [str(cloud_python()), "-m", "local_cloud", *arguments],
            cwd=SOURCE,
            env={"AWS_ENDPOINT_URL": self.cloud.url},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def faults(workbench: Workbench) -> Iterator[Faults]:
    """No fault is armed before or after a test."""
    faults = Faults(workbench.cloud)
    yield faults
    faults.ask("DELETE", "faults")


def refusal(call: Callable[[], Any]) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call()
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    return error["Code"], error["Message"], metadata["HTTPStatusCode"]


def refused_until_answered(call: Callable[[], Any]) -> list[str]:
    """Ask until there is an answer; the messages of the refusals before."""
    messages = []
    while True:
        try:
            call()
        except ClientError as error:
            messages.append(str(error))
            time.sleep(0.05)
        else:
            return messages


def outcomes(count: int, call: Callable[[], Any]) -> str:
    """A letter for each of `count` calls: "." answered, "x" refused."""
    letters = ""
    for _ in range(count):
        try:
            call()
            letters += "."
        except ClientError:
            letters += "x"
    return letters


@pytest.mark.parametrize("service", CALLS)
def test_every_service_throttles_in_its_own_words(workbench: Workbench, faults: Faults, service: str) -> None:
    client = workbench.cloud.client(service)
    faults.arm("throttle", service=service, times=1)
    code, message, status = refusal(lambda: CALLS[service](client))
    assert (code, status) == THROTTLES.get(service, ("ThrottlingException", 400))
    assert message
    if service != "sagemaker-runtime":
        CALLS[service](client)


@pytest.mark.parametrize("service", CALLS)
def test_every_service_answers_the_error_that_was_asked_for(workbench: Workbench, faults: Faults, service: str) -> None:
    client = workbench.cloud.client(service)
    faults.arm("error", service=service, code="AccessDeniedException", status=403, message="Not <you> & not now.")
    expected = ("AccessDeniedException", "Not <you> & not now.", 403)
    assert refusal(lambda: CALLS[service](client)) == expected


@pytest.mark.parametrize(
    ("protocol", "path", "headers", "body"),
    [
        (
            "smithy-rpc-v2-cbor",
            "/service/GraniteServiceVersion20100801/operation/DescribeAlarms",
            {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"},
            b"\xa0",
        ),
        ("json", "/", {"x-amz-target": "GraniteServiceVersion20100801.DescribeAlarms"}, b"{}"),
        ("query", "/", {"content-type": "application/x-www-form-urlencoded"}, b"Action=DescribeAlarms"),
    ],
)
def test_cloudwatch_refuses_in_each_protocol_it_speaks(
    faults: Faults, protocol: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    faults.arm("error", service="cloudwatch", operation="DescribeAlarms", code="InternalServiceFault", message="Why.")
    scope = "000000000000/20261123/us-east-1/monitoring/aws4_request"
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    connection = http.client.HTTPConnection("127.0.0.1", faults.cloud.port)
    connection.request("POST", path, body, {**signed, **headers})
    response = connection.getresponse()
    answer = {"status_code": response.status, "headers": dict(response.getheaders()), "body": response.read()}
    connection.close()
    error = create_parser(protocol).parse(answer, None)["Error"]
    assert (error["Code"], error["Message"]) == ("InternalServiceFault", "Why.")


def test_counts_and_chances_choose_the_calls_to_strike(workbench: Workbench, faults: Faults) -> None:
    sts, iam = workbench.cloud.client("sts"), workbench.cloud.client("iam")

    def ask() -> Any:
        return sts.get_caller_identity()

    nth = faults.arm("throttle", operation="GetCallerIdentity", nth=2)
    assert outcomes(4, ask) == ".x.."
    assert faults.struck(nth) == 1
    faults.ask("DELETE", "faults")
    faults.arm("throttle", operation="GetCaller*", every=2, times=2)
    iam.list_roles()
    assert outcomes(7, ask) == ".x.x..."
    faults.ask("DELETE", "faults")
    runs = []
    for _ in range(2):
        faults.arm("throttle", probability=0.3, seed=5)
        runs.append(outcomes(20, ask))
        faults.ask("DELETE", "faults")
    assert runs[0] == runs[1]
    assert 1 <= runs[0].count("x") <= 12


def test_each_distinct_call_is_throttled_once(workbench: Workbench, faults: Faults) -> None:
    iam, s3 = workbench.cloud.client("iam"), workbench.cloud.client("s3")
    faults.arm("throttle", each_once=True)
    assert outcomes(3, lambda: iam.get_role(RoleName="execution")) == "x.."
    assert outcomes(2, iam.list_roles) == "x."
    assert outcomes(2, lambda: s3.get_object(Bucket="models", Key="demo/model.tar.gz")) == "x."
    assert outcomes(2, lambda: s3.head_bucket(Bucket="models")) == "x."
    assert outcomes(1, lambda: iam.get_role(RoleName="execution")) == "."


def test_a_fault_is_for_one_stage_or_one_caller_alone(workbench: Workbench, faults: Faults) -> None:
    logs, sagemaker = workbench.cloud.client("logs"), workbench.sagemaker
    faults.arm("throttle", resource="modelhost-local")
    logs.create_log_group(logGroupName="/aws/lambda/modelhost-other")
    refused = refusal(lambda: logs.create_log_group(logGroupName="/aws/lambda/modelhost-local-demo"))
    assert refused[0] == "ThrottlingException"
    assert "Throttling" in refusal(lambda: sagemaker.describe_model(ModelName="modelhost-local-1"))[0]
    assert "Throttling" in refusal(lambda: sagemaker.list_models(NameContains="modelhost-local"))[0]
    sagemaker.list_models()
    faults.ask("DELETE", "faults")
    other = type(workbench.cloud)(
        workbench.cloud.home, workbench.cloud.venvs, workbench.cloud.port, access_key="222222222222"
    )
    faults.arm("throttle", access_key="222222222222")
    sagemaker.list_models()
    assert refusal(other.client("sagemaker").list_models)[0] == "ThrottlingException"
    faults.ask("DELETE", "faults")
    faults.arm("throttle", account="222222222222", access="write")
    other.client("sagemaker").list_models()
    assert refusal(lambda: other.client("s3").create_bucket(Bucket="other"))[0] == "SlowDown"


def test_a_delay_lets_the_call_wait_and_go_on(workbench: Workbench, faults: Faults) -> None:
    fault = faults.arm("delay", seconds=0.3, operation="ListModels", times=1)
    before = time.monotonic()
    workbench.sagemaker.list_models()
    assert time.monotonic() - before >= 0.3
    call = workbench.cloud.get("/_local_cloud/calls")["calls"][-1]
    assert call["fault"] == fault
    assert (call["operation"], call["status"]) == ("ListModels", 200)
    assert call["ms"] >= 300


@pytest.mark.parametrize("after_work", [False, True])
@pytest.mark.parametrize("service", ["sagemaker", "s3"])
def test_a_dropped_connection_has_no_answer_and_may_have_done_its_work(
    workbench: Workbench, faults: Faults, service: str, after_work: bool
) -> None:
    name = workbench.name("dropped")
    fault = faults.arm("drop", service=service, access="write", times=1, after_work=after_work)
    with pytest.raises(ConnectionClosedError):
        workbench.model(name) if service == "sagemaker" else workbench.cloud.client(service).create_bucket(Bucket=name)
    assert faults.struck(fault) == 1
    if service == "sagemaker":
        there = [model["ModelName"] for model in workbench.sagemaker.list_models(NameContains=name)["Models"]]
    else:
        there = [bucket["Name"] for bucket in workbench.cloud.client("s3").list_buckets()["Buckets"]]
    assert (name in there) is after_work


def test_an_upload_that_is_refused_before_it_was_sent_leaves_a_client_that_works(
    workbench: Workbench, faults: Faults
) -> None:
    s3 = workbench.cloud.client("s3")
    faults.arm("throttle", operation="PutObject", times=1)
    assert refusal(lambda: s3.put_object(Bucket="models", Key="big", Body=b"x" * 5_000_000))[0] == "SlowDown"
    s3.put_object(Bucket="models", Key="big", Body=b"x" * 5_000_000)
    assert s3.head_object(Bucket="models", Key="big")["ContentLength"] == 5_000_000
    connection = http.client.HTTPConnection("127.0.0.1", workbench.cloud.port)
    faults.arm("throttle", times=1)
    for status in (503, 404):
        connection.request("PUT", "/no-such-bucket/key", b"x" * 5_000_000)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


def test_a_client_that_tries_again_gets_over_a_drop(workbench: Workbench, faults: Faults) -> None:
    patient = boto3.client(
        "sagemaker",
        endpoint_url=workbench.cloud.url,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 4, "mode": "standard"}),
    )
    faults.arm("drop", operation="ListModels", times=1)
    assert patient.list_models()["ResponseMetadata"]["RetryAttempts"] == 1


def test_an_answer_is_cut_in_the_middle(workbench: Workbench, faults: Faults) -> None:
    s3 = workbench.cloud.client("s3")
    s3.put_object(Bucket="models", Key="long", Body=b"x" * 100_000)
    faults.arm("cut_answer", times=2)
    body = s3.get_object(Bucket="models", Key="long")["Body"]
    with pytest.raises((ResponseStreamingError, HTTPClientError, OSError)):
        body.read()
    with pytest.raises(HTTPClientError):
        workbench.sagemaker.list_models()
    assert len(s3.get_object(Bucket="models", Key="long")["Body"].read()) == 100_000


@pytest.mark.parametrize("after_work", [False, True])
def test_a_client_can_be_killed_at_its_kth_call(workbench: Workbench, faults: Faults, after_work: bool) -> None:
    prefix = workbench.name("killed")
    script = (
        "import boto3, sys\n"
        "s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', "
        "aws_access_key_id='333333333333', aws_secret_access_key='x')\n"
        "for number in range(1, 6): s3.create_bucket(Bucket=f'{sys.argv[2]}-{number}')\n"
    )
    fault = faults.arm("hold", access_key="333333333333", nth=3, after_work=after_work)
    client = subprocess.Popen([sys.executable, "-c", script, workbench.cloud.url, prefix])
    faults.until_struck(fault)
    other = type(workbench.cloud)(
        workbench.cloud.home, workbench.cloud.venvs, workbench.cloud.port, access_key="333333333333"
    ).client("s3")
    made = 3 if after_work else 2
    while len([b for b in other.list_buckets()["Buckets"] if b["Name"].startswith(prefix)]) < made:
        time.sleep(0.02)
    assert client.poll() is None
    client.kill()
    client.wait()
    buckets = [bucket["Name"] for bucket in other.list_buckets()["Buckets"] if bucket["Name"].startswith(prefix)]
    assert sorted(buckets) == [f"{prefix}-{number}" for number in range(1, made + 1)]


def test_a_held_call_is_let_go_when_its_fault_is_removed(workbench: Workbench, faults: Faults) -> None:
    fault = faults.arm("hold", operation="ListModels")
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            workbench.sagemaker.list_models()
        except ConnectionClosedError as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    faults.until_struck(fault)
    faults.ask("DELETE", f"faults/{fault}")
    asking.join()
    assert raised


def test_what_was_just_created_is_not_seen_for_a_while(workbench: Workbench, faults: Faults) -> None:
    iam, sagemaker = workbench.cloud.client("iam"), workbench.sagemaker
    fault = faults.arm("stale_reads", seconds=600)
    model, role = workbench.model(), workbench.name("role")
    assert refusal(lambda: sagemaker.describe_model(ModelName=model))[1].startswith("Could not find model")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    code, message, _ = refusal(lambda: iam.get_role(RoleName=role))
    assert code == "NoSuchEntity"
    assert role in message
    assert faults.struck(fault) == 2
    iam.get_role(RoleName="execution")
    faults.ask("DELETE", "faults")
    assert sagemaker.describe_model(ModelName=model)["ModelName"] == model
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role


def test_what_was_just_created_cannot_be_built_upon_for_a_while(workbench: Workbench, faults: Faults) -> None:
    before = workbench.model()
    fault = faults.arm("stale_reads", seconds=0.5)
    model = workbench.model()
    code, message, _ = refusal(lambda: workbench.config(model))
    assert (code, message.startswith("Could not find model")) == ("ValidationException", True)
    config, name = workbench.config(before), workbench.name()
    messages = refused_until_answered(
        lambda: workbench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    )
    assert all("Could not find endpoint configuration" in message for message in messages)
    assert faults.struck(fault) >= 2
    faults.ask("DELETE", "faults")
    workbench.wait("endpoint_in_service", name)


def test_reads_answer_what_they_did_before_a_write_until_the_time_is_up(workbench: Workbench, faults: Faults) -> None:
    ecr, sagemaker = workbench.cloud.client("ecr"), workbench.sagemaker
    repository, kept = workbench.name("repo"), workbench.model()
    ecr.create_repository(repositoryName=repository, imageTagMutability="MUTABLE")

    def mutability() -> str:
        answer = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["imageTagMutability"]
        return str(answer)

    fault = faults.arm("stale_reads", seconds=0.5, service="ecr")
    assert mutability() == "MUTABLE"
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    assert mutability() == "MUTABLE"
    while mutability() == "MUTABLE":
        time.sleep(0.05)
    assert faults.struck(fault) >= 1
    faults.ask("DELETE", "faults")
    faults.arm("stale_reads", seconds=600, operation="DescribeModel")
    sagemaker.delete_model(ModelName=kept)
    assert sagemaker.describe_model(ModelName=kept)["ModelName"] == kept
    assert sagemaker.list_models(NameContains=kept)["Models"] == []


def test_a_changed_endpoint_is_described_as_it_was(workbench: Workbench, faults: Faults) -> None:
    endpoint = workbench.serving()
    old = workbench.describe(endpoint)
    config = workbench.config(workbench.model())
    faults.arm("stale_reads", seconds=600, resource=endpoint, times=3)
    workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    for _ in range(3):
        stale = workbench.describe(endpoint)
        assert (stale["EndpointStatus"], stale["EndpointConfigName"]) == ("InService", old["EndpointConfigName"])
    workbench.wait("endpoint_in_service", endpoint)
    assert workbench.describe(endpoint)["EndpointConfigName"] == config


def test_a_role_is_not_assumable_yet(workbench: Workbench, faults: Faults) -> None:
    config = workbench.config(workbench.model())
    faults.arm("role_not_assumable", times=3)
    code, message, _ = refusal(workbench.model)
    assert code == "ValidationException"
    assert workbench.role_arn in message
    code, message, _ = refusal(
        lambda: workbench.sagemaker.create_endpoint(EndpointName="early", EndpointConfigName=config)
    )
    assert (code, workbench.role_arn in message) == ("ValidationException", True)
    code, message, _ = refusal(
        lambda: workbench.cloud.client("lambda").create_function(
            FunctionName="early", Role=workbench.role_arn, Runtime="python3.11", Handler="x.y", Code={"ZipFile": b"x"}
        )
    )
    assert code == "InvalidParameterValueException"
    assert message == "The role defined for the function cannot be assumed by Lambda."
    assert workbench.model()
    faults.arm("role_not_assumable", seconds=0.3)
    refusal(workbench.model)
    refused_until_answered(workbench.model)


def test_faults_are_armed_listed_and_disarmed(faults: Faults) -> None:
    status, answer = faults.ask("POST", "faults", [{"kind": "throttle", "nth": 2}, {"id": "mine", "kind": "drop"}])
    assert status == 200
    assert [fault["kind"] for fault in answer["faults"]] == ["throttle", "drop"]
    assert len(faults.ask("GET", "faults")[1]["faults"]) == 2
    shown = {"id": "mine", "kind": "drop", "seen": 0, "struck": 0, "spent": False}
    assert faults.ask("GET", "faults/mine") == (200, shown)
    assert faults.ask("DELETE", "faults/mine") == (200, {"removed": 1})
    status, answer = faults.ask("DELETE", "faults/mine")
    assert status == 404
    assert 'no fault with the id "mine"' in answer["error"]
    assert faults.ask("DELETE", "faults") == (200, {"removed": 1})
    assert faults.ask("GET", "faults") == (200, {"faults": []})


@pytest.mark.parametrize(
    ("method", "page", "content", "status", "said"),
    [
        ("POST", "faults", b"{", 400, "The body is not JSON"),
        ("POST", "faults", b"\xff", 400, "The body is not JSON"),
        ("POST", "faults", {"kind": "throtle"}, 400, "Did you mean throttle?"),
        ("POST", "faults", [{"kind": "drop"}, {"kind": "delay"}], 400, "Fault 2: delay needs seconds"),
        ("PUT", "faults", {}, 405, "POST arms"),
        ("POST", "endpoints/x/explode", {}, 404, "system-update, out-of-service, kill"),
        ("POST", "endpoints/x/kill", {"count": 0}, 400, "count is a whole number from 1"),
        ("POST", "endpoints/x/kill", {"often": 1}, 400, 'kill takes no "often"'),
        ("POST", "endpoints/x/kill", {"account": "1"}, 400, "account is a number of 12 digits"),
        ("DELETE", "endpoints/x/kill", None, 405, "POST begins a kill"),
        ("GET", "nothing", None, 404, "There is no page /_local_cloud/nothing"),
        ("POST", "health", {}, 405, "read with GET"),
        ("GET", "calls?since=x", None, 400, "since is the number of a call"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    faults: Faults, method: str, page: str, content: Any, status: int, said: str
) -> None:
    answered, answer = faults.ask(method, page, content)
    assert answered == status
    assert said in answer["error"]
    assert faults.ask("GET", "faults") == (200, {"faults": []}), "nothing of a refused request is armed"


def test_a_web_page_of_somewhere_else_can_neither_read_nor_arm(faults: Faults) -> None:
    drop = {"kind": "drop"}
    assert faults.ask("GET", "faults", None, host="evil.example")[0] == 403
    assert faults.ask("GET", "calls?since=0", None, **{"sec-fetch-site": "cross-site"})[0] == 403
    assert faults.ask("POST", "faults", drop, **{"content-type": "text/plain"})[0] == 415


def test_the_command_arms_lists_and_disarms(faults: Faults, tmp_path: Any) -> None:
    added = faults.command("faults", "add", "throttle", "--operation", "CreateModel", "--nth", "2", "--id", "mine")
    assert (added.returncode, added.stderr) == (0, "")
    assert added.stdout == "mine: throttle operation=CreateModel nth=2 (struck none yet)\n"
    script = tmp_path / "faults.json"
    script.write_text(json.dumps({"resource": "modelhost-local", "faults": [{"kind": "drop"}, {"kind": "hold"}]}))
    assert faults.command("faults", "load", str(script)).stdout.count("resource=modelhost-local") == 2
    assert faults.command("faults", "list").stdout.count("\n") == 3
    assert faults.command("faults", "remove", "mine").stdout == "mine is disarmed.\n"
    assert faults.command("faults", "clear").stdout == "2 faults disarmed.\n"
    assert faults.command("faults", "list").stdout == "No fault is armed.\n"


def test_the_command_makes_things_happen_to_an_endpoint(workbench: Workbench, faults: Faults) -> None:
    endpoint = workbench.serving(instances=1)
    pid = workbench.invoke(endpoint)["pid"]
    assert faults.command("endpoint", "system-update", endpoint).stderr == ""
    assert workbench.describe(endpoint)["EndpointStatus"] == "SystemUpdating"
    assert workbench.invoke(endpoint)["pid"] == pid
    again = faults.command("endpoint", "system-update", endpoint)
    assert again.returncode == 1
    assert "SystemUpdating" in again.stderr
    assert faults.command("endpoint", "system-update", endpoint, "--end").returncode == 0
    assert faults.command("endpoint", "out-of-service", endpoint).returncode == 0
    assert workbench.describe(endpoint)["EndpointStatus"] == "OutOfService"
    assert faults.command("endpoint", "out-of-service", endpoint, "--end").returncode == 0
    workbench.wait("endpoint_in_service", endpoint)
    assert "killed i-" in faults.command("endpoint", "kill", endpoint, "--count", "1").stdout
    refused_until_answered(lambda: workbench.invoke(endpoint))
    assert workbench.invoke(endpoint)["pid"] != pid


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("capacity_shortage", ("InService", "InsufficientInstanceCapacity")),
        ("silent_rollback", ("InService", "")),
        ("update_rollback_failed", ("UpdateRollbackFailed", "rollback")),
    ],
)
def test_an_armed_fault_strikes_the_next_update_of_an_endpoint(
    workbench: Workbench, faults: Faults, kind: str, outcome: tuple[str, str]
) -> None:
    endpoint = workbench.serving(instances=1)
    config = workbench.config(workbench.model(), instances=1)
    fault = faults.arm(kind, resource=endpoint)
    workbench.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    faults.until_struck(fault)
    while (after := workbench.describe(endpoint))["EndpointStatus"] in ("Updating", "RollingBack"):
        time.sleep(0.05)
    reason = after.get("FailureReason", "")
    assert (after["EndpointStatus"], outcome[1] in reason, bool(reason)) == (outcome[0], True, bool(outcome[1]))
    assert after["EndpointConfigName"] != config


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("faults", "add", "delay"), "delay needs seconds: how long."),
        (("faults", "add", "drop", "--probability", "3"), "probability is above 0 and up to 1"),
        (("faults", "remove", "none"), 'There is no fault with the id "none"'),
        (("faults", "load", "/no/such/file.json"), "/no/such/file.json cannot be read"),
        (("endpoint", "kill", "nothing"), "nothing"),
        (("faults", "list", "--port", "1"), "No local cloud answers at 127.0.0.1:1"),
        (("faults", "list", "--port", "99999"), "a port from 1 to 65535, not 99999"),
        (("faults", "add", "explode"), "invalid choice: 'explode'"),
    ],
)
def test_a_command_that_cannot_be_done_ends_in_a_sentence(
    faults: Faults, arguments: tuple[str, ...], said: str
) -> None:
    done = faults.command(*arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_held_call_does_not_keep_the_cloud_from_stopping(new_cloud: Callable[..., LocalCloud]) -> None:
    cloud = new_cloud()
    cloud.start()
    faults = Faults(cloud)
    holds = [faults.arm("hold", operation="ListModels"), faults.arm("delay", operation="ListRoles", seconds=3600)]

    def ask(call: Callable[[], Any]) -> None:
        with contextlib.suppress(HTTPClientError, ClientError):
            call()

    for fault, call in zip(holds, (cloud.client("sagemaker").list_models, cloud.client("iam").list_roles), strict=True):
        threading.Thread(target=ask, args=(call,), daemon=True).start()
        faults.until_struck(fault)
    assert "is stopped" in cloud.stop()
    log = (cloud.home / "cloud.log").read_text()
    assert "graceful shutdown exceeded" not in log, "the calls were cut off instead of let go"
