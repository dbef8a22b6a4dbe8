# SPDX-License-Identifier: GPL-3.0-or-later
"""InvokeEndpointAsync: input from S3 or the call, results to S3, word to SNS, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlparse

import pytest
from botocore.exceptions import ClientError
from local_cloud_process import is_gone
from local_cloud_workbench import Workbench

BUCKET = "results"


def make_endpoint(workbench: Workbench, *, concurrency: int = 4, **output: Any) -> str:
    name = workbench.name("config")
    workbench.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": workbench.model(),
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
        AsyncInferenceConfig={
            "OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/out", "S3FailurePath": f"s3://{BUCKET}/failed", **output},
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": concurrency},
        },
    )
    return workbench.endpoint(name)


@pytest.fixture(scope="module")
def topics(workbench: Workbench) -> dict[str, tuple[str, str]]:
    """An SNS topic for each outcome, with the SQS queue that hears it."""
    sns, sqs = workbench.cloud.client("sns"), workbench.cloud.client("sqs")
    made = {}
    for name in ("good", "bad"):
        topic = sns.create_topic(Name=name)["TopicArn"]
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        made[name] = (topic, queue)
    return made


@pytest.fixture(scope="module")
def endpoint(workbench: Workbench, topics: dict[str, tuple[str, str]]) -> str:
    workbench.cloud.client("s3").create_bucket(Bucket=BUCKET)
    notifications = {
        "SuccessTopic": topics["good"][0],
        "ErrorTopic": topics["bad"][0],
        "IncludeInferenceResponseIn": ["ERROR_NOTIFICATION_TOPIC"],
    }
    return make_endpoint(workbench, NotificationConfig=notifications)


def invoke(workbench: Workbench, endpoint: str, **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = workbench.runtime.invoke_endpoint_async(EndpointName=endpoint, **parameters)
    return answer


def wait_for(find: Callable[[], Any]) -> Any:
    for _ in range(600):
        if (found := find()) is not None:
            return found
        time.sleep(0.05)
    pytest.fail("it did not come")


def result(workbench: Workbench, url: str) -> tuple[bytes, str]:
    """The content and the type of an object, once it is there."""
    place = urlparse(url)

    def find() -> tuple[bytes, str] | None:
        try:
            found = workbench.cloud.client("s3").get_object(Bucket=place.netloc, Key=place.path[1:])
        except ClientError:
            return None
        return found["Body"].read(), found["ContentType"]

    return wait_for(find)


def heard(workbench: Workbench, queue: str) -> dict[str, Any]:
    """The next notification."""

    def find() -> dict[str, Any] | None:
        for message in workbench.cloud.client("sqs").receive_message(QueueUrl=queue).get("Messages", ()):
            workbench.cloud.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            content: dict[str, Any] = json.loads(message["Body"])
            return content
        return None

    return wait_for(find)


def test_a_request_from_s3_is_answered_to_s3_and_told(
    workbench: Workbench, endpoint: str, topics: dict[str, tuple[str, str]]
) -> None:
    workbench.cloud.client("s3").put_object(Bucket=BUCKET, Key="in/1.json", Body=b"{}")
    answer = invoke(
        workbench,
        endpoint,
        InputLocation=f"s3://{BUCKET}/in/1.json",
        ContentType="application/json",
        Accept="text/x",
        CustomAttributes="mine",
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["OutputLocation"].startswith(f"s3://{BUCKET}/out/")
    assert answer["OutputLocation"].endswith(".out")
    assert answer["FailureLocation"].endswith("-error.out")
    body, content_type = result(workbench, answer["OutputLocation"])
    headers = json.loads(body)["headers"]
    assert content_type == "application/json"
    assert (headers["content-type"], headers["accept"]) == ("application/json", "text/x")
    assert headers["x-amzn-sagemaker-inference-id"] == answer["InferenceId"]
    message = heard(workbench, topics["good"][1])
    assert (message["invocationStatus"], message["inferenceId"]) == ("Completed", answer["InferenceId"])
    assert message["requestParameters"]["endpointName"] == endpoint
    assert message["responseParameters"]["outputLocation"] == answer["OutputLocation"]


def test_a_request_may_come_with_its_body_and_name_its_result(workbench: Workbench, endpoint: str) -> None:
    answer = invoke(
        workbench,
        endpoint,
        Body=b"{}",
        InferenceId="chosen",
        S3OutputPathExtension="by/name",
        Filename="result.json",
    )
    assert answer["InferenceId"] == "chosen"
    assert answer["OutputLocation"] == f"s3://{BUCKET}/out/by/name/result.json"
    assert json.loads(result(workbench, answer["OutputLocation"])[0])["pid"]


def test_a_containers_refusal_goes_to_the_failure_location(
    workbench: Workbench, endpoint: str, topics: dict[str, tuple[str, str]]
) -> None:
    answer = invoke(workbench, endpoint, Body=json.dumps({"status": 400}))
    body, _ = result(workbench, answer["FailureLocation"])
    assert json.loads(body)["error"]["message"] == "as asked"
    message = heard(workbench, topics["bad"][1])
    assert (message["invocationStatus"], message["inferenceId"]) == ("Failed", answer["InferenceId"])
    assert message["failureReason"].startswith("Received client error (400) from primary with message")
    assert message["responseBody"]["encoding"] == "BASE64"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"InputLocation": f"s3://{BUCKET}/no/such.json"}, "The input could not be downloaded"),
        ({"Body": b'{"stream": ["a"]}'}, "did not specify the required Content-Length header"),
        ({"Body": b'{"sleep": 3}', "InvocationTimeoutSeconds": 1}, "Your invocation timed out while waiting"),
    ],
)
def test_what_goes_wrong_without_an_answer_is_told_in_words(
    workbench: Workbench, endpoint: str, parameters: dict[str, Any], words: str
) -> None:
    answer = invoke(workbench, endpoint, **parameters)
    assert words in result(workbench, answer["FailureLocation"])[0].decode()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_instance_is_given_as_many_requests_at_once_as_it_may_have(workbench: Workbench, concurrency: int) -> None:
    endpoint = make_endpoint(workbench, concurrency=concurrency)
    answers = [invoke(workbench, endpoint, Body=json.dumps({"sleep": 0.3})) for _ in range(5)]
    at_once = [json.loads(result(workbench, answer["OutputLocation"])[0])["answering"] for answer in answers]
    assert max(at_once) == concurrency


def test_the_endpoints_kind_decides_which_calls_it_takes(workbench: Workbench, endpoint: str) -> None:
    real_time = workbench.serving(instances=1)
    for call in (
        lambda: workbench.invoke(endpoint),
        lambda: workbench.runtime.invoke_endpoint_with_response_stream(EndpointName=endpoint, Body=b"{}"),
        lambda: invoke(workbench, real_time, Body=b"{}"),
        lambda: invoke(workbench, endpoint),
        lambda: invoke(workbench, endpoint, Body=b"{}", InputLocation=f"s3://{BUCKET}/in"),
        lambda: invoke(workbench, endpoint, Body=b"x" * 128_001),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_sagemakers_own_log_names_the_request(workbench: Workbench, endpoint: str) -> None:
    answer = invoke(workbench, endpoint, Body=json.dumps({"status": 500}))
    logs = workbench.cloud.client("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint}"

    def find() -> str | None:
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        for stream in streams:
            if stream["logStreamName"].endswith("/data-log"):
                events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
                for event in events:
                    if answer["InferenceId"] in event["message"]:
                        return str(event["message"])
        return None

    assert f"[sagemaker logs] [{answer['InferenceId']}] Received server error (500) from primary" in wait_for(find)


def test_the_queue_survives_the_clouds_stop_and_its_death(workbench: Workbench) -> None:
    cloud, endpoint = workbench.cloud, make_endpoint(workbench, concurrency=1)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        answers = [invoke(workbench, endpoint, Body=json.dumps({"sleep": 0.3})) for _ in range(3)]
        pid = cloud.get("/_local_cloud/health")["pid"]
        os.kill(pid, ending)
        wait_for(lambda pid=pid: is_gone(pid) or None)
        cloud.start()
        for answer in answers:
            assert json.loads(result(workbench, answer["OutputLocation"])[0])["pid"]
