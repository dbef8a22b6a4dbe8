# SPDX-License-Identifier: GPL-3.0-or-later
"""Data capture to S3."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from local_cloud_workbench import Workbench

BUCKET = "captures"


def make_endpoint(workbench: Workbench, **capture: Any) -> str:
    name = workbench.name("config")
    config = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/here",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]},
        **capture,
    }
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
        DataCaptureConfig=config,
    )
    return workbench.endpoint(name)


@pytest.fixture(scope="module")
def endpoint(workbench: Workbench) -> str:
    workbench.cloud.client("s3").create_bucket(Bucket=BUCKET)
    return make_endpoint(workbench)


def captured(workbench: Workbench, endpoint: str) -> dict[str, list[dict[str, Any]]]:
    """The records by the key of their file."""
    s3 = workbench.cloud.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"here/{endpoint}/").get("Contents", [])
    return {
        item["Key"]: [
            json.loads(line)
            for line in s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read().decode().splitlines()
        ]
        for item in found
    }


def wait_for_records(workbench: Workbench, endpoint: str, count: int) -> dict[str, list[dict[str, Any]]]:
    for _ in range(400):
        files = captured(workbench, endpoint)
        if sum(map(len, files.values())) >= count:
            return files
        time.sleep(0.05)
    pytest.fail("nothing was captured")


def test_requests_are_captured_in_sagemakers_layout(workbench: Workbench, endpoint: str) -> None:
    workbench.invoke(endpoint, {"a": 1}, ContentType="application/json", InferenceId="mine", CustomAttributes="k=v")
    workbench.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2\n", ContentType="text/csv")
    files = wait_for_records(workbench, endpoint, 2)
    for key in files:
        name = rf"here/{endpoint}/AllTraffic/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl"
        assert re.fullmatch(name, key)
    first, second = (record for key in sorted(files) for record in files[key])
    given = first["captureData"]["endpointInput"]
    assert given == {
        "observedContentType": "application/json",
        "mode": "INPUT",
        "data": '{"a": 1}',
        "encoding": "JSON",
    }
    answered = first["captureData"]["endpointOutput"]
    assert (answered["mode"], answered["encoding"]) == ("OUTPUT", "JSON")
    assert json.loads(answered["data"])["pid"]
    metadata = first["eventMetadata"]
    assert (metadata["inferenceId"], metadata["customAttributes"]) == ("mine", ["k=v"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["inferenceTime"])
    assert first["eventVersion"] == "0"
    assert (second["captureData"]["endpointInput"]["encoding"]) == "CSV"
    assert "inferenceId" not in second["eventMetadata"]


def test_nothing_is_captured_of_what_is_not_sampled(workbench: Workbench, endpoint: str) -> None:
    silent = [
        make_endpoint(workbench, InitialSamplingPercentage=0),
        make_endpoint(workbench, EnableCapture=False),
    ]
    for name in silent:
        workbench.invoke(name)
    before = sum(map(len, captured(workbench, endpoint).values()))
    workbench.invoke(endpoint)  # captured after the others would have been
    wait_for_records(workbench, endpoint, before + 1)
    assert [captured(workbench, name) for name in silent] == [{}, {}]


def test_what_was_captured_last_is_written_when_the_cloud_stops(workbench: Workbench, endpoint: str) -> None:
    before = sum(map(len, captured(workbench, endpoint).values()))
    workbench.invoke(endpoint)
    workbench.cloud.stop()
    workbench.cloud.start()
    assert sum(map(len, captured(workbench, endpoint).values())) == before + 1
