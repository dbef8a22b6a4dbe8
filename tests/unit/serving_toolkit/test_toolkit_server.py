# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server process with the toolkit runtime: each task over HTTP, streams, user code, failed starts."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving_process import PATIENCE, ServerProcess
from test_toolkit_tasks import assert_same, some_texts
from toolkit_media import image, png, sound, wav

Start = Callable[..., ServerProcess]
TEXTS = some_texts(8, longest=20)


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


CASES: dict[str, tuple[list[Any], dict[str, Any], Callable[[Any, Any], Any]]] = {
    "text-classification": (TEXTS, {"top_k": None}, lambda pipe, text: pipe(text, top_k=None)),
    "token-classification": (TEXTS, {"scores": True}, lambda pipe, text: pipe(text)),
    "zero-shot-classification": (
        TEXTS,
        {"candidate_labels": ["cats", "dogs"], "scores": True},
        lambda pipe, text: pipe(text, candidate_labels=["cats", "dogs"]),
    ),
    "feature-extraction": (TEXTS, {}, lambda pipe, text: pipe(text)),
    "fill-mask": ([f"{text} [MASK] ." for text in TEXTS], {"scores": True}, lambda pipe, text: pipe(text)),
    "question-answering": (
        [{"question": "what do you like ?", "context": text} for text in TEXTS],
        {"scores": True},
        lambda pipe, asked: pipe(**asked, max_seq_len=48, doc_stride=21),
    ),
    "text2text-generation": (
        TEXTS,
        {"scores": True, "max_new_tokens": 5},
        lambda pipe, text: pipe(text, max_new_tokens=5),
    ),
    "text-generation": (
        TEXTS,
        {"scores": True, "do_sample": False, "max_new_tokens": 5},
        lambda pipe, text: pipe(text, do_sample=False, max_new_tokens=5),
    ),
    "image-classification": ([], {"scores": True}, lambda pipe, picture: pipe(picture)),
    "automatic-speech-recognition": (
        [],
        {"scores": True},
        lambda pipe, samples: pipe({"raw": samples, "sampling_rate": 16_000}),
    ),
}
# Content type, what is sent, and as which bytes. Made in the test: the other tests' environment has no Pillow.
MEDIA: dict[str, tuple[str, Callable[[], list[Any]], Callable[[Any], bytes]]] = {
    "image-classification": ("image/png", lambda: [image((16, 16), 1), image((30, 20), 2)], png),
    "automatic-speech-recognition": (
        "audio/wav",
        lambda: [sound(1.0, 16_000, 1), sound(1.5, 16_000, 2)],
        lambda samples: wav(samples, 16_000),
    ),
}


@pytest.fixture(scope="module")
def server_for(model: Callable[[str], Path]) -> Iterator[Callable[[str], ServerProcess]]:
    """The server of a kind of model. The next one is started too: importing torch takes one processor some seconds."""
    kinds = list(CASES)
    started: dict[str, ServerProcess] = {}

    def get(kind: str) -> ServerProcess:
        for name in kinds[kinds.index(kind) :][:2]:
            if name not in started:
                directory = model(name)
                environment = {"SERVING_MODEL_DIR": str(directory), "HF_TASK": name, "SERVING_MAX_STREAMS": "1"}
                started[name] = ServerProcess(directory.parent, **environment)
        return started[kind]

    yield get
    for server in started.values():
        server.close()


@pytest.mark.parametrize("kind", CASES)
def test_each_task_is_answered_over_http_as_the_pipeline_answers(
    kind: str, server_for: Callable[[str], ServerProcess], pipeline: Callable[[str], Any]
) -> None:
    inputs, parameters, expect = CASES[kind]
    if kind in MEDIA:
        inputs = MEDIA[kind][1]()
    server = server_for(kind)
    expected = [expect(pipeline(kind), value) for value in inputs]
    sent = [in_base64(MEDIA[kind][2](value)) for value in inputs] if kind in MEDIA else inputs
    server.ready()
    assert_same(server.invoke({"inputs": sent, "parameters": parameters}).predictions, expected)
    # Requests of several callers share batches, and each gets its own answer.
    with ThreadPoolExecutor(8) as callers:
        asked = [{"inputs": value, "parameters": parameters} for value in sent]
        for answer, one in zip(callers.map(server.invoke, asked), expected, strict=True):
            assert_same(answer.predictions, [one])
    if kind in MEDIA:
        content_type, _, encode = MEDIA[kind]
        readable = server.invoke_raw(encode(inputs[0]), content_type).predictions
        assert readable == [expected[0]["text"] if "text" in expected[0] else expected[0][0]["label"]]
    if kind == "text-generation":
        check_streams(server)
    for wrong, status in (({"inputs": sent, "parameters": {"nonsense": 1}}, 400), ({"inputs": [3]}, 400)):
        refused = server.invoke(wrong)
        assert (refused.status, refused.error["code"]) == (status, "InvalidInput")
    assert server.invoke_raw(b"x", "application/x-nonsense").status == 415
    server.terminate()
    assert server.exit_status() == 0


