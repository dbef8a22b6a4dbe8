# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON of /invocations: what a request must look like, what an answer looks like. Pure functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn

from serving.errors import RequestError

_KEYS = ("inputs", "parameters")


@dataclass(frozen=True)
class InvocationRequest:
    """The body of a request: `inputs` as the caller sent it, `parameters` always a mapping."""

    inputs: Any
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many inputs it holds: the length of a list, else one."""
        return len(self.inputs) if isinstance(self.inputs, list) else 1


def check_content_type(content_type: str | None) -> None:
    """Accept application/json, with any parameters but a foreign charset. No content type at all counts as JSON.

    Raises:
        RequestError: 415. JSON is UTF-8 by RFC 8259, so another charset is refused too.
    """
    if not content_type or not content_type.strip():
        return
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() != "application/json":
        raise RequestError(
            415,
            "UnsupportedMediaType",
            f"The Content-Type is {_shown(media_type.strip())}; this endpoint takes application/json.",
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            raise RequestError(415, "UnsupportedMediaType", f"The charset is {_shown(charset)}; JSON must be in UTF-8.")


def check_content_encoding(content_encoding: str | None) -> None:
    """Refuse a compressed body.

    Raises:
        RequestError: 415.
    """
    if content_encoding and content_encoding.strip().lower() not in ("", "identity"):
        raise RequestError(
            415,
            "UnsupportedMediaType",
            f"The Content-Encoding is {_shown(content_encoding.strip())}; send the body uncompressed.",
        )


def parse_request(body: bytes, max_inputs: int) -> InvocationRequest:
    """Read the body of a request.

    Raises:
        RequestError: 400, with a sentence that says what is wrong. It never quotes the caller's text.
    """
    document = _parse_json(body)
    if not isinstance(document, dict):
        raise _invalid(f'The body is {_kind(document)}; it must be an object such as {{"inputs": ["some text"]}}.')
    if "inputs" not in document:
        raise _invalid('The body has no "inputs"; it must be an object such as {"inputs": ["some text"]}.')
    unknown = sorted(set(document) - set(_KEYS))
    if unknown:
        raise _invalid(f'The body has the key {_shown(unknown[0])}; only "inputs" and "parameters" are known.')
    inputs, parameters = document["inputs"], document.get("parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise _invalid(f'"parameters" is {_kind(parameters)}; it must be an object.')
    if inputs is None:
        raise _invalid('"inputs" is null; it must hold something to answer.')
    if isinstance(inputs, list):
        if not inputs:
            raise _invalid('"inputs" is an empty list; it must hold at least one input.')
        if len(inputs) > max_inputs:
            raise _invalid(f'"inputs" holds {len(inputs)} inputs; at most {max_inputs} are taken in one request.')
    return InvocationRequest(inputs, parameters)


def encode_predictions(predictions: Any) -> bytes:
    """The body of an answer.

    Raises:
        TypeError, ValueError: what the handler returned is not a list, or not JSON (NaN is not JSON).
    """
    if not isinstance(predictions, list):
        raise TypeError(f"inference() returned {type(predictions).__name__}; it must return a list")
    return json.dumps({"predictions": predictions}, allow_nan=False, separators=(",", ":")).encode()


def encode_error(code: str, message: str) -> bytes:
    """The one shape that every error has."""
    return json.dumps({"error": {"code": code, "message": message}}, separators=(",", ":")).encode()


def _parse_json(body: bytes) -> Any:
    if not body.strip():
        raise RequestError(400, "InvalidJSON", 'The body is empty; send JSON such as {"inputs": ["some text"]}.')
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, "InvalidJSON", f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise RequestError(
            400, "InvalidJSON", f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise RequestError(400, "InvalidJSON", "The body is nested too deeply.") from None
    except ValueError:
        # The interpreter's limit on the digits of a whole number.
        raise RequestError(400, "InvalidJSON", "The body holds a number with too many digits.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise RequestError(400, "InvalidJSON", f"The body holds {name}, which is not JSON.")


def _invalid(message: str) -> RequestError:
    return RequestError(400, "InvalidRequest", message)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), "something else")


def _shown(value: str) -> str:
    """A name for an error message: quoted, cut short, and free of anything that is not plain text."""
    return json.dumps(value if len(value) <= 60 else value[:57] + "...")
