# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call is about: its parameters, the resource they name, and a digest that tells it from others. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from .aws.error_response import EXECUTE_API_PREFIX, Protocol, protocol_of
from .exchange import Request
from .operation_names import Operation, name_operation

DIGEST_LENGTH = 16
# The kind of a "resource" that is only how names begin, or what they contain, in a list's filter.
FILTER = "filter"
_FILTERS = frozenset({"namecontains", "nameprefix", "alarmnameprefix", "loggroupnameprefix", "pathprefix", "prefix"})
# A body beyond this is not looked into for names that the path does not tell.
_PARSED_BYTES = 16 * 1024 * 1024
# A body beyond this is digested as it was sent, not in its canonical form.
_CANONICAL_BYTES = 64 * 1024
# Of a body more than twice as long, only the length and so much of both ends are digested.
_SAMPLE_BYTES = 256 * 1024
_SIGNATURE_QUERY = re.compile(r"x-amz-(algorithm|credential|date|expires|signature|signedheaders|security-token)", re.I)
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Where REST services have the name in the path, by signing name.
_PATH_NAMES: dict[str, re.Pattern[str]] = {
    "lambda": re.compile(r"/\d{4}-\d\d-\d\d/(?P<kind>function|layer|event-source-mapping)s/(?P<name>[^/]+)"),
    "sagemaker": re.compile(r"/(?P<kind>endpoint)s/(?P<name>[^/]+)"),
    "apigateway": re.compile(r"/(?:v2/)?(?P<kind>api|restapi|vpclink|domainname)s/(?P<name>[^/]+)"),
    "scheduler": re.compile(r"/(?P<kind>schedule)s/(?P<name>[^/]+)"),
}
_REGISTRY_NAME = re.compile(r"/v2/(?P<name>.+?)/(?:blobs|manifests|tags|referrers)(?:/|$)")
# Members that name no resource although they end in "Name" or the like.
_NO_RESOURCE = frozenset({"policyname", "rolesessionname", "attributename", "metricname", "filtername", "principalarn"})


@dataclass(frozen=True)
class Resource:
    """kind: in lower case and without dashes, such as "endpointconfig"; name: as the call has it."""

    kind: str
    name: str


@dataclass(frozen=True)
class Call:
    """A request as AWS sees it.

    resources: what the call names, the one it is about first. parameters: {} where they are not in a JSON or form
    body. digest: of the parameters, so equal calls have equal digests. buffered: the body, or None where it is passed
    on unread (S3 objects, image layers).
    """

    request: Request
    service: str | None
    name: Operation
    protocol: Protocol
    account: str
    region: str
    access_key: str | None
    resources: tuple[Resource, ...]
    parameters: Mapping[str, Any]
    digest: str
    buffered: bytes | None

    @property
    def primary(self) -> Resource | None:
        """The one thing that the call is about; None for a list, whatever it is filtered by."""
        return next((resource for resource in self.resources if resource.kind != FILTER), None)


def has_small_body(request: Request) -> bool:
    """Whether to read a request's body before anything else: not where it may be an object or an image's layer."""
    service = request.signed.service if request.signed else None
    protocol = protocol_of(service, request.path, request.headers, request.query)
    return protocol not in (Protocol.S3, Protocol.REGISTRY, Protocol.HTTP_API)


def identify(request: Request, account: str, region: str, access_key: str | None, body: bytes | None) -> Call:
    """What a request is, and for whom. body: where has_small_body, else None."""
    signed = request.signed
    service = signed.service if signed else None
    protocol = protocol_of(service, request.path, request.headers, request.query)
    form = body if body is not None and protocol in (Protocol.QUERY, Protocol.EC2) else b""
    name = name_operation(service, request.method, request.raw_path, request.query, request.headers, form or b"")
    parameters = _parameters(protocol, request, body or b"")
    return Call(
        request=request,
        service=service,
        name=name,
        protocol=protocol,
        account=account,
        region=region,
        access_key=access_key,
        resources=tuple(resources_of(name, request.raw_path, parameters)),
        parameters=parameters,
        digest=_digest(protocol, request, parameters, body),
        buffered=body,
    )


