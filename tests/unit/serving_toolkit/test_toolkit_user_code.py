# SPDX-License-Identifier: GPL-3.0-or-later
"""`code/inference.py`: every function of the toolkit's, called with what the toolkit calls it with."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.errors import InputError, ModelLoadError, RequestError
from serving.handler import RawAnswer, Request
from toolkit_media import image, png
from toolkit_served import Asked, load

WithCode = Callable[..., Asked]


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test has an `inference` module of its own, and the environment as it was."""
    path = list(sys.path)
    monkeypatch.delenv("HF_TASK", raising=False)
    yield
    sys.path[:] = path
    for name in ("inference", "handlers", "helper"):
        sys.modules.pop(name, None)


@pytest.fixture
def with_code(model: Callable[[str], Path], tmp_path: Path) -> WithCode:
    """A handler for a model with a `code/inference.py`."""

    def make(source: str, kind: str | None = None, name: str = "inference.py", **settings: Any) -> Asked:
        directory = tmp_path / "model"
        if kind:
            shutil.copytree(model(kind), directory)
        (directory / "code").mkdir(parents=True)
        (directory / "code" / name).write_text(source, encoding="utf-8")
        return load(directory, **settings)

    return make


def post(asked: Asked, body: bytes, content_type: str = "application/json", accept: str = "") -> RawAnswer:
    answer = asked.ask_request(Request(None, {}, content_type, accept, body))
    assert isinstance(answer, RawAnswer)
    return answer


ALL = """
import json

def model_fn(model_dir):
    return {"dir": model_dir}

def input_fn(body, content_type):
    assert content_type == "application/x-words", content_type
    return body.decode("latin-1").split()

def predict_fn(data, model):
    return [word.upper() for word in data] + [model["dir"].rsplit("/", 1)[-1]]

def output_fn(prediction, accept):
    return f"{accept}|{'-'.join(prediction)}"
"""


def test_the_four_functions_make_the_answer(with_code: WithCode) -> None:
    answer = post(with_code(ALL), b"a b\xe9", "application/x-words", "text/plain")
    assert answer.body.decode() == "text/plain|A-BÉ-model"
    assert answer.content_type == "text/plain"


def test_functions_may_take_the_context(with_code: WithCode) -> None:
    asked = with_code(
        """
def model_fn(model_dir, context):
    return context.system_properties["model_dir"] == model_dir

def input_fn(body, content_type, context):
    return [body, content_type, context.get_request_header(0, "Content-Type")]

def predict_fn(data, model, context):
    return data + [model, context.get_all_request_header(0)["Accept"]]

def output_fn(prediction, accept, context):
    return prediction + [accept, context.request_processor[0].get_request_property("Accept")]
"""
    )
    answer = post(asked, b"{}", "application/json; charset=utf-8", "application/json")
    assert json.loads(answer.body) == [
        "{}", "application/json", "application/json; charset=utf-8", True, *["application/json"] * 3
    ]  # fmt: skip


@pytest.mark.parametrize("context", ["", ", context"])
def test_transform_fn_stands_for_the_last_three(context: str, with_code: WithCode) -> None:
    asked = with_code(
        f"""
def model_fn(model_dir):
    return "the model"

def transform_fn(model, body, content_type, accept{context}):
    return bytearray(f"{{model}} {{type(body).__name__}} {{content_type}} {{accept}}".encode())
"""
    )
    assert post(asked, b"{}").body == b"the model str application/json application/json"
    answer = post(asked, b"\xff\x00", "application/octet-stream", "image/png, */*")
    assert answer.body == b"the model bytes application/octet-stream image/png"
    assert answer.content_type == "image/png"


def test_transform_fn_goes_with_none_of_the_three(with_code: WithCode) -> None:
    with pytest.raises(ModelLoadError, match=r"code/inference\.py could not be used: ValueError: .*transform_fn"):
        with_code("def model_fn(d): pass\ndef transform_fn(a, b, c, d): pass\ndef predict_fn(a, b): pass\n")


def test_a_function_with_other_arguments_is_refused_at_start(with_code: WithCode) -> None:
    with pytest.raises(ModelLoadError, match=r"predict_fn definition takes 2 or 3 arguments but 1 were given"):
        with_code("def model_fn(d): pass\ndef predict_fn(a): pass\n")


