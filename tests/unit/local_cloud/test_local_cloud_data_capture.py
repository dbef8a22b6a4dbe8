# SPDX-License-Identifier: GPL-3.0-or-later
"""What a captured request looks like, and which are captured."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.containers.container_client import Answer
from local_cloud.sagemaker.runtime.data_capture import encoding_of, file_name, is_sampled, record
from local_cloud.sagemaker.runtime.requests import RuntimeRequest

NOW = datetime(2026, 11, 23, 7, 8, 9, 123456, UTC)
TYPES = {"JsonContentTypes": ["application/json"], "CsvContentTypes": ["text/csv"]}


def captured(modes: list[str], answer_type: str = "text/csv; charset=utf-8", **parameters: str) -> dict[str, Any]:
    config = {"CaptureOptions": [{"CaptureMode": mode} for mode in modes], "CaptureContentTypeHeader": TYPES}
    request = RuntimeRequest(
        "InvokeEndpoint", Caller("000000000000", "us-east-1"), {"EndpointName": "demo", **parameters}, b'{"a": 1}'
    )
    return record(config, request, Answer(200, {"content-type": answer_type}, b"1,2\n"), NOW, "an-event")


def test_a_record_has_both_sides_and_says_when_and_which() -> None:
    assert captured(
        ["Input", "Output"], ContentType="application/json", InferenceId="mine", CustomAttributes="a=b"
    ) == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "application/json",
                "mode": "INPUT",
                "data": '{"a": 1}',
                "encoding": "JSON",
            },
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "OUTPUT",
                "data": "1,2\n",
                "encoding": "CSV",
            },
        },
        "eventMetadata": {
            "eventId": "an-event",
            "customAttributes": ["a=b"],
            "inferenceId": "mine",
            "inferenceTime": "2026-11-23T07:08:09Z",
        },
        "eventVersion": "0",
    }


@pytest.mark.parametrize(
    ("modes", "sides"),
    [
        (["Input"], {"endpointInput"}),
        (["Output"], {"endpointOutput"}),
        (["InputAndOutput"], {"endpointInput", "endpointOutput"}),
    ],
)
def test_only_the_sides_that_are_asked_for_are_captured(modes: list[str], sides: set[str]) -> None:
    assert set(captured(modes)["captureData"]) == sides


def test_what_is_neither_json_nor_csv_is_written_in_base64() -> None:
    side = captured(["Output"], answer_type="image/png")["captureData"]["endpointOutput"]
    assert (side["encoding"], base64.b64decode(side["data"])) == ("BASE64", b"1,2\n")


@pytest.mark.parametrize(
    ("headers", "content_type", "encoding"),
    [
        (TYPES, "application/json", "JSON"),
        (TYPES, "Application/JSON; charset=utf-8", "JSON"),
        (TYPES, "text/csv", "CSV"),
        (TYPES, "", "BASE64"),
        ({}, "application/json", "BASE64"),
        ({"JsonContentTypes": ["application/jsonlines"]}, "application/jsonlines", "JSON"),
    ],
)
def test_a_body_is_encoded_by_its_content_type(headers: dict[str, list[str]], content_type: str, encoding: str) -> None:
    assert encoding_of(headers, content_type) == encoding


def test_text_that_is_none_is_written_in_base64() -> None:
    config = {"CaptureOptions": [{"CaptureMode": "Input"}], "CaptureContentTypeHeader": TYPES}
    parameters = {"EndpointName": "demo", "ContentType": "text/csv"}
    request = RuntimeRequest("InvokeEndpoint", Caller("0", "r"), parameters, b"\xff\xfe")
    side = record(config, request, Answer(200, {}, b""), NOW, "e")["captureData"]["endpointInput"]
    assert (side["encoding"], side["data"]) == ("BASE64", "//4=")


def test_the_percentage_decides_what_is_sampled() -> None:
    assert is_sampled({"InitialSamplingPercentage": 20}, 19.9)
    assert not is_sampled({"InitialSamplingPercentage": 20}, 20.0)
    assert not is_sampled({"InitialSamplingPercentage": 0}, 0.0)
    assert is_sampled({"InitialSamplingPercentage": 100}, 99.999)
    assert not is_sampled({"InitialSamplingPercentage": 100, "EnableCapture": False}, 1.0)


def test_a_file_is_named_by_minute_second_and_millisecond() -> None:
    assert file_name(NOW, "unique") == "08-09-123-unique.jsonl"
