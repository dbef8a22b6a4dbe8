# SPDX-License-Identifier: GPL-3.0-or-later
"""Data capture: requests and answers as JSON lines in S3, in the layout that Model Monitor reads.

Source: the developer guide's page "Capture data from real-time endpoint".
"""

from __future__ import annotations

import base64
import json
import logging
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...aws.caller import Caller
from ...aws.errors import AwsError
from ...containers.container_client import Answer
from ...iam.execution_role import ExecutionRole
from ..deployment import Variant
from ..live_endpoint import LiveEndpoint
from .late_flush import LateFlush
from .requests import RuntimeRequest
from .roles import ExecutionRoles
from .s3 import S3, S3Location, parse_location

# AWS writes every few minutes; whoever develops against this wants to see it now.
FLUSH_SECONDS = 1.0
_LINES_A_FILE = 1000

logger = logging.getLogger("local_cloud.data_capture")


@dataclass(frozen=True)
class _Place:
    """Where lines belong that may share a file."""

    caller: Caller
    role: ExecutionRole
    destination: S3Location
    endpoint_name: str
    variant: str
    hour: str


class DataCapture:
    """Samples answered requests and writes them to S3 in batches, where the endpoint's configuration says so."""

    def __init__(self, s3: S3, roles: ExecutionRoles) -> None:
        self._s3 = s3
        self._roles = roles
        self._pending: dict[_Place, list[tuple[datetime, str]]] = defaultdict(list)
        self._late = LateFlush(FLUSH_SECONDS, lambda: bool(self._pending), self._flush)

    def add(self, request: RuntimeRequest, live: LiveEndpoint, variant: Variant, answer: Answer) -> None:
        """Keep a request and its good answer, if the sample takes it."""
        config = live.deployment.config.get("DataCaptureConfig")
        if not config or not is_sampled(config, random.uniform(0, 100)):  # noqa: S311 - a sample
            return
        destination = parse_location(config["DestinationS3Uri"])
        if destination is None:
            return
        now = datetime.now(UTC)
        line = json.dumps(record(config, request, answer, now, str(uuid.uuid4())))
        role = self._roles.of(variant, request.caller)
        place = _Place(request.caller, role, destination, live.name, variant.name, f"{now:%Y/%m/%d/%H}")
        self._pending[place].append((now, line))
        self._late.gathered()

    async def close(self) -> None:
        """Write what is left."""
        await self._late.close()

    async def _flush(self) -> None:
        pending, self._pending = self._pending, defaultdict(list)
        for place, lines in pending.items():
            for start in range(0, len(lines), _LINES_A_FILE):
                batch = lines[start : start + _LINES_A_FILE]
                target = place.destination.below(
                    place.endpoint_name, place.variant, place.hour, file_name(batch[0][0], str(uuid.uuid4()))
                )
                content = "".join(f"{line}\n" for _, line in batch).encode()
                try:
                    await self._s3.put(place.caller, place.role, target, content, "application/x-amz-json")
                except AwsError as error:
                    logger.warning("%s: %d captured requests were not written: %s", target.url, len(batch), error)
                except Exception:
                    # Capturing never harms the request it is about.
                    logger.exception("%s: %d captured requests were not written", place.endpoint_name, len(batch))


def is_sampled(config: Mapping[str, Any], drawn: float) -> bool:
    """Whether a request is captured. drawn: a number from 0 to 100."""
    return bool(config.get("EnableCapture", True)) and drawn < config["InitialSamplingPercentage"]


def file_name(time: datetime, unique: str) -> str:
    """A capture file's name below its hour."""
    return f"{time:%M-%S}-{time.microsecond // 1000:03d}-{unique}.jsonl"


def record(
    config: Mapping[str, Any], request: RuntimeRequest, answer: Answer, time: datetime, event_id: str
) -> dict[str, Any]:
    """One captured request."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    data: dict[str, Any] = {}
    if modes & {"Input", "InputAndOutput"}:
        content_type = request.parameters.get("ContentType", "")
        data["endpointInput"] = _side(config, "INPUT", content_type, request.body)
    if modes & {"Output", "InputAndOutput"}:
        content_type = answer.headers.get("content-type", "")
        data["endpointOutput"] = _side(config, "OUTPUT", content_type, answer.body)
    metadata: dict[str, Any] = {"eventId": event_id}
    if "CustomAttributes" in request.parameters:
        metadata["customAttributes"] = [request.parameters["CustomAttributes"]]
    if "InferenceId" in request.parameters:
        metadata["inferenceId"] = request.parameters["InferenceId"]
    metadata["inferenceTime"] = f"{time:%Y-%m-%dT%H:%M:%SZ}"
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _side(config: Mapping[str, Any], mode: str, content_type: str, body: bytes) -> dict[str, Any]:
    encoding = encoding_of(config.get("CaptureContentTypeHeader") or {}, content_type)
    try:
        data = body.decode() if encoding != "BASE64" else base64.b64encode(body).decode()
    except UnicodeDecodeError:
        encoding, data = "BASE64", base64.b64encode(body).decode()
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def encoding_of(headers: Mapping[str, Iterable[str]], content_type: str) -> str:
    """How a body of this type is written. headers: the configuration's CaptureContentTypeHeader.

    "If no headers are specified SageMaker AI will by default base64 encode", DataCaptureConfig. A type's parameters,
    such as its charset, do not matter.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    for encoding, member in (("JSON", "JsonContentTypes"), ("CSV", "CsvContentTypes")):
        if media_type in {known.partition(";")[0].strip().lower() for known in headers.get(member) or ()}:
            return encoding
    return "BASE64"
