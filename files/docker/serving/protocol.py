# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of /invocations: what a request must look like, what an answer looks like. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import orjson

from serving.errors import RequestError
from serving.handler import Request

_KEYS = ("inputs", "parameters", "stream")

_JSON = "application/json"


def is_json(content_type: str) -> bool:
    """Whether a Content-Type header means JSON. None at all counts as JSON, and so does any parameter of the type.

    Raises:
        RequestError: 415 where it names a charset: JSON is UTF-8 by RFC 8259.
    """
    media_type, *parameters = content_type.split(";")
    if media_type.strip().lower() not in ("", _JSON):
        return False
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            raise RequestError(415, "UnsupportedMediaType", f"The charset is {_shown(charset)}; JSON must be in UTF-8.")
    return True


def check_content_type(content_type: str, taken: Sequence[str]) -> None:
    """Refuse a body that is not JSON and not of a type the handler takes.

    Args:
        content_type: the header.
        taken: types such as "image/png", "image/*" or "*/*".

    Raises:
        RequestError: 415.
    """
    if is_json(content_type):
        return
    media_type = content_type.partition(";")[0].strip().lower()
    family = media_type.partition("/")[0] + "/*"
    if not {media_type, family, "*/*"}.intersection(taken):
        raise RequestError(
            415,
            "UnsupportedMediaType",
            f"The Content-Type is {_shown(media_type)}; this endpoint takes {', '.join((_JSON, *taken))}.",
        )


def check_content_encoding(content_encoding: str) -> None:
    """Refuse a compressed body.

    Raises:
        RequestError: 415.
    """
    if content_encoding.strip().lower() not in ("", "identity"):
        raise RequestError(
            415,
            "UnsupportedMediaType",
            f"The Content-Encoding is {_shown(content_encoding.strip())}; send the body uncompressed.",
        )


def parse_request(body: bytes, content_type: str, accept: str, max_inputs: int) -> Request:
    """Read the body of a request whose content type was checked.

    Raises:
        RequestError: 400, with a sentence that says what is wrong. It never quotes the caller's text.
    """
    if not is_json(content_type):
        if not body:
            raise RequestError(400, "InvalidRequest", "The body is empty.")
        return Request(body, content_type=content_type, accept=accept, body=body)
    document = _parse_json(body)
    if not isinstance(document, dict):
        raise _invalid(f'The body is {_kind(document)}; it must be an object such as {{"inputs": ["some text"]}}.')
    if "inputs" not in document:
        raise _invalid('The body has no "inputs"; it must be an object such as {"inputs": ["some text"]}.')
    if len(document) > 1:
        for key in document:
            if key not in _KEYS:
                raise _invalid(
                    f'The body has the key {_shown(key)}; only "inputs", "parameters" and "stream" are known.'
                )
    inputs, parameters, stream = document["inputs"], document.get("parameters"), document.get("stream")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise _invalid(f'"parameters" is {_kind(parameters)}; it must be an object.')
    if stream is not None and not isinstance(stream, bool):
        raise _invalid(f'"stream" is {_kind(stream)}; it must be true or false.')
    if inputs is None:
        raise _invalid('"inputs" is null; it must hold something to answer.')
    if isinstance(inputs, list):
        if not inputs:
            raise _invalid('"inputs" is an empty list; it must hold at least one input.')
        if len(inputs) > max_inputs:
            raise _invalid(f'"inputs" holds {len(inputs)} inputs; at most {max_inputs} are taken in one request.')
    return Request(inputs, parameters, accept=accept, body=body, stream=bool(stream))


def encode_predictions(predictions: Any) -> bytes:
    """The body of an answer. Arrays of numpy may stand for lists of numbers.

    Raises:
        TypeError, ValueError: what the handler returned is not a list, or not JSON (NaN is not JSON).
    """
    if not isinstance(predictions, list):
        raise TypeError(f"the handler answered with {type(predictions).__name__}; it must be a list")
    body = orjson.dumps({"predictions": predictions}, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson writes null for NaN and infinity. Where there is a null, look whether it was meant.
    if b"null" in body:
        _refuse_nan(predictions)
    return body


def encode_error(code: str, message: str) -> bytes:
    """The one shape that every error has."""
    return json.dumps({"error": {"code": code, "message": message}}, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """What orjson cannot write itself: scalars of numpy, and arrays that are not contiguous."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse_nan(value: Any) -> None:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a prediction holds NaN or infinity, which is not JSON")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            _refuse_nan(entry)


def _parse_json(body: bytes) -> Any:
    try:
        # Stricter than json: no NaN, no numbers past a double's range, no half surrogate pairs, no great depth.
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body.strip():
            message = 'The body is empty; send JSON such as {"inputs": ["some text"]}.'
        else:
            message = f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise RequestError(400, "InvalidJSON", message) from None


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
