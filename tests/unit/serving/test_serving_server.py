# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ready server answers, asked over HTTP."""

from __future__ import annotations

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving_process import PATIENCE, ServerProcess
from serving_tiny_model import LABELS, WORDS, expected_logits

SECRET = "velvet-octopus"


def best_label(text: str) -> str:
    return LABELS[int(expected_logits(text).argmax())]


def test_a_ready_server_is_healthy(server: ServerProcess) -> None:
    answer = server.ping()
    assert (answer.status, answer.json()) == (200, {"status": "healthy", "requests_in_progress": 0})
    assert server.request("HEAD", "/ping").status == 200


def test_predictions_come_one_per_text_in_order(server: ServerProcess) -> None:
    answer = server.invoke({"inputs": ["I love dogs", "I hate cats", "good good", "not bad cats"]})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"predictions": ["POSITIVE", "NEGATIVE", "POSITIVE", "NEGATIVE"]}


def test_a_single_text_is_answered_with_a_list_too(server: ServerProcess) -> None:
    assert server.invoke({"inputs": "love"}).predictions == ["POSITIVE"]


def test_scores_are_given_on_request(server: ServerProcess) -> None:
    (prediction,) = server.invoke({"inputs": "love dogs", "parameters": {"top_k": None}}).predictions
    assert [entry["label"] for entry in prediction] == ["POSITIVE", "NEGATIVE"]
    assert sum(entry["score"] for entry in prediction) == pytest.approx(1)


def test_a_list_longer_than_a_batch_keeps_its_order(server: ServerProcess) -> None:
    chooser = random.Random(2)
    texts = [" ".join(chooser.choices(list(WORDS)[4:], k=chooser.randrange(1, 12))) for _ in range(500)]
    assert server.invoke({"inputs": texts}).predictions == [best_label(text) for text in texts]


def test_callers_at_the_same_time_get_their_own_answers(server: ServerProcess) -> None:
    def ask(seed: int) -> bool:
        chooser = random.Random(seed)
        texts = [" ".join(chooser.choices(list(WORDS)[4:], k=chooser.randrange(1, 9))) for _ in range(seed % 7 + 1)]
        return server.invoke({"inputs": texts}).predictions == [best_label(text) for text in texts]

    with ThreadPoolExecutor(16) as callers:
        assert all(callers.map(ask, range(200)))


def test_text_of_any_script_is_taken(server: ServerProcess) -> None:
    body = '{"inputs": ["私は犬が love", "\\ud83d\\udc36 love", "Ünïcödé love \\u0000"]}'.encode()
    assert server.invoke_raw(body, "application/json; charset=utf-8").predictions == ["POSITIVE"] * 3


