# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from serving.errors import RequestError
from serving.protocol import (
    InvocationRequest,
    check_content_encoding,
    check_content_type,
    encode_error,
    encode_predictions,
    parse_request,
)


@pytest.mark.parametrize(
    ("document", "inputs", "parameters"),
    [
        ({"inputs": "text"}, "text", {}),
        ({"inputs": ["a", "b"]}, ["a", "b"], {}),
        ({"inputs": {"image": "…"}}, {"image": "…"}, {}),
        ({"inputs": ["a"], "parameters": None}, ["a"], {}),
        ({"inputs": ["a"], "parameters": {"top_k": 1}}, ["a"], {"top_k": 1}),
    ],
)
def test_a_request_holds_inputs_and_parameters(document: Any, inputs: Any, parameters: Any) -> None:
    assert parse_request(json.dumps(document).encode(), 10) == InvocationRequest(inputs, parameters)


BAD_BODIES = {
    "nothing": (b"", "InvalidJSON", "empty"),
    "only space": (b" \n", "InvalidJSON", "empty"),
    "not json": (b"{inputs: 1}", "InvalidJSON", "line 1, column 2"),
    "json twice": (b'{"inputs": "a"} {"inputs": "b"}', "InvalidJSON", "column 17"),
    "cut short": (b'{"inputs": ["a"', "InvalidJSON", "not JSON"),
    "latin-1": ('{"inputs": "é"}'.encode("latin-1"), "InvalidJSON", "byte 12"),
    "utf-16": ('{"inputs": "a"}'.encode("utf-16"), "InvalidJSON", "UTF-8"),
    "a byte order mark": ('{"inputs": "a"}'.encode("utf-8-sig"), "InvalidJSON", "BOM"),
    "an encoded surrogate": (b'{"inputs": "\xed\xa0\x80"}', "InvalidJSON", "UTF-8"),
    "NaN": (b'{"inputs": NaN}', "InvalidJSON", "NaN"),
    "Infinity": (b'{"inputs": ["a"], "parameters": {"top_k": -Infinity}}', "InvalidJSON", "-Infinity"),
    "a control character": (b'{"inputs": "\x00"}', "InvalidJSON", "control character"),
    "deep nesting": (b'{"inputs": ' + b"[" * 200_000, "InvalidJSON", "too deeply"),
    "deep nesting that ends": (b'{"inputs": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "InvalidJSON", "too deeply"),
    "a huge number": (b'{"inputs": ' + b"9" * 10_000 + b"}", "InvalidJSON", "too many digits"),
    "a list": (b'["a"]', "InvalidRequest", "a list"),
    "a string": (b'"a"', "InvalidRequest", "text"),
    "null": (b"null", "InvalidRequest", "null"),
    "a number": (b"1", "InvalidRequest", "a number"),
    "true": (b"true", "InvalidRequest", "true or false"),
    "no inputs": (b"{}", "InvalidRequest", '"inputs"'),
    "a slip in the key": (b'{"input": "a"}', "InvalidRequest", 'no "inputs"'),
    "a key too many": (b'{"inputs": "a", "options": {}}', "InvalidRequest", '"options"'),
    "null inputs": (b'{"inputs": null}', "InvalidRequest", "null"),
    "an empty list": (b'{"inputs": []}', "InvalidRequest", "empty list"),
    "too many inputs": (json.dumps({"inputs": ["a"] * 11}).encode(), "InvalidRequest", "at most 10"),
    "parameters that are a list": (b'{"inputs": "a", "parameters": []}', "InvalidRequest", '"parameters" is a list'),
    "a surrogate as a key": (b'{"inputs": "a", "\\ud800": 1}', "InvalidRequest", "ud800"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused_with_a_sentence(name: str) -> None:
    body, code, part = BAD_BODIES[name]
    with pytest.raises(RequestError) as caught:
        parse_request(body, 10)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert part in caught.value.message
    assert caught.value.message.endswith(".")


def test_a_long_key_is_not_sent_back_whole() -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(json.dumps({"inputs": "a", "k" * 100_000: 1}).encode(), 10)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; profile=x; charset=utf8",
    ],
)
def test_json_is_taken_whatever_its_parameters(content_type: str | None) -> None:
    check_content_type(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/csv",
        "application/jsonlines",
        "application/x-npy",
        "json",
        "application/json; charset=utf-16",
    ],
)
def test_another_content_type_is_415(content_type: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_content_type(content_type)
    assert caught.value.status == 415
    assert caught.value.message.endswith(".")


def test_a_compressed_body_is_415() -> None:
    check_content_encoding(None)
    check_content_encoding("identity")
    with pytest.raises(RequestError) as caught:
        check_content_encoding("gzip")
    assert caught.value.status == 415


def test_predictions_are_an_object_with_a_list() -> None:
    assert json.loads(encode_predictions(["A", {"b": 1.5}])) == {"predictions": ["A", {"b": 1.5}]}


@pytest.mark.parametrize("wrong", ["A", ("A",), None, [float("nan")], [{1, 2}], [object()]])
def test_predictions_that_are_no_list_or_no_json_are_an_error_of_the_handler(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_predictions(wrong)


def test_errors_have_one_shape() -> None:
    assert json.loads(encode_error("Code", "A sentence.")) == {"error": {"code": "Code", "message": "A sentence."}}
