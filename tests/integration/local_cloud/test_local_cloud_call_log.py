# SPDX-License-Identifier: GPL-3.0-or-later
"""What the call log says of a call, and what it keeps to itself."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_process import SOURCE, cloud_python
from local_cloud_workbench import Workbench


class Log:
    """The calls since this was made."""

    def __init__(self, workbench: Workbench) -> None:
        self._cloud = workbench.cloud
        self._start = self._cloud.get("/_local_cloud/calls")["next"]

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self._cloud.get(f"/_local_cloud/calls?since={self._start}")["calls"]
        return calls


@pytest.fixture
def log(workbench: Workbench) -> Log:
    return Log(workbench)


def test_a_call_says_what_it_was_about(workbench: Workbench, log: Log) -> None:
    client = workbench.cloud.client
    client("s3").head_object(Bucket="models", Key="demo/model.tar.gz")
    client("iam").get_role(RoleName="execution")
    client("ecr").describe_images(repositoryName="demo/serving")
    client("logs").create_log_group(logGroupName="/aws/lambda/demo")
    client("cloudwatch").delete_alarms(AlarmNames=["late"])
    for service, call, arguments in (
        ("sagemaker", "describe_endpoint", {"EndpointName": "demo"}),
        ("sagemaker", "create_endpoint", {"EndpointName": "demo", "EndpointConfigName": "config"}),
        ("sagemaker", "list_tags", {"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/demo"}),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "demo", "Body": b"{}"}),
        ("lambda", "get_function", {"FunctionName": "demo"}),
        ("apigatewayv2", "get_api", {"ApiId": "abc123"}),
        (
            "application-autoscaling",
            "deregister_scalable_target",
            {
                "ServiceNamespace": "sagemaker",
                "ResourceId": "endpoint/demo/variant/AllTraffic",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            },
        ),
    ):
        with pytest.raises(ClientError):
            getattr(client(service), call)(**arguments)
    assert [(call["operation"], call["resource"]) for call in log.calls()] == [
        ("HeadObject", "models/demo/model.tar.gz"),
        ("GetRole", "execution"),
        ("DescribeImages", "demo/serving"),
        ("CreateLogGroup", "/aws/lambda/demo"),
        ("DeleteAlarms", "late"),
        ("DescribeEndpoint", "demo"),
        ("CreateEndpoint", "demo"),
        ("ListTags", "demo"),
        ("InvokeEndpoint", "demo"),
        ("GetFunction", "demo"),
        ("GetApi", "abc123"),
        ("DeregisterScalableTarget", "demo"),
    ]


def test_equal_calls_have_equal_digests_and_others_have_others(workbench: Workbench, log: Log) -> None:
    sagemaker, iam = workbench.sagemaker, workbench.cloud.client("iam")
    sagemaker.list_models(MaxResults=1, NameContains="a")
    sagemaker.list_models(NameContains="a", MaxResults=1)
    sagemaker.list_models(MaxResults=2, NameContains="a")
    iam.list_roles(MaxItems=5)
    iam.list_roles(MaxItems=5)
    iam.list_roles(MaxItems=6)
    digests = [call["digest"] for call in log.calls()]
    assert all(len(digest) == 16 for digest in digests)
    same = [first == second for first, second in itertools.pairwise(digests)]
    assert same == [True, False, False, True, False]


def test_who_called_is_told_by_the_arn(workbench: Workbench, log: Log) -> None:
    sts = workbench.cloud.client("sts")
    keys = sts.assume_role(RoleArn=workbench.role_arn, RoleSessionName="me")["Credentials"]
    other = type(workbench.cloud)(
        workbench.cloud.home, workbench.cloud.venvs, workbench.cloud.port, access_key=keys["AccessKeyId"]
    )
    other.client("sagemaker").list_models()
    first, last = log.calls()
    assert first["caller"] == "arn:aws:iam::000000000000:root"
    assert last["caller"] == "arn:aws:sts::000000000000:assumed-role/execution/me"
    assert (last["account"], last["region"]) == ("000000000000", "us-east-1")


def test_what_a_call_carries_is_not_written_down(workbench: Workbench, log: Log) -> None:
    secret = "hunter2-" + workbench.name()
    workbench.cloud.client("secretsmanager").create_secret(Name="s", SecretString=secret)
    workbench.model(TOKEN=secret)
    workbench.cloud.client("s3").put_object(Bucket="models", Key="s", Body=secret)
    connection = http.client.HTTPConnection("127.0.0.1", workbench.cloud.port)
    connection.request("GET", f"/models/s?X-Amz-Signature={secret}&X-Amz-Security-Token={secret}")
    connection.getresponse().read()
    connection.close()
    assert len(log.calls()) == 4
    assert secret not in json.dumps(log.calls())
    assert secret not in (workbench.cloud.home / "calls.jsonl").read_text()
    assert secret not in (workbench.cloud.home / "cloud.log").read_text()


def test_a_fault_that_struck_is_in_the_log(workbench: Workbench, log: Log) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", workbench.cloud.port)
    fault = json.dumps({"id": "mine", "kind": "throttle", "operation": "ListModels", "times": 1})
    connection.request("POST", "/_local_cloud/faults", fault, {"content-type": "application/json"})
    connection.getresponse().read()
    with pytest.raises(ClientError):
        workbench.sagemaker.list_models()
    workbench.sagemaker.list_models()
    connection.request("DELETE", "/_local_cloud/faults")
    connection.getresponse().read()
    connection.close()
    logged = [(call["fault"], call["status"], call["error"]) for call in log.calls()]
    assert logged == [("mine", 400, "ThrottlingException"), (None, 200, None)]


def test_people_read_the_calls_a_line_each(workbench: Workbench, log: Log) -> None:
    with pytest.raises(ClientError):
        workbench.sagemaker.delete_model(ModelName="nobody")
    workbench.sagemaker.list_models()
    (refused, _) = log.calls()
    argv = [str(cloud_python()), "-m", "local_cloud", "calls", "--last", "1", "--service", "sagemaker", "--writes"]
    done = subprocess.run(
        [*argv, "--port", str(workbench.cloud.port)], cwd=SOURCE, capture_output=True, text=True, check=False, env={}
    )
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    for part in (str(refused["n"]), "sagemaker DeleteModel", "nobody", "400 ValidationException", refused["digest"]):
        assert part in line


def test_nonsense_gets_an_answer_and_never_an_internal_error(workbench: Workbench) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=000000000000/20261123/us-east-1/{}/aws4_request, SignedHeaders=x, Signature=0"
    for method, path, service, headers, body in (
        ("POST", "/", "sagemaker", {"x-amz-target": "SageMaker.ListModels"}, b"\xff\xfe"),
        ("POST", "/", "sagemaker", {"x-amz-target": "SageMaker.Nothing"}, b"[" * 5000),
        ("POST", "/", "sagemaker", {"x-amz-target": "SageMaker.ListModels"}, b"[1]"),
        ("GET", "/endpoints/%00%ff/invocations", "sagemaker", {}, b""),
        ("POST", "/", "quicksight", {"content-type": "application/x-www-form-urlencoded"}, b"Action=%zz"),
        ("POST", "/", "application-autoscaling", {"x-amz-target": "AnyScaleFrontendService.\xe9"}, b"{}"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", workbench.cloud.port)
        connection.request(method, path, body, {"authorization": signed.format(service), **headers})
        response = connection.getresponse()
        response.read()
        connection.close()
        assert 400 <= response.status < 500, (path, headers)
