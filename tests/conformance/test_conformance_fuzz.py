# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is sent to an operation that we serve, the answer comes, and is never an error of ours.

LOCAL_CLOUD_FUZZ_EXAMPLES is how many inputs each operation gets, 10 if it is not set; the default ones are the same
in every run, with the variable set they are new ones.
"""

from __future__ import annotations

import http.client
import json
import os
import re
from typing import Any
from urllib.parse import quote

import botocore.session
import pytest
from botocore.model import ServiceModel
from conformance_rubbish import anything, bodies, parameters_of, texts
from conformance_source import source
from conformance_target import ACCOUNT, ARN, REGION, Target, instances, serverless
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_cloud.routing import OUR_ECR_OPERATIONS

EXAMPLES = os.environ.get("LOCAL_CLOUD_FUZZ_EXAMPLES")
SEARCH = settings(
    max_examples=int(EXAMPLES or 10),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
# How long an answer may take before it counts as none at all.
PATIENCE_SECONDS = 60

# botocore's directory -> the signing name, and what X-Amz-Target begins with.
JSON_SERVICES = {
    "sagemaker": ("sagemaker", "SageMaker."),
    "application-autoscaling": ("application-autoscaling", "AnyScaleFrontendService."),
    "ecr": ("ecr", "AmazonEC2ContainerRegistry_V20150921."),
}
RULE = source("The project's own: inputs made by a fuzzer from the service model never give a 500")


def model_of(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def operations() -> list[tuple[str, str]]:
    """Every operation of the JSON protocol that could be served."""
    return [
        (service, name)
        for service in JSON_SERVICES
        for name in (sorted(OUR_ECR_OPERATIONS) if service == "ecr" else model_of(service).operation_names)
    ]


class Wire:
    """One connection to the local cloud, made again when it was closed."""

    def __init__(self, url: str) -> None:
        self._address = url.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._address, timeout=PATIENCE_SECONDS)

    def send(self, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> tuple[int, bytes]:
        """The status and the body of the answer."""
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException:
            self._connection.close()
            raise

    def call(self, service: str, operation: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        signing_name, prefix = JSON_SERVICES[service]
        return self.send("/", body, {**signed(signing_name), "X-Amz-Target": prefix + operation, **headers})


def signed(signing_name: str, region: str = REGION) -> dict[str, str]:
    scope = f"{ACCOUNT}/20260101/{region}/{signing_name}/aws4_request"
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.1",
    }


@pytest.fixture(scope="module")
def wire(local: Target) -> Wire:
    return Wire(local.url)


Known = dict[str, list[Any]]


@pytest.fixture(scope="module")
def known(local: Target) -> Known:
    """What gets a call further, by the name of its member: one of each kind, which the fuzzer may use up."""
    model, image = local.model(), local.image
    configs = [local.config(instances(model)), local.config(serverless(model)), "new"]
    endpoints = [local.endpoint(configs[0]), local.endpoint(configs[1]), "new"]
    local.client("ecr").create_repository(repositoryName="fuzz")
    local.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{endpoints[0]}/variant/AllTraffic",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )
    return {
        "ModelName": [model, model, "new"],
        "EndpointConfigName": configs,
        "EndpointName": endpoints,
        "VariantName": ["AllTraffic", "AllTraffic", "Other"],
        "InstanceType": ["ml.m5.large"],
        "InitialInstanceCount": [1, 1, 2, 2**31 - 1],
        "DesiredInstanceCount": [1, 2, 0, 2**31 - 1],
        "Image": [image],
        "ModelDataUrl": [local.artifact],
        "S3Uri": [local.artifact, "s3://models/demo/"],
        "ExecutionRoleArn": [local.role_arn],
        "ResourceArn": [
            f"{ARN}:model/{model}",
            f"{ARN}:endpoint-config/{configs[0]}",
            f"{ARN}:endpoint/{endpoints[0]}",
        ],
        "ResourceARN": [f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/1"],
        "ServiceNamespace": ["sagemaker"],
        "ScalableDimension": [
            "sagemaker:variant:DesiredInstanceCount",
            "sagemaker:variant:DesiredProvisionedConcurrency",
        ],
        "ResourceId": [f"endpoint/{name}/variant/AllTraffic" for name in endpoints],
        "Schedule": ["rate(1 minute)", "at(2030-01-01T00:00:00)", "cron(0 10 * * ? *)", "cron(x)"],
        "MinCapacity": [1, 0],
        "MaxCapacity": [2, 1, 2**31 - 1],
        "repositoryName": ["fuzz"],
        "registryId": [ACCOUNT],
        "imageManifest": [
            '{"schemaVersion": 2, "mediaType": "x"}',
            "[]",
            '{"layers": [1], "config": 2, "mediaType": 3}',
        ],
    }


@pytest.fixture(scope="module")
def served(wire: Wire) -> set[tuple[str, str]]:
    """The operations that the local cloud serves: those that it does not call unknown."""
    found = set()
    for service, operation in operations():
        _, answer = wire.call(service, operation, b"{}")
        if b"UnknownOperationException" not in answer:
            found.add((service, operation))
    return found


def check(status: int, answer: bytes, sent: Any) -> None:
    """An answer is a success, or a refusal with a code; both in JSON."""
    assert 200 <= status < 500, (status, answer[:300], repr(sent)[:2000])
    content = json.loads(answer or b"{}")
    if status >= 400:
        assert re.fullmatch("[A-Za-z]+", content["__type"].rpartition("#")[2]), answer[:300]


def search(wire: Wire, service: str, operation: str, known: Known) -> None:
    """Call one operation with many inputs."""

    @SEARCH
    @given(parameters_of(model_of(service).operation_model(operation).input_shape, known))
    def attempt(parameters: Any) -> None:
        status, answer = wire.call(service, operation, json.dumps(parameters).encode())
        check(status, answer, (operation, parameters))

    attempt()


@RULE
def test_rubbish_parameters_are_answered(wire: Wire, served: set[tuple[str, str]], known: Known) -> None:
    assert {service for service, _ in served} == set(JSON_SERVICES)
    assert len(served) >= 30
    # What takes away comes last, so that the others have something to work on.
    for service, operation in sorted(served, key=lambda pair: (pair[1].startswith(("Delete", "Deregister")), pair)):
        search(wire, service, operation, known)


@RULE
@SEARCH
@given(st.sampled_from(["sagemaker", "application-autoscaling", "ecr"]), bodies)
def test_rubbish_bodies_are_answered(wire: Wire, service: str, body: bytes) -> None:
    operation = {"sagemaker": "CreateModel", "application-autoscaling": "PutScalingPolicy", "ecr": "PutImage"}[service]
    status, answer = wire.call(service, operation, body)
    check(status, answer, body)


header_texts = texts.filter(lambda text: text.isprintable()).map(lambda text: text.encode("utf-8").decode("latin-1"))
header_values = header_texts.map(lambda text: re.sub(r"[\x00-\x1f\x7f]", "", text)[:4000].strip())


@RULE
@SEARCH
@given(
    authorization=st.one_of(
        st.just(""),
        header_values,
        header_values.map(lambda text: f"AWS4-HMAC-SHA256 Credential={text}"),
        st.lists(header_values, min_size=3, max_size=6).map(
            lambda parts: f"AWS4-HMAC-SHA256 Credential={'/'.join(parts)}"
        ),
        header_values.map(lambda region: signed("sagemaker", region)["Authorization"]),
    ),
    content_type=header_values,
    operation=st.one_of(st.just("ListModels"), st.just("DescribeEndpoint"), header_values),
)
def test_rubbish_headers_are_answered(wire: Wire, authorization: str, content_type: str, operation: str) -> None:
    headers = {"Authorization": authorization, "Content-Type": content_type}
    status, answer = wire.call("sagemaker", operation, b"{}", **headers)
    check(status, answer, (headers, operation))


RUNTIME_PATHS = ("invocations", "async-invocations", "invocations-response-stream", "nothing", "")
RUNTIME_HEADERS = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Target-Variant",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Target-Container-Hostname",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Enable-Explanations",
    "X-Amzn-SageMaker-Inference-Component",
    "X-Amzn-SageMaker-Session-Id",
    "X-Amzn-SageMaker-InputLocation",
    "X-Amzn-SageMaker-RequestTTLSeconds",
    "X-Amzn-SageMaker-InvocationTimeoutSeconds",
)


@RULE
@SEARCH
@given(data=st.data())
def test_rubbish_invocations_are_answered(wire: Wire, known: Known, data: st.DataObject) -> None:
    name = data.draw(st.one_of(st.sampled_from(known["EndpointName"]), texts))
    path = f"/endpoints/{quote(name, errors='replace', safe='')[:3000]}/{data.draw(st.sampled_from(RUNTIME_PATHS))}"
    headers = data.draw(st.dictionaries(st.sampled_from(RUNTIME_HEADERS), header_values, max_size=4))
    body = data.draw(st.one_of(st.binary(max_size=200), anything.map(lambda value: json.dumps(value).encode())))
    method = data.draw(st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "DELETE"]))
    status, answer = wire.send(path, body, {**signed("sagemaker"), **headers}, method)
    # 424 is the model's own error, and what the model makes of rubbish is its own business.
    assert status < 500, (status, answer[:300], method, path, headers, body)
