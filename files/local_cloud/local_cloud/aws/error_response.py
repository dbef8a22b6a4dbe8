# SPDX-License-Identifier: GPL-3.0-or-later
"""An error in the wire protocol of any service, for what is refused instead of the service's own answer. Pure.

Sources: Smithy's protocol specifications (AWS JSON 1.1, REST JSON 1, REST XML, query, EC2 query, RPC v2 CBOR), the S3
API reference ("Error responses"), the OCI distribution specification ("Error codes").
"""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

from .errors import AwsError
from .json_protocol import Response

EXECUTE_API_PREFIX = "/_aws/execute-api/"
_FORM = "application/x-www-form-urlencoded"
# Services that moved from query to a newer protocol; clients take the old code from a header.
_QUERY_COMPATIBLE = frozenset({"monitoring", "sqs"})
_REST_XML = frozenset({"cloudfront", "route53"})


class Protocol(enum.Enum):
    """How a request is written, and so how its answer is."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    S3 = "s3"
    CBOR = "smithy-rpc-v2-cbor"
    REGISTRY = "OCI distribution"
    HTTP_API = "an HTTP API's caller"


# Service -> (code, message, status) of its refusal of too many calls. Retry modes of the SDKs know all of these codes.
_THROTTLES: dict[str, tuple[str, str, int]] = {
    "apigateway": ("TooManyRequestsException", "Too Many Requests", 429),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "iam": ("Throttling", "Rate exceeded", 400),
    "lambda": ("TooManyRequestsException", "Rate Exceeded.", 429),
    "monitoring": ("Throttling", "Rate exceeded", 400),
    "sts": ("Throttling", "Rate exceeded", 400),
}
_THROTTLES_BY_PROTOCOL: dict[Protocol, tuple[str, str, int]] = {
    Protocol.HTTP_API: ("", "Too Many Requests", 429),
    Protocol.REGISTRY: ("TOOMANYREQUESTS", "Rate exceeded", 429),
    Protocol.S3: ("SlowDown", "Please reduce your request rate.", 503),
}


def protocol_of(service: str | None, path: str, headers: Mapping[str, str], query: str) -> Protocol:
    """The protocol of a request. service: the signing name, None if unsigned; headers: names in lower case."""
    if path.startswith(EXECUTE_API_PREFIX):
        return Protocol.HTTP_API
    if path.startswith("/v2/") and service in (None, "ecr"):
        return Protocol.REGISTRY
    if "x-amz-target" in headers:
        return Protocol.JSON
    if "cbor" in headers.get("smithy-protocol", "") or (path.startswith("/service/") and "/operation/" in path):
        return Protocol.CBOR
    if headers.get("content-type", "").startswith(_FORM) or (service != "s3" and "Action=" in query):
        return Protocol.EC2 if service == "ec2" else Protocol.QUERY
    if service in _REST_XML:
        return Protocol.REST_XML
    # An unsigned request is one for a public bucket's object, most likely.
    return Protocol.S3 if service in ("s3", None) else Protocol.REST_JSON


def throttled(service: str | None, protocol: Protocol) -> AwsError:
    """How a service refuses too many calls."""
    known = _THROTTLES_BY_PROTOCOL.get(protocol) or _THROTTLES.get(service or "")
    if known is None:
        # SageMaker's runtime answers 429; a JSON service 400.
        known = ("ThrottlingException", "Rate exceeded", 429 if protocol is Protocol.REST_JSON else 400)
    return AwsError(*known)


def error_response(protocol: Protocol, error: AwsError, service: str | None = None, method: str = "POST") -> Response:
    """An error as `protocol` writes it. The answer to a HEAD has no body, so its status is all it tells."""
    request_id = str(uuid.uuid4())
    body, content_type, more = _written(protocol, error, request_id)
    headers = {"content-type": content_type, "x-amzn-requestid": request_id, **more}
    if service in _QUERY_COMPATIBLE and protocol in (Protocol.JSON, Protocol.CBOR):
        headers["x-amzn-query-error"] = f"{error.code};{_fault(error)}"
    return Response(error.status, b"" if method == "HEAD" else body, headers)


def _written(protocol: Protocol, error: AwsError, request_id: str) -> tuple[bytes, str, dict[str, str]]:
    code, message, xml = error.code, error.message, "text/xml"
    if protocol is Protocol.JSON:
        content = {"__type": code, "message": message, **error.fields}
        return json.dumps(content).encode(), "application/x-amz-json-1.1", {}
    if protocol is Protocol.REST_JSON:
        content = {"message": message, "Message": message, **error.fields}
        return json.dumps(content).encode(), "application/json", {"x-amzn-errortype": code} if code else {}
    if protocol is Protocol.CBOR:
        return _cbor({"__type": code, "message": message}), "application/cbor", {"smithy-protocol": "rpc-v2-cbor"}
    if protocol is Protocol.HTTP_API:
        return json.dumps({"message": message}).encode(), "application/json", {}
    if protocol is Protocol.REGISTRY:
        return json.dumps({"errors": [{"code": code, "message": message}]}).encode(), "application/json", {}
    told = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol is Protocol.S3:
        text = f"<Error>{told}<RequestId>{request_id}</RequestId></Error>"
        return _xml(text), "application/xml", {"x-amz-request-id": request_id}
    if protocol is Protocol.EC2:
        text = f"<Response><Errors><Error>{told}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        return _xml(text), xml, {}
    kind = f"<Type>{_fault(error)}</Type>"
    text = f"<ErrorResponse><Error>{kind}{told}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    return _xml(text), xml, {}


def _fault(error: AwsError) -> str:
    return "Sender" if error.status < 500 else "Receiver"


def _xml(text: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()


def _cbor(texts: Mapping[str, str]) -> bytes:
    """A CBOR map of a few texts (RFC 8949, major types 5 and 3)."""
    content = bytearray([0xA0 | len(texts)])
    for text in (word for pair in texts.items() for word in pair):
        raw = text.encode()
        if len(raw) < 24:
            content.append(0x60 | len(raw))
        else:
            content += b"\x79" + min(len(raw), 0xFFFF).to_bytes(2, "big")
        content += raw[:0xFFFF]
    return bytes(content)