def test_what_the_user_leaves_out_is_the_toolkit_s(with_code: WithCode, pipeline: Callable[[str], Any]) -> None:
    asked = with_code("def output_fn(prediction, accept):\n    return [prediction, accept]\n", "text-classification")
    body = json.dumps({"inputs": ["i love dogs", "bad"], "parameters": {"top_k": 1}}).encode()
    prediction, accept = json.loads(post(asked, body).body)
    expected = pipeline("text-classification")(["i love dogs", "bad"], top_k=1)
    assert [found[0]["label"] for found in prediction] == [found[0]["label"] for found in expected]
    assert accept == "application/json"


def test_a_model_of_the_user_s_own_goes_through_the_toolkit_s_functions(with_code: WithCode) -> None:
    asked = with_code("def model_fn(model_dir):\n    return lambda inputs, n=1: {'found': [inputs, n]}\n")
    assert json.loads(post(asked, b'{"inputs": "a"}').body) == {"found": ["a", 1]}
    assert json.loads(post(asked, b'{"inputs": "a", "parameters": {"n": 3}}').body) == {"found": ["a", 3]}


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "", "APPLICATION/JSON"]
)
def test_json_is_json_with_any_case_and_charset(content_type: str, with_code: WithCode) -> None:
    asked = with_code("def model_fn(d):\n    return lambda inputs: inputs\n")
    assert json.loads(post(asked, '{"inputs": "é"}'.encode(), content_type).body) == "é"


@pytest.mark.parametrize(
    ("content_type", "body", "seen"),
    [
        ("text/csv", lambda: b"inputs\na\nb\n", "list ['a', 'b']"),
        ("image/png", lambda: png(image((4, 3), 0)), "Image (4, 3)"),
        ("image/jpeg", lambda: png(image((4, 3), 0), "JPEG"), "Image (4, 3)"),
        ("image/x-image", lambda: png(image((4, 3), 0)), "Image (4, 3)"),
        ("audio/x-flac", lambda: b"abc", "bytes 3"),
        ("audio/mpeg", lambda: b"abcd", "bytes 4"),
        ("audio/wave", lambda: b"ab", "bytes 2"),
    ],
)
def test_the_toolkit_s_decoders_are_used(
    content_type: str, body: Callable[[], bytes], seen: str, with_code: WithCode
) -> None:
    asked = with_code(
        """
def model_fn(model_dir):
    return None

def predict_fn(data, model):
    inputs = data["inputs"]
    seen = len(inputs) if isinstance(inputs, bytes) else getattr(inputs, "size", inputs)
    return f"{type(inputs).__name__} {seen}"
"""
    )
    assert json.loads(post(asked, body(), content_type).body) == seen


@pytest.mark.parametrize(
    ("accept", "content_type", "start"),
    [("", "application/json", b'[{"a":1'), ("*/*", "application/json", b"[{"), ("text/csv", "text/csv", b"a,b\r\n1,2")],
)
def test_the_toolkit_s_encoders_are_used(accept: str, content_type: str, start: bytes, with_code: WithCode) -> None:
    asked = with_code("def model_fn(d):\n    return lambda inputs: [{'a': 1, 'b': 2}]\n")
    answer = post(asked, b'{"inputs": 0}', accept=accept)
    assert answer.content_type == content_type
    assert answer.body.startswith(start)


