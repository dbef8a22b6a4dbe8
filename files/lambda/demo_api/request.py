# SPDX-License-Identifier: GPL-3.0-or-later
"""From an API Gateway event (HTTP API, payload format 2.0) to the list of inputs. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from demo_api.errors import DemoError

# The sentences hold no quotation marks: JSON would escape them, and they would be hard to read in a terminal.
_EXPECTED = "send a JSON object with inputs, a string or a list of strings"

_JSON_TYPES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def parse_inputs(event: Mapping[str, Any], *, max_inputs: int, max_input_characters: int) -> list[str]:
    """Return the texts to classify, always as a list, in the caller's order.

    Raise `DemoError` (400; 415 for a compressed body) with a sentence that says what is wrong.
    """
    document = _json_document(_body_text(event))
    if not isinstance(document, dict):
        raise _refused("BodyNotAnObject", f"The body is {_type_name(document)}; {_EXPECTED}.")
    if "inputs" not in document:
        raise _refused("InputsMissing", f"The body has no inputs; {_EXPECTED}.")
    inputs = document["inputs"]
    if isinstance(inputs, str):
        inputs = [inputs]
    if not isinstance(inputs, list):
        raise _refused("InputsWrongType", f"inputs is {_type_name(inputs)}; it must be a string or a list of strings.")
    if not inputs:
        raise _refused("InputsEmpty", "inputs is an empty list; it must hold at least one string.")
    if len(inputs) > max_inputs:
        raise _refused("TooManyInputs", f"inputs holds {len(inputs)} strings; at most {max_inputs} are allowed.")
    for number, text in enumerate(inputs, start=1):
        _check_input(number, text, max_input_characters)
    return inputs


def _check_input(number: int, text: object, max_input_characters: int) -> None:
    if not isinstance(text, str):
        raise _refused("InputsWrongType", f"Item {number} of inputs is {_type_name(text)}; it must be a string.")
    if not text.strip():
        raise _refused("InputEmpty", f"Item {number} of inputs is empty.")
    if len(text) > max_input_characters:
        raise _refused(
            "InputTooLong",
            f"Item {number} of inputs has {len(text)} characters; at most {max_input_characters} are allowed.",
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # JSON may escape half of a surrogate pair ("\ud83d"); no UTF-8 text can hold it.
        raise _refused(
            "InputNotUnicode", f"Item {number} of inputs holds half of a surrogate pair, which is not a character."
        ) from None


def _body_text(event: Mapping[str, Any]) -> str:
    encoding = _header(event, "content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        raise DemoError(415, "BodyCompressed", "The body is compressed; send it without Content-Encoding.")
    body = event.get("body")
    if body is None or body == "":
        raise _refused("BodyMissing", f"The request has no body; {_EXPECTED}.")
    if not isinstance(body, str):
        raise _refused("BodyNotText", "The body is not text; send JSON in UTF-8.")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise _refused("BodyNotText", "The body is not text; send JSON in UTF-8.") from None
    text: str = body.removeprefix("\ufeff")
    if not text.strip():
        raise _refused("BodyMissing", f"The request has no body; {_EXPECTED}.")
    return text


def _json_document(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refused("BodyNotJson", f"The body is not valid JSON: it goes wrong at {where}.") from None
    except RecursionError:
        raise _refused("BodyNotJson", "The body is nested too deeply.") from None
    except ValueError:
        # Python refuses to convert whole numbers of thousands of digits.
        raise _refused("BodyNotJson", "The body holds a number that is too long.") from None


def _refuse_constant(name: str) -> NoReturn:
    # Python's parser takes NaN and Infinity; JSON (RFC 8259, section 6) has neither.
    raise _refused("BodyNotJson", f"The body is not valid JSON: {name} is not a JSON number.")


def _header(event: Mapping[str, Any], name: str) -> str:
    headers = event.get("headers")
    if not isinstance(headers, Mapping):
        return ""
    for key, value in headers.items():
        if isinstance(key, str) and key.lower() == name and isinstance(value, str):
            return value
    return ""


def _type_name(value: object) -> str:
    return _JSON_TYPES.get(type(value), "of an unknown type")


def _refused(code: str, sentence: str) -> DemoError:
    return DemoError(400, code, sentence)