def check_streams(server: ServerProcess) -> None:
    """One answer in pieces; a second one is refused while a first is read; a caller who leaves frees the place."""
    asked = {"inputs": "i love dogs", "stream": True, "parameters": {"do_sample": False, "max_new_tokens": 6}}
    answer = server.invoke(asked)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = [json.loads(event.removeprefix("data: ")) for event in answer.body.decode().split("\n\n") if event]
    assert "".join(event["token"]["text"] for event in found) == found[-1]["generated_text"]
    whole = server.invoke({**asked, "stream": False, "parameters": {**asked["parameters"], "return_full_text": False}})
    assert whole.predictions == [found[-1]["generated_text"]]

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("POST", "/invocations", json.dumps(asked), {"Content-Type": "application/json"})
    connection.getresponse().read(10)
    connection.close()
    # The one place for streams is free again once the server saw that nobody listens.
    server.wait_until(lambda: server.invoke(asked).status == 200, "the stream of a caller who left was not ended")


def test_user_code_is_served_with_its_requirements(model: Callable[[str], Path], start: Start, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(model("text-classification"), tmp_path / "model"))
    package = directory / "code" / "tiny" / "tiny_shout"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def shout(text):\n    return text.upper()\n", encoding="utf-8")
    (directory / "code" / "tiny" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "tiny-shout"\nversion = "1.0"\n',
        encoding="utf-8",
    )
    (directory / "code" / "requirements.txt").write_text("./tiny\n", encoding="utf-8")
    (directory / "code" / "inference.py").write_text(
        """
from tiny_shout import shout

def input_fn(body, content_type):
    assert content_type == "application/x-shouted", content_type
    return {"inputs": shout(body.decode())}

def output_fn(prediction, accept, context):
    return f"{prediction[0]['label']} {accept}"
""",
        encoding="utf-8",
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    server = start(directory, TMPDIR=str(scratch), PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0").ready()
    headers = {"Content-Type": "application/x-shouted", "Accept": "text/plain"}
    answer = server.request("POST", "/invocations", b"i love dogs", headers)
    assert answer.status == 200, answer.body
    label, accept = answer.body.decode().split()
    assert label in ("NEGATIVE", "NEUTRAL", "POSITIVE")
    assert accept == answer.headers["content-type"] == "text/plain"
    # An error of the user's code is told in the log, and not to the caller.
    failed = server.request("POST", "/invocations", b"\xff", headers)
    assert (failed.status, failed.error["code"]) == (500, "ModelError")
    assert server.invoke({"inputs": "a"}).status == 500
    assert server.ping().status == 200
    events = [line["event"] for line in server.log]
    assert events.index("requirements_installed") < events.index("user_code") < events.index("model_ready")


def test_a_package_that_cannot_be_installed_ends_the_start_with_one_sentence(start: Start, tmp_path: Path) -> None:
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text("def model_fn(model_dir): pass\n", encoding="utf-8")
    (code / "requirements.txt").write_text("a-package-that-is-not-there\n", encoding="utf-8")
    server = start(tmp_path / "model", PIP_NO_INDEX="1", TMPDIR=str(tmp_path))
    assert server.exit_status() == 1
    failed = server.wait_for("model_load_failed")
    assert "No matching distribution found for a-package-that-is-not-there" in failed["message"]
    assert "stack" not in failed


def test_weights_that_lack_a_part_end_the_start(model: Callable[[str], Path], start: Start) -> None:
    server = start(model("feature-extraction"), HF_TASK="text-classification")
    assert server.exit_status() == 1
    assert "the model would answer at random" in server.wait_for("model_load_failed")["message"]