def test_other_content_types_are_refused_by_the_toolkit_s_decoder_and_taken_by_the_user_s(with_code: WithCode) -> None:
    asked = with_code("def model_fn(d):\n    return lambda inputs: 0\n")
    for content_type, accept in (("application/octet-stream", ""), ("application/json", "text/html")):
        with pytest.raises(RequestError, match=r"takes no .* or gives no") as refused:
            post(asked, b'{"inputs": 1}', content_type, accept)
        assert refused.value.status == 415


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        ('from mms.service import PredictionException as E\nerror = E("too many words", 400)', 400, "too many words."),
        ('from mms.service import PredictionException as E\nerror = E("no luck", 503)', 503, "no luck."),
        ('from mms.service import PredictionException as E\nerror = E("odd", 200)', 500, "odd."),
        (
            "from sagemaker_inference.errors import GenericInferenceToolkitError as E\nerror = E(422, 'not so')",
            422,
            "not so.",
        ),
    ],
)
def test_an_error_that_the_user_raises_on_purpose_has_their_status(
    raised: str, status: int, message: str, with_code: WithCode
) -> None:
    asked = with_code(f"{raised}\ndef model_fn(d): pass\ndef predict_fn(data, model):\n    raise error\n")
    with pytest.raises(RequestError) as refused:
        post(asked, b"{}")
    assert (refused.value.status, refused.value.message) == (status, message)


def test_a_status_that_the_user_sets_is_answered(with_code: WithCode) -> None:
    asked = with_code(
        """
def model_fn(d): pass
def predict_fn(data, model, context):
    context.set_response_status(429, "slow down", 0)
    return "come back later"
def output_fn(prediction, accept):
    return prediction
"""
    )
    with pytest.raises(RequestError, match="come back later") as refused:
        post(asked, b"{}")
    assert refused.value.status == 429


def test_another_success_that_the_user_sets_is_answered_as_well(with_code: WithCode) -> None:
    asked = with_code(
        """
def model_fn(d): pass
def predict_fn(data, model, context):
    context.set_response_status(202, "taken", 0)
    return "later"
def output_fn(prediction, accept):
    return prediction
"""
    )
    answer = post(asked, b"{}")
    assert (answer.status, answer.body) == (202, b"later")


def test_what_fails_in_the_user_s_code_is_not_shown(with_code: WithCode) -> None:
    asked = with_code("def model_fn(d): pass\ndef predict_fn(data, model):\n    raise KeyError(str(data))\n")
    with pytest.raises(KeyError):
        post(asked, b'{"secret": 1}')
    with pytest.raises(InputError, match=r"not JSON: .* line 1, column 1"):
        post(asked, b"nonsense")
    with pytest.raises(InputError, match="not UTF-8: byte 0"):
        post(asked, b"\xff")


def test_the_user_s_code_can_import_what_lies_beside_it(
    with_code: WithCode, tmp_path: Path, model: Callable[[str], Path]
) -> None:
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "helper.py").write_text("WORD = 'helped'\n", encoding="utf-8")
    (tmp_path / "model" / "code" / "inference.py").write_text(
        "import helper\ndef model_fn(d): pass\ndef predict_fn(data, model):\n    return helper.WORD\n", encoding="utf-8"
    )
    assert post(load(tmp_path / "model"), b"{}").body == b'"helped"'


def test_the_module_may_have_another_name(with_code: WithCode) -> None:
    source = "def model_fn(d): pass\ndef predict_fn(data, model):\n    return 'other'\n"
    # What SAGEMAKER_PROGRAM=handlers.py says.
    assert post(with_code(source, name="handlers.py", user_program="handlers"), b"{}").body == b'"other"'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import a_package_that_is_not_there\n", "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"),
        ("def model_fn(model_dir):\n    raise OSError('no weights here')\n", "OSError: no weights here"),
        ("def model_fn(:\n", "SyntaxError"),
    ],
)
def test_code_that_cannot_be_used_is_told_at_start(source: str, said: str, with_code: WithCode) -> None:
    with pytest.raises(ModelLoadError, match=r"code/inference\.py could not be used") as refused:
        with_code(source)
    assert said in str(refused.value)


def test_pickled_weights_are_refused_for_the_toolkit_s_model_fn_too(with_code: WithCode, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelLoadError, match=r"pickled \(pytorch_model\.bin\)"):
        with_code("def predict_fn(a, b): pass\n", task="text-classification")


def test_requests_never_share_a_batch(with_code: WithCode) -> None:
    handler = with_code("def model_fn(d):\n    return lambda inputs: inputs\n").handler
    rows = [row for _ in range(2) for row in handler.preprocess(Request(None, body=b"{}"))]
    assert len({row.group for row in rows}) == 2
    assert handler.raw is True
    assert handler.concurrent is False
    assert handler.example() is None
