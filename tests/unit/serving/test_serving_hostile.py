# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand requests that nobody means well with: 4xx each, and the next answer is right."""

from __future__ import annotations

import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from serving_hostile import GOOD, Hostile, broken_http, hostile_requests
from serving_process import PATIENCE, ServerProcess

BAD_REQUESTS = 9_400
BROKEN = 600
CALLERS = 4


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[ServerProcess]:
    """A server of its own, since what is done to it here must not show elsewhere."""
    process = ServerProcess(tiny_model)
    try:
        yield process.ready()
    finally:
        process.close()


class Caller:
    """One connection, kept as long as the server keeps it."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._connection = server.connect()

    def send(self, request: Hostile) -> tuple[int, bytes]:
        for attempt in (1, 2):
            try:
                # Sent as it is: http.client would refuse some of these itself.
                self._connection.putrequest(request.method, request.path, skip_accept_encoding=True)
                for name, value in {**request.headers, "Content-Length": str(len(request.body))}.items():
                    self._connection.putheader(name, value)
                self._connection.endheaders(request.body)
                response = self._connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError):
                # The server had closed the connection after an earlier request that it could not read to its end.
                self._connection.close()
                assert attempt == 1, request.kind
        raise AssertionError

    def answers_rightly(self) -> bool:
        status, body = self.send(Hostile("good", json.dumps(GOOD).encode()))
        return (status, json.loads(body)) == (200, {"predictions": ["POSITIVE", "NEGATIVE"]})

    def close(self) -> None:
        self._connection.close()


def test_every_hostile_request_is_4xx_and_the_next_answer_is_right(server: ServerProcess) -> None:
    def call(number: int) -> Counter[str]:
        caller, seen = Caller(server), Counter[str]()
        mine = islice(hostile_requests(20260102, BAD_REQUESTS), number, None, CALLERS)
        for index, request in enumerate(mine):
            status, body = caller.send(request)
            assert 400 <= status < 500, (status, request.kind, request.body[:300])
            assert json.loads(body)["error"]["message"].endswith("."), (request.kind, body)
            seen[request.kind] += 1
            if index % 20 == 0:
                assert caller.answers_rightly(), request.kind
        caller.close()
        return seen

    with ThreadPoolExecutor(CALLERS) as callers:
        seen = sum(callers.map(call, range(CALLERS)), Counter[str]())
    assert seen.total() == BAD_REQUESTS
    assert len(seen) == 13, "a kind was never made"
    assert server.ping().status == 200
    assert not [line for line in server.log if line["event"] in ("server_failed", "inference_failed")]


def test_what_is_not_http_is_refused_or_closed_and_the_next_answer_is_right(server: ServerProcess) -> None:
    caller = Caller(server)
    for index, garbage in enumerate(broken_http(20260103, BROKEN)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            try:
                while piece := connection.recv(4096):
                    received += piece
            except ConnectionResetError:
                pass
        assert not received or received.startswith(b"HTTP/1.1 4"), (garbage[:200], received[:200])
        if index % 20 == 0:
            assert caller.answers_rightly(), garbage[:200]
    caller.close()
    assert server.ping().status == 200


def test_slow_senders_hold_up_nobody(server: ServerProcess) -> None:
    """More of them than may wait in the queue: a place is taken when the body is there, not before."""
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n"
    slow = []
    try:
        for number in range(300):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            slow.append(connection)
            connection.sendall(head[: number % len(head)] if number % 2 else head + b'{"inputs": "lo')
        caller = Caller(server)
        for _ in range(20):
            assert caller.answers_rightly()
        caller.close()
        assert server.ping().status == 200
        # One of them goes on after all.
        slow[0].sendall(b"v" + b"e" * 23 + b'"}')
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        for connection in slow:
            connection.close()
    assert Caller(server).answers_rightly()


@pytest.mark.parametrize("word", ["a", "é", "🐕", "\u0301", "[PAD]", "\u200b", "中", "\x00", "-", " "])
def test_a_single_word_of_a_megabyte_is_answered(server: ServerProcess, word: str) -> None:
    text = word * (1024 * 1024 // len(word.encode()))
    body = json.dumps({"inputs": [text, "love"]}, ensure_ascii=False).encode() if word != "\x00" else None
    answer = server.invoke_raw(body) if body else server.invoke({"inputs": [text[:100_000], "love"]})
    assert answer.predictions[1] == "POSITIVE"
    assert Caller(server).answers_rightly()