BAD_REQUESTS: dict[str, tuple[bytes, str, int]] = {
    "not json": (b"inputs=a", "application/json", 400),
    "not utf-8": (b'{"inputs": "\xff"}', "application/json", 400),
    "NaN": (b'{"inputs": [NaN]}', "application/json", 400),
    "deep nesting": (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400),
    "deep objects": (b'{"inputs": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "application/json", 400),
    "a number": (b'{"inputs": 1}', "application/json", 400),
    "an object of another form": (b'{"inputs": {"words": "a"}}', "application/json", 400),
    "a stream that is no yes or no": (b'{"inputs": "a", "stream": 1}', "application/json", 400),
    "null in the list": (b'{"inputs": ["a", null]}', "application/json", 400),
    "a list in the list": (b'{"inputs": [["a"]]}', "application/json", 400),
    "an empty list": (b'{"inputs": []}', "application/json", 400),
    "too many inputs": (json.dumps({"inputs": ["a"] * 1025}).encode(), "application/json", 400),
    "a lone surrogate": (b'{"inputs": "\\ud800"}', "application/json", 400),
    "a lone surrogate as a parameter": (b'{"inputs": "a", "parameters": {"\\ud800": 1}}', "application/json", 400),
    "an unknown parameter": (b'{"inputs": "a", "parameters": {"temperature": 1}}', "application/json", 400),
    "an infinite top_k": (b'{"inputs": "a", "parameters": {"top_k": 1e999}}', "application/json", 400),
    "csv": (b"a,b", "text/csv", 415),
    "another charset": (b'{"inputs": "a"}', "application/json; charset=latin-1", 415),
    "too large": (b'{"inputs": "' + b"a" * 6 * 1024 * 1024 + b'"}', "application/json", 413),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_bad_request_is_refused_with_a_sentence_and_the_connection_lives_on(server: ServerProcess, name: str) -> None:
    body, content_type, status = BAD_REQUESTS[name]
    connection = server.connect()
    try:
        for sent, expected in ((body, status), (b'{"inputs": "love"}', 200)):
            kind = content_type if sent is body else "application/json"
            connection.request("POST", "/invocations", sent, {"Content-Type": kind})
            response = connection.getresponse()
            document = json.loads(response.read())
            assert response.status == expected, document
            assert ("error" in document) == (expected != 200)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("POST", "/predict", 404, None),
        ("GET", "/invocations/", 404, None),
        ("GET", "/%2e%2e/etc/passwd", 404, None),
        ("GET", "/invocations", 405, "POST"),
        ("DELETE", "/invocations", 405, "POST"),
        ("POST", "/ping", 405, "GET, HEAD"),
    ],
)
def test_another_path_or_method_is_refused(
    server: ServerProcess, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = server.request(method, path)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    assert answer.error["code"] == ("NotFound" if status == 404 else "MethodNotAllowed")


def test_a_body_without_a_length_is_limited_too(server: ServerProcess) -> None:
    chunk = b"a" * 1024 * 1024
    answer = server.request("POST", "/invocations", iter([chunk] * 7), {"Content-Type": "application/json"})
    assert (answer.status, answer.error["code"]) == (413, "PayloadTooLarge")


def test_a_body_just_within_the_limit_is_taken(server: ServerProcess) -> None:
    body = b'{"inputs": "' + b"love " * ((6 * 1024 * 1024 - 20) // 5) + b'"}'
    assert server.invoke_raw(body).predictions == ["POSITIVE"]


def test_a_caller_that_leaves_in_the_middle_disturbs_nobody(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert server.invoke({"inputs": "love"}).predictions == ["POSITIVE"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_not_http_disturbs_nobody(server: ServerProcess, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as caller:
        caller.sendall(garbage)
        caller.shutdown(socket.SHUT_WR)
        while caller.recv(4096):
            pass
    assert server.ping().status == 200


def test_no_hostile_body_is_ever_a_500(server: ServerProcess) -> None:
    fuzz = Fuzz(random.Random(20260101))
    statuses = set()
    for _ in range(400):
        body = fuzz.body()
        answer = server.invoke_raw(body)
        statuses.add(answer.status)
        if answer.status == 200:
            assert isinstance(answer.predictions, list)
        else:
            assert answer.status == 400, (answer.status, body)
            assert answer.error["message"]
    # The generator reaches both sides, or this would test nothing.
    assert statuses == {200, 400}
    assert server.ping().status == 200


class Fuzz:
    """Requests that are nearly right: grown from the grammar of a good one, then damaged."""

    def __init__(self, chooser: random.Random) -> None:
        self.chooser = chooser

    def body(self) -> bytes:
        document: Any = {"inputs": self.value(0)}
        if self.chooser.random() < 0.5:
            document = {"inputs": [self.text() for _ in range(self.chooser.randrange(4))]}
        if self.chooser.random() < 0.4:
            name = self.chooser.choice(["top_k", "function_to_apply", self.text()])
            document["parameters"] = self.chooser.choice([{name: self.value(1)}, self.value(0)])
        if self.chooser.random() < 0.1:
            document[self.text()] = self.value(0)
        body = bytearray(json.dumps(document).encode())
        if self.chooser.random() < 0.5:
            for _ in range(self.chooser.randrange(1, 4)):
                self.damage(body)
        return bytes(body)

    def value(self, depth: int) -> Any:
        kinds = [
            self.text,
            lambda: self.chooser.choice([None, True, False, 0, -1, 1, 2**70, 1e308, -0.0, float("nan"), float("inf")]),
            lambda: self.chooser.choice(["softmax", "sigmoid", "none"]),
            lambda: [self.value(depth + 1) for _ in range(self.chooser.randrange(3))] if depth < 5 else [],
            lambda: {self.text(): self.value(depth + 1)} if depth < 5 else {},
        ]
        return self.chooser.choice(kinds)()

    def text(self) -> str:
        pieces = ["love ", "hate ", "\x00", "\ud800", "\udfff", "🐕", "\u202e", '"', "\\", "\n", "é", "[PAD]", "a" * 99]
        return "".join(self.chooser.choices(pieces, k=self.chooser.randrange(6)))

    def damage(self, body: bytearray) -> None:
        if not body:
            return
        at = self.chooser.randrange(len(body))
        action = self.chooser.randrange(4)
        if action == 0:
            body[at] = self.chooser.randrange(256)
        elif action == 1:
            del body[at : at + self.chooser.randrange(1, 9)]
        elif action == 2:
            body[at:at] = self.chooser.choice([b"[", b"}", b'"', b"\\u", b"\xff", b"1e", b"NaN", b"\xf0\x9f"])
        else:
            body.extend(body[at:])


def test_the_log_has_a_line_for_each_request_and_nothing_of_its_body(tiny_model: Path, start: Any) -> None:
    server = start(tiny_model).ready()
    server.invoke({"inputs": SECRET})
    server.invoke({"inputs": [SECRET, 5]})
    server.invoke({"inputs": "a", "parameters": {SECRET: 1}})
    server.invoke({"inputs": "a", SECRET: 1})
    server.invoke_raw(f'{{"inputs": "{SECRET}'.encode())
    server.request("GET", f"/nowhere?text={SECRET}")
    server.terminate()
    assert server.exit_status() == 0
    lines = [line for line in server.log if line["event"] == "request"]
    assert [line["status"] for line in lines] == [200, 400, 400, 400, 400, 404]
    assert {"time", "level", "method", "path", "bytes_in", "bytes_out", "milliseconds"} <= set(lines[0])
    assert (lines[0]["inputs"], lines[1]["error"]) == (1, "InvalidInput")
    assert SECRET not in json.dumps(server.log)
    assert server.errors == []


def test_ping_is_logged_only_when_its_answer_changes(tiny_model: Path, start: Any) -> None:
    server = start(tiny_model).ready()
    for _ in range(5):
        server.ping()
    server.terminate()
    server.exit_status()
    assert [line["status"] for line in server.log if line.get("path") == "/ping"] == [200]