def resources_of(name: Operation, raw_path: str, parameters: Mapping[str, Any]) -> list[Resource]:
    """The resources that a call names, the one it is about first, each once."""
    path, service = unquote(raw_path), name.service
    found: list[Resource] = []
    if service == "execute-api":
        found.append(Resource("api", path.removeprefix(EXECUTE_API_PREFIX).partition("/")[0]))
    elif service == "s3":
        bucket, _, key = path.lstrip("/").partition("/")
        if bucket:
            found.append(Resource("object", f"{bucket}/{key}") if key else Resource("bucket", bucket))
    elif path.startswith("/v2/") and service == "ecr":
        if match := _REGISTRY_NAME.match(path):
            found.append(Resource("repository", match["name"]))
    elif (pattern := _PATH_NAMES.get(service)) and (match := pattern.match(raw_path)):
        found.append(Resource(match["kind"].replace("-", ""), _tail(unquote(match["name"]))))
    named = list(_named(parameters))
    noun = re.sub(r"^[A-Z][a-z]+", "", name.operation).lower()
    # What the operation's own name says comes first, then names, then ARNs, each in the order they were given.
    named.sort(key=lambda item: (item[0] != 0 or not _is_about(item[1].kind, noun), item[0]))
    for _, resource in named:
        if resource not in found:
            found.append(resource)
    return found


def digest_of(parameters: Mapping[str, Any]) -> str:
    """The digest of the parameters of a JSON or query call."""
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:DIGEST_LENGTH]


def _is_about(kind: str, noun: str) -> bool:
    return kind in (noun, noun.removesuffix("s"))


def _named(parameters: Mapping[str, Any]) -> Iterator[tuple[int, Resource]]:
    for key, value in parameters.items():
        lowered = re.sub(r"\.member\.\d+$", "", str(key).partition(".")[0] if ".member." in str(key) else str(key))
        lowered = lowered.lower()
        values = value if isinstance(value, list) else [value]
        for text in values[:20]:
            if isinstance(text, dict) and isinstance(text.get("ModelName"), str):  # a production variant's
                yield 0, Resource("model", text["ModelName"])
            if not isinstance(text, str) or not text or len(text) > 2048 or lowered in _NO_RESOURCE:
                continue
            if text.startswith("arn:"):
                yield 1, _of_arn(text)
            elif lowered == "resourceid" and text.count("/") >= 1:  # Application Auto Scaling: endpoint/x/variant/y
                kind, name = text.split("/")[:2]
                yield 0, Resource(kind.replace("-", "").lower(), name)
            elif lowered in _FILTERS:
                yield 3, Resource(FILTER, text)
            elif lowered in ("name", "names"):
                yield 0, Resource("", text)
            elif match := re.fullmatch(r"(.+?)(?:names?|ids?)", lowered):
                yield (0 if "name" in lowered else 2), Resource(match[1], text)


def _of_arn(arn: str) -> Resource:
    rest = arn.split(":", 5)[-1]
    kind, slash, name = rest.partition("/")
    if not slash:  # arn:aws:lambda:…:function:name, arn:aws:sns:…:topic
        kind, _, name = rest.rpartition(":")
        kind = kind.partition(":")[0]
    return Resource(kind.replace("-", "").lower(), name or rest)


def _tail(name: str) -> str:
    return _of_arn(name).name if name.startswith("arn:") else name


def _parameters(protocol: Protocol, request: Request, body: bytes) -> Mapping[str, Any]:
    if protocol in (Protocol.QUERY, Protocol.EC2):
        pairs = parse_qsl(body.decode("latin-1") or request.query, keep_blank_values=True)
        return {key: value for key, value in pairs if key not in ("Action", "Version")}
    if protocol not in (Protocol.JSON, Protocol.REST_JSON) or len(body) > _PARSED_BYTES or body[:1] != b"{":
        return {}
    if protocol is Protocol.REST_JSON and request.signed and request.signed.service == "sagemaker":
        return {}  # a user's data, whatever it looks like
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(protocol: Protocol, request: Request, parameters: Mapping[str, Any], body: bytes | None) -> str:
    digest = hashlib.sha256()
    if protocol in (Protocol.JSON, Protocol.QUERY, Protocol.EC2) and parameters and len(body or b"") < _CANONICAL_BYTES:
        return digest_of(parameters)
    query = sorted(
        pair for pair in parse_qsl(request.query, keep_blank_values=True) if not _SIGNATURE_QUERY.fullmatch(pair[0])
    )
    target = "" if protocol in (Protocol.JSON, Protocol.QUERY) else f"{request.method} {request.raw_path}"
    digest.update(json.dumps([target, query]).encode())
    if body is not None and len(body) <= 2 * _SAMPLE_BYTES:
        digest.update(body)
    elif body is not None:  # all of it would hold up every other call for milliseconds
        digest.update(str(len(body)).encode() + body[:_SAMPLE_BYTES] + body[-_SAMPLE_BYTES:])
    else:
        # Objects and layers are not read for this: what the client signed or announced has to do.
        signed_body = request.headers.get("x-amz-content-sha256", "")
        announced = signed_body if _SHA256.fullmatch(signed_body) else request.headers.get("content-length", "")
        digest.update(announced.encode())
    return digest.hexdigest()[:DIGEST_LENGTH]
