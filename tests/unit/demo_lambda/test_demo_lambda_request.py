# SPDX-License-Identifier: GPL-3.0-or-later
"""What POST /demo takes, and what it says about anything else."""

from __future__ import annotations

import base64
import json

import pytest
from demo_api.errors import DemoError
from demo_api.request import parse_inputs

LIMITS = {"max_inputs": 3, "max_input_characters": 20}


def event(body: str | None, **more: object) -> dict[str, object]:
    return {"version": "2.0", "headers": {}, "body": body, "isBase64Encoded": False, **more}


def base64_event(body: bytes) -> dict[str, object]:
    return event(base64.b64encode(body).decode(), isBase64Encoded=True)


def refusal(body: str | None, **more: object) -> DemoError:
    with pytest.raises(DemoError) as caught:
        parse_inputs(event(body, **more), **LIMITS)
    return caught.value


def test_a_list_of_strings_is_taken_in_its_order() -> None:
    assert parse_inputs(event('{"inputs": ["b", "a"]}'), **LIMITS) == ["b", "a"]


def test_one_string_is_a_list_of_one() -> None:
    assert parse_inputs(event('{"inputs": "a"}'), **LIMITS) == ["a"]


def test_fields_that_nobody_asked_for_are_ignored() -> None:
    assert parse_inputs(event('{"inputs": "a", "colour": 1}'), **LIMITS) == ["a"]


@pytest.mark.parametrize("text", ["Füße", "日本語", "👍🏽 ok", "a\u0000b", "\u202eabc"])
def test_text_of_any_script_arrives_unchanged(text: str) -> None:
    assert parse_inputs(event(json.dumps({"inputs": text}, ensure_ascii=False)), **LIMITS) == [text]
    assert parse_inputs(event(json.dumps({"inputs": text}, ensure_ascii=True)), **LIMITS) == [text]


def test_a_base64_encoded_body_is_decoded() -> None:
    # API Gateway encodes every body whose content type it does not know as text, that of a plain curl -d included.
    assert parse_inputs(base64_event('{"inputs": "Füße"}'.encode()), **LIMITS) == ["Füße"]


@pytest.mark.parametrize("make", [lambda text: event(text), lambda text: base64_event(text.encode())])
def test_a_byte_order_mark_is_skipped(make) -> None:
    assert parse_inputs(make('\ufeff{"inputs": "a"}'), **LIMITS) == ["a"]


def test_as_many_inputs_and_characters_as_allowed_are_taken() -> None:
    inputs = ["x" * 20] * 3
    assert parse_inputs(event(json.dumps({"inputs": inputs})), **LIMITS) == inputs


@pytest.mark.parametrize("body", [None, "", " \n"])
def test_no_body_is_refused(body: str | None) -> None:
    error = refusal(body)
    assert (error.status, error.code) == (400, "BodyMissing")
    assert error.sentence == ("The request has no body; send a JSON object with inputs, a string or a list of strings.")


def test_an_event_without_a_body_key_has_no_body() -> None:
    with pytest.raises(DemoError) as caught:
        parse_inputs({"version": "2.0"}, **LIMITS)
    assert caught.value.code == "BodyMissing"


def test_an_empty_base64_body_is_no_body() -> None:
    assert refusal("", isBase64Encoded=True).code == "BodyMissing"
    assert refusal("IA==", isBase64Encoded=True).code == "BodyMissing"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{", "The body is not valid JSON: it goes wrong at line 1, column 2."),
        ('{"inputs": "a"} x', "The body is not valid JSON: it goes wrong at line 1, column 17."),
        ("inputs=a", "The body is not valid JSON: it goes wrong at line 1, column 1."),
        ('{"inputs": NaN}', "The body is not valid JSON: NaN is not a JSON number."),
        ('{"inputs": "a", "x": -Infinity}', "The body is not valid JSON: -Infinity is not a JSON number."),
        ('{"inputs": ' + "9" * 10_000 + "}", "The body holds a number that is too long."),
        ("[" * 200_000, "The body is nested too deeply."),
        ('{"inputs": ' + '{"a": ' * 200_000 + "1" + "}" * 200_001, "The body is nested too deeply."),
    ],
    ids=["cut off", "trailing text", "a form", "NaN", "infinity", "huge number", "huge list nesting", "huge nesting"],
)
def test_what_is_not_json_is_refused(body: str, sentence: str) -> None:
    error = refusal(body)
    assert (error.status, error.code, error.sentence) == (400, "BodyNotJson", sentence)


@pytest.mark.parametrize("body", ["not base64!", base64.b64encode(b"\xff\xfe{}").decode()])
def test_what_is_not_text_is_refused(body: str) -> None:
    error = refusal(body, isBase64Encoded=True)
    assert (error.status, error.code) == (400, "BodyNotText")


@pytest.mark.parametrize("name", ["content-encoding", "Content-Encoding", "CONTENT-ENCODING"])
def test_a_compressed_body_is_refused_however_the_header_is_written(name: str) -> None:
    error = refusal("H4sIAAAA", headers={name: "gzip"}, isBase64Encoded=True)
    assert (error.status, error.code) == (415, "BodyCompressed")


@pytest.mark.parametrize("headers", [None, {}, {"content-encoding": "identity"}, {"x": "y"}])
def test_other_headers_do_not_matter(headers: object) -> None:
    assert parse_inputs(event('{"inputs": "a"}', headers=headers), **LIMITS) == ["a"]


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ('["a"]', "BodyNotAnObject", "The body is a list; send a JSON object with inputs"),
        ("null", "BodyNotAnObject", "The body is null; send a JSON object with inputs"),
        ("{}", "InputsMissing", "The body has no inputs; send a JSON object with inputs"),
        ('{"Inputs": "a"}', "InputsMissing", "The body has no inputs"),
        ('{"inputs": null}', "InputsWrongType", "inputs is null; it must be a string or a list of strings."),
        ('{"inputs": true}', "InputsWrongType", "inputs is true or false; it must be"),
        ('{"inputs": 1.5}', "InputsWrongType", "inputs is a number; it must be"),
        ('{"inputs": {"a": 1}}', "InputsWrongType", "inputs is an object; it must be"),
        ('{"inputs": ["a", 7]}', "InputsWrongType", "Item 2 of inputs is a number; it must be a string."),
        ('{"inputs": [["a"]]}', "InputsWrongType", "Item 1 of inputs is a list; it must be a string."),
        ('{"inputs": []}', "InputsEmpty", "inputs is an empty list; it must hold at least one string."),
        ('{"inputs": ""}', "InputEmpty", "Item 1 of inputs is empty."),
        ('{"inputs": ["a", " \\n"]}', "InputEmpty", "Item 2 of inputs is empty."),
        ('{"inputs": ["a","b","c","d"]}', "TooManyInputs", "inputs holds 4 strings; at most 3 are allowed."),
        (
            json.dumps({"inputs": ["a", "x" * 21]}),
            "InputTooLong",
            "Item 2 of inputs has 21 characters; at most 20 are allowed.",
        ),
        ('{"inputs": "a\\ud83d"}', "InputNotUnicode", "Item 1 of inputs holds half of a surrogate pair"),
    ],
)
def test_wrong_inputs_are_refused_with_what_is_wrong(body: str, code: str, sentence: str) -> None:
    error = refusal(body)
    assert (error.status, error.code) == (400, code)
    assert error.sentence.startswith(sentence)
