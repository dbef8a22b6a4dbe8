# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an asynchronous request's result goes, and what SNS is told of it. Pure.

Source: the developer guide's pages "Invoke an asynchronous endpoint" and "Check prediction results".
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...store import Document
from .limits import NOTIFIED_RESPONSE_BYTES
from .s3 import S3Location, parse_location


@dataclass(frozen=True)
class Outcome:
    """How an asynchronous request ended. failure: the reason, None for a success. body: the container's answer, or
    what is written where it gave none."""

    failure: str | None
    body: bytes
    content_type: str


def result_locations(
    output_config: dict[str, Any], parameters: dict[str, Any], unique: str
) -> tuple[S3Location | None, S3Location | None]:
    """Where the answer and a failure of a request are written; None where the configuration names no place.

    parameters: InvokeEndpointAsync's. unique: names the files unless the request does.
    """
    extension = parameters.get("S3OutputPathExtension", "")
    name = parameters.get("Filename") or f"{unique}.out"
    output = parse_location(output_config.get("S3OutputPath") or "")
    failure = parse_location(output_config.get("S3FailurePath") or "")
    return (
        output.below(extension, name) if output else None,
        failure.below(extension, f"{name.rpartition('.')[0] or name}-error.out") if failure else None,
    )


def notification(document: Document, region: str, outcome: Outcome, now: float, include_response: bool) -> Document:
    """The message that an SNS topic gets. document: the queued request. now: seconds since 1970."""
    request = {
        "accept": document["parameters"].get("Accept"),
        "contentType": document["parameters"].get("ContentType"),
        "customAttributes": document["parameters"].get("CustomAttributes"),
        "endpointName": document["endpoint_name"],
        "inputLocation": document["parameters"].get("InputLocation"),
    }
    message: Document = {
        "awsRegion": region,
        "eventTime": _iso(now),
        "receivedTime": _iso(document["received"]),
        "invocationStatus": "Completed" if outcome.failure is None else "Failed",
        "requestParameters": {name: value for name, value in request.items() if value is not None},
    }
    place = document["output_location"] if outcome.failure is None else document["failure_location"]
    if outcome.failure is not None:
        message["failureReason"] = outcome.failure
    if outcome.failure is None or place:
        message["responseParameters"] = {"contentType": outcome.content_type}
        if place:
            message["responseParameters"]["outputLocation"] = place
    if include_response and len(outcome.body) <= NOTIFIED_RESPONSE_BYTES:
        message["responseBody"] = {"content": base64.b64encode(outcome.body).decode(), "encoding": "BASE64"}
    return message | {
        "inferenceId": document["inference_id"],
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def topic_of(output_config: dict[str, Any], outcome: Outcome) -> tuple[str | None, bool]:
    """The SNS topic that is told of an outcome, if any, and whether it gets the response, too."""
    config = output_config.get("NotificationConfig") or {}
    failed = outcome.failure is not None
    topic = config.get("ErrorTopic" if failed else "SuccessTopic")
    kind = "ERROR_NOTIFICATION_TOPIC" if failed else "SUCCESS_NOTIFICATION_TOPIC"
    return topic or None, kind in (config.get("IncludeInferenceResponseIn") or ())


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
