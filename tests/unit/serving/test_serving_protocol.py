# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from serving.errors import RequestError
from serving.handler import Request
from serving.protocol import (
    check_content_encoding,
    check_content_type,
    encode_error,
    encode_predictions,
    parse_request,
)


def parse(body: bytes, content_type: str = "application/json") -> Request:
    return parse_request(body, content_type, "*/*", 10)


@pytest.mark.parametrize(
    ("document", "inputs", "parameters", "stream"),
    [
        ({"inputs": "text"}, "text", {}, False),
        ({"inputs": ["a", "b"]}, ["a", "b"], {}, False),
        ({"inputs": {"image": "…"}}, {"image": "…"}, {}, False),
        ({"inputs": ["a"], "parameters": None}, ["a"], {}, False),
        ({"inputs": ["a"], "parameters": {"top_k": 1}}, ["a"], {"top_k": 1}, False),
        ({"inputs": "a", "stream": True}, "a", {}, True),
        ({"inputs": "a", "stream": None}, "a", {}, False),
    ],
)
def test_a_request_holds_inputs_and_parameters(document: Any, inputs: Any, parameters: Any, stream: bool) -> None:
    body = json.dumps(document).encode()
    assert parse(body) == Request(inputs, parameters, accept="*/*", body=body, stream=stream)


def test_another_content_type_is_given_as_bytes() -> None:
    request = parse(b"\x89PNG", "image/png")
    assert (request.inputs, request.content_type, request.body) == (b"\x89PNG", "image/png", b"\x89PNG")
    with pytest.raises(RequestError, match="empty"):
        parse(b"", "image/png")


BAD_BODIES = {
    "nothing": (b"", "InvalidJSON", "empty"),
    "only space": (b" \n", "InvalidJSON", "empty"),
    "not json": (b"{inputs: 1}", "InvalidJSON", "line 1, column 2"),
    "json twice": (b'{"inputs": "a"} {"inputs": "b"}', "InvalidJSON", "column 17"),
    "cut short": (b'{"inputs": ["a"', "InvalidJSON", "not JSON"),
    "latin-1": ('{"inputs": "é"}'.encode("latin-1"), "InvalidJSON", "UTF-8"),
    "utf-16": ('{"inputs": "a"}'.encode("utf-16"), "InvalidJSON", "UTF-8"),
    "a byte order mark": ('{"inputs": "a"}'.encode("utf-8-sig"), "InvalidJSON", "BOM"),
    "an encoded surrogate": (b'{"inputs": "\xed\xa0\x80"}', "InvalidJSON", "UTF-8"),
    "NaN": (b'{"inputs": NaN}', "InvalidJSON", "column 12"),
    "Infinity": (b'{"inputs": ["a"], "parameters": {"top_k": -Infinity}}', "InvalidJSON", "no digit after sign"),
    "a control character": (b'{"inputs": "\x00"}', "InvalidJSON", "control character"),
    "deep nesting": (b'{"inputs": ' + b"[" * 200_000, "InvalidJSON", "depth limit"),
    "deep nesting that ends": (b'{"inputs": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "InvalidJSON", "depth limit"),
    "a huge number": (b'{"inputs": ' + b"9" * 10_000 + b"}", "InvalidJSON", "infinity"),
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
    "a surrogate": (b'{"inputs": "\\ud800"}', "InvalidJSON", "surrogate"),
    "a surrogate as a key": (b'{"inputs": "a", "\\ud800": 1}', "InvalidJSON", "surrogate"),
    "a number past every double": (b'{"inputs": 1e999}', "InvalidJSON", "infinity"),
    "stream that is a number": (b'{"inputs": "a", "stream": 1}', "InvalidRequest", '"stream" is a number'),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused_with_a_sentence(name: str) -> None:
    body, code, part = BAD_BODIES[name]
    with pytest.raises(RequestError) as caught:
        parse(body)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert part in caught.value.message
    assert caught.value.message.endswith(".")


def test_a_long_key_is_not_sent_back_whole() -> None:
    with pytest.raises(RequestError) as caught:
        parse(json.dumps({"inputs": "a", "k" * 100_000: 1}).encode())
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; profile=x; charset=utf8",
    ],
)
def test_json_is_taken_whatever_its_parameters(content_type: str) -> None:
    check_content_type(content_type, ())
    assert parse(b'{"inputs": "a"}', content_type).inputs == "a"


@pytest.mark.parametrize(
    ("content_type", "taken"),
    [
        ("text/plain", ()),
        ("application/jsonlines", ()),
        ("json", ()),
        ("application/json; charset=utf-16", ("*/*",)),
        ("audio/wav", ("image/*", "text/csv")),
    ],
)
def test_another_content_type_is_415(content_type: str, taken: tuple[str, ...]) -> None:
    with pytest.raises(RequestError) as caught:
        check_content_type(content_type, taken)
    assert caught.value.status == 415
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("taken", [("image/png",), ("text/csv", "image/*"), ("*/*",)])
def test_a_content_type_that_the_handler_takes_is_taken(taken: tuple[str, ...]) -> None:
    check_content_type("Image/PNG; q=1", taken)


def test_a_compressed_body_is_415() -> None:
    check_content_encoding("")
    check_content_encoding("identity")
    with pytest.raises(RequestError) as caught:
        check_content_encoding("gzip")
    assert caught.value.status == 415


def test_arrays_are_written_as_lists() -> None:
    array = np.asarray([[1, 2], [3, 4]], dtype=np.float32)
    document = json.loads(encode_predictions([array, array.T, np.float32(0.5), np.int64(3)]))
    assert document == {"predictions": [[[1, 2], [3, 4]], [[1, 3], [2, 4]], 0.5, 3]}


def test_null_is_an_answer() -> None:
    assert encode_predictions([None, {"a": [None, "null"]}]) == b'{"predictions":[null,{"a":[null,"null"]}]}'


def test_predictions_are_an_object_with_a_list() -> None:
    assert json.loads(encode_predictions(["A", {"b": 1.5}])) == {"predictions": ["A", {"b": 1.5}]}


@pytest.mark.parametrize(
    "wrong",
    [
        "A",
        ("A",),
        None,
        [float("nan")],
        [{"a": (1.0, float("inf"))}],
        [np.asarray([np.nan])],
        [np.float32("nan")],
        [{1, 2}],
        [object()],
        ["\ud800"],
    ],
)
def test_predictions_that_are_no_list_or_no_json_are_an_error_of_the_handler(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_predictions(wrong)


def test_errors_have_one_shape() -> None:
    assert json.loads(encode_error("Code", "A sentence.")) == {"error": {"code": "Code", "message": "A sentence."}}
